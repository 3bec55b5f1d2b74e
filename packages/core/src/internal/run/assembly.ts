/**
 * A pool, assembled from its options and its work. Around the feed of the work come the feeds that options ask for, from
 * the inside out: further tries, limits per key, a rate that machines share. So a further try waits for its key and takes
 * a token as a first one does, and a token is taken only for a key that is open.
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type { AutoscaledPool } from "../../AutoscaledPool.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { KeyedLimits } from "../../KeyedLimits.ts"
import { TaskTimeoutError } from "../../PoolError.ts"
import type { PoolEvent } from "../../PoolEvent.ts"
import type { PoolOptions } from "../../PoolOptions.ts"
import type { SystemStatus } from "../../SystemStatus.ts"
import { type BudgetConsumer, makePrivate } from "../budget/consumer.ts"
import type { Feed, FeedHost } from "../feeds/feed.ts"
import { RateFeed, type Reserve } from "../feeds/rateFeed.ts"
import { RetryFeed, type RetrySchedule, type Tried } from "../feeds/retryFeed.ts"
import type { Keyed } from "../keys/keyedFeed.ts"
import * as rules from "../options/rules.ts"
import { Pool } from "./pool.ts"
import * as poolOptions from "./poolOptions.ts"

/** The options of a pool, whatever it works on: the constructors of a pool see to it that they fit its items. */
type Options = PoolOptions<never, unknown, unknown, unknown, never>

/** What a constructor of a pool says of the work. */
export interface Work<A> {
  readonly makeFeed: MakeFeed<A>
  /** The item of the caller behind the pool's. */
  readonly itemOf: (item: A) => unknown
  readonly close: Effect.Effect<void>
  /** How many items there are, where that is known. */
  readonly total: () => number | undefined
}

type MakeFeed<A> = (host: FeedHost<A>) => Feed<A>

/** Builds the pool in the context that is in force, which has what its effects require. */
export const build = Effect.fnUntraced(function*<A, E, R>(
  options: Options,
  work: Work<A>
): Effect.fn.Return<AutoscaledPool<E>, InvalidOptionsError, SystemStatus | R> {
  const plan = yield* poolOptions.read(options)
  const consumer = yield* consumerOf(plan.budget)
  const context = yield* Effect.context<R>()
  const published = yield* PubSub.sliding<PoolEvent>(256)
  const { keys, weight } = options
  const { reserve, retry } = plan

  const finish = <B>(work: Work<B>): AutoscaledPool<E> =>
    new Pool<B, E>(
      plan,
      {
        ...(reserve === undefined ? work : rated(work, reserve)),
        heldBackKeys: keys?.heldBackUnsafe,
        onTimeLimit: (item) => afterTimeLimit(options, plan, work.itemOf(item)),
        weightOf: weight === undefined ? undefined : (item) => weightOfItem(weight, work.itemOf(item))
      },
      consumer,
      context,
      published
    )
  const perKey = <B>(work: Work<B>) => keys === undefined ? finish(work) : finish(keyed(work, keys))
  const bare = leaving(work)
  return retry === undefined ? perKey(bare) : perKey(retried(bare, retry))
})

const consumerOf = (plan: poolOptions.BudgetPlan): Effect.Effect<BudgetConsumer, never, SystemStatus> =>
  plan._tag === "Shared"
    ? Effect.sync(() => plan.shared.poolConsumer(plan.consumer))
    : makePrivate(plan.settings, plan.policy)

/** The work whose feed leaves its source when a run has ended. */
const leaving = <A>(work: Work<A>): Work<A> => {
  let feed: Feed<A> | undefined // of the last run
  return {
    ...work,
    makeFeed: (host) => (feed = work.makeFeed(host)),
    close: Effect.suspend(() => {
      feed?.leave?.()
      return work.close
    })
  }
}

const retried = <A>(work: Work<A>, schedule: RetrySchedule): Work<Tried<A>> =>
  around(work, (host) => new RetryFeed(host, schedule, work.makeFeed))

const keyed = <A>(work: Work<A>, keys: KeyedLimits<never>): Work<Keyed<A, unknown>> =>
  around(work, (host) => keys.makeFeed(host, (item: A) => work.itemOf(item) as never, work.makeFeed))

const rated = <A>(work: Work<A>, reserve: Reserve): Work<A> => ({
  ...work,
  makeFeed: (host) => new RateFeed(host, reserve, work.makeFeed)
})

/** The work with a feed around its feed that puts each item into one of its own. */
const around = <A, B extends { readonly item: A }>(work: Work<A>, makeFeed: MakeFeed<B>): Work<B> => ({
  ...work,
  makeFeed,
  itemOf: ({ item }) => work.itemOf(item)
})

/** What becomes of a task that has reached its limit of time. */
const afterTimeLimit = (
  { onTaskTimeout }: Options,
  { limits }: poolOptions.PoolPlan,
  item: unknown
): Effect.Effect<unknown, unknown> => {
  const error = new TaskTimeoutError({ limit: limits.taskTimeout })
  if (onTaskTimeout === undefined) return Effect.fail(error)
  return onTaskTimeout(error, item as never) as Effect.Effect<unknown, unknown> // it runs in the context of the pool
}

/** What the option `weight` says of an item. */
const weightOfItem = (weight: number | ((item: never) => number), item: unknown): number => {
  if (typeof weight === "number") return weight
  return rules.readGiven(rules.positiveInteger, "weight", weight(item as never), () => "an item")
}
