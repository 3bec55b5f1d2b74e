/**
 * Limits per host, tenant, account or whatever else an item belongs to. An item whose key is at its limit waits without a
 * permit, and in nobody's way.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { Feed, FeedHost } from "./internal/feeds/feed.ts"
import { type Keyed, KeyedFeed } from "./internal/keys/keyedFeed.ts"
import type { KeyPlan } from "./internal/keys/keyPlan.ts"
import { type KeyEntry, KeyTable, textOf } from "./internal/keys/keyTable.ts"
import * as rules from "./internal/options/rules.ts"
import { monotonicMillis } from "./internal/time/monotonic.ts"
import { InvalidOptionsError } from "./InvalidOptionsError.ts"

/**
 * What each key may do.
 *
 * **Details**
 *
 * - `concurrency`: tasks of a key at once, an integer of at least 1 or a function of the key, default no limit. A function
 *   that gives anything else, here or in `rate`, ends the run with an `InvalidOptionsError` as its defect; no item is lost.
 * - `rate`: starts of a key per window, evenly paced, default no limit. `limit` is a number above 0 or a function of the key,
 *   `window` a duration.
 * - `adapt`: each key finds its own limit from what its service says, between `min` (default 1) and `max` (default 100); default
 *   off. Where `concurrency` is given too, the smaller of both counts. See {@link make}.
 * - `lookAhead`: items that a pool may hold back because their keys are closed, an integer of at least 1, default 256.
 * - `maxKeys`: keys that nothing runs for and that are remembered all the same, an integer of at least 1, default 10,000. A key
 *   that is forgotten begins anew, without its pace, its pause and the limit that it found.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyOptions<K> {
  readonly concurrency?: number | ((key: K) => number) | undefined
  readonly rate?: { readonly limit: number | ((key: K) => number); readonly window: Duration.Input } | undefined
  readonly adapt?: { readonly min?: number | undefined; readonly max?: number | undefined } | undefined
  readonly lookAhead?: number | undefined
  readonly maxKeys?: number | undefined
}

/**
 * What one key is doing.
 *
 * **Details**
 *
 * - `inFlight`: its tasks that run, and those that wait for nothing but a permit of their pool.
 * - `limit`: how many may; `Infinity` where nothing limits it.
 * - `parked`: items that wait for it.
 * - `closedFor`: how long nothing of it starts because its service said so, or by its rate; zero where it is open.
 * - `refusals`: how often its service has refused, counted by events.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyState<K> {
  readonly key: K
  readonly inFlight: number
  readonly limit: number
  readonly parked: number
  readonly closedFor: Duration.Duration
  readonly refusals: number
}

/**
 * What the keys are doing.
 *
 * **Details**
 *
 * - `keys`: keys that are known at the moment.
 * - `parked`: items that wait for their keys.
 * - `heldBack`: the ten keys that most items wait for, and after them those that most tasks run for.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeysState<K> {
  readonly keys: number
  readonly parked: number
  readonly heldBack: ReadonlyArray<KeyState<K>>
}

/**
 * A key that items wait for.
 *
 * **Details**
 *
 * - `key`: as text.
 * - `parked`: items that wait for it, of all pools that share the limits.
 * - `inFlight`, `limit`: its tasks in flight, and how many there may be.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeldBackKey {
  readonly key: string
  readonly parked: number
  readonly inFlight: number
  readonly limit: number
}

/**
 * Limits per key, for items of `A`. A pool takes them as its option `keys`; two pools may share them.
 *
 * **Details**
 *
 * - `configure`: changes what keys may do, at once and without interrupting anything; a refused change changes nothing.
 * - `state`: what the keys are doing.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyedLimits<in A, K = unknown> {
  readonly configure: (change: KeyOptions<K>) => Effect.Effect<void, InvalidOptionsError>
  readonly state: Effect.Effect<KeysState<K>>
  /** @internal */
  readonly heldBackUnsafe: () => ReadonlyArray<HeldBackKey>
  /** @internal */
  readonly makeFeed: <B>(
    host: FeedHost<Keyed<B, unknown>>,
    itemOf: (item: B) => A,
    makeInner: (host: FeedHost<B>) => Feed<B>
  ) => KeyedFeed<B, unknown>
}

/**
 * Builds limits per key.
 *
 * **Details**
 *
 * `key` says what an item belongs to; keys are told apart as those of a `Map` are, so that two objects are two keys: where
 * several things make up a key, give a string of them. An item whose key is closed is parked: it
 * holds no permit, keeps its lease, and goes before new items when its key opens. Others are looked for meanwhile, until
 * `lookAhead` are parked. There is memory only for keys that are in use or have something to remember.
 *
 * With `adapt` the limit of a key begins at 2 and rises by one with each success, beyond eight only as far as the service
 * does more the more it is asked at once, until it first refuses; it falls where the service comes to do less. A refusal
 * (see `ClientErrors`) halves it, once for all tasks that ran at the time; it is back just below where it was refused within
 * a few task times, and tries more when thirty times as long has passed as the refusal closed the key. Where the limit is at
 * `min` and refused all the same, the service counts requests and not those in the works: starts are paced, then, just
 * below the rate that it has served.
 *
 * With `adapt` or without, a refusal closes the key: for as long as `Retry-After` says; without it, or where it is 0, for a
 * second, and for twice as long with each further refusal, up to a minute. The pace of `rate` and this pause are told apart: neither makes up for the other.
 *
 * **Example** (Two at a time for each host)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, KeyedLimits, SystemStatus } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const keys = yield* KeyedLimits.make({ key: (url: URL) => url.host, concurrency: 2 })
 *   const urls = ["https://a.example/1", "https://a.example/2", "https://b.example/1"].map((url) => new URL(url))
 *   return yield* AutoscaledPool.forEach(urls, (url) => Effect.succeed(url.pathname), { keys })
 * })
 *
 * await Effect.runPromise(Effect.provide(program, SystemStatus.layerTest)) // => ["/1", "/2", "/1"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, K>(
  options: KeyOptions<K> & { readonly key: (item: A) => K }
): Effect.Effect<KeyedLimits<A, K>, InvalidOptionsError> =>
  Effect.gen(function*() {
    yield* Effect.fromResult(rules.read(rules.aFunction, "key", options.key))
    const plan = yield* Effect.fromResult(readPlan(options))
    const random = yield* Random.Random
    const table = new KeyTable<K>(plan, () => random.nextDoubleUnsafe())
    let given: KeyOptions<K> = options
    return {
      configure: (change) =>
        Effect.suspend(() => {
          const next = { ...given, ...change }
          return Effect.map(Effect.fromResult(readPlan(next)), (plan) => {
            given = next
            table.change(plan)
          })
        }),
      state: Effect.map(monotonicMillis, (now) => stateOf(table, now)),
      heldBackUnsafe: () => heldBackIn(table),
      makeFeed: (host, itemOf, makeInner) =>
        // Whoever holds the feed knows nothing of the keys, and only hands them back.
        new KeyedFeed(host as FeedHost<Keyed<never, K>>, table, (item) => options.key(itemOf(item)), makeInner) as never
    }
  })

const stateOf = <K>(table: KeyTable<K>, now: number): KeysState<K> => {
  const all = [...table.all()]
  const most = all.toSorted((a, b) => b.parked - a.parked || b.inFlight - a.inFlight).slice(0, 10)
  return {
    keys: all.length,
    parked: all.reduce((sum, { parked }) => sum + parked, 0),
    heldBack: most.map((entry) => keyStateOf(table, entry, now))
  }
}

const heldBackIn = <K>(table: KeyTable<K>): ReadonlyArray<HeldBackKey> =>
  [...table.all()]
    .filter(({ parked }) => parked > 0)
    .toSorted((a, b) => b.parked - a.parked)
    .slice(0, 10)
    .map((entry) => ({
      key: textOf(entry.key),
      parked: entry.parked,
      inFlight: entry.inFlight,
      limit: limitSeen(table, entry)
    }))

const keyStateOf = <K>(table: KeyTable<K>, entry: KeyEntry<K>, now: number): KeyState<K> => ({
  key: entry.key,
  inFlight: entry.inFlight,
  limit: limitSeen(table, entry),
  parked: entry.parked,
  closedFor: Duration.millis(Math.max(0, entry.limit.closedUntil - now, entry.nextStart - now)),
  refusals: entry.limit.refusals
})

/** Whoever only looks is not failed by a function that gives no valid limit: nothing of the key may start. */
const limitSeen = <K>(table: KeyTable<K>, entry: KeyEntry<K>): number =>
  Result.getOrElse(Result.try(() => table.limitOf(entry)), () => 0)

const readPlan = <K>(options: KeyOptions<K>): Result.Result<KeyPlan<K>, InvalidOptionsError> =>
  Result.gen(function*() {
    const { adapt, concurrency, lookAhead = 256, maxKeys = 10_000, rate } = options
    return {
      lookAhead: yield* rules.read(rules.positiveInteger, "lookAhead", lookAhead),
      maxKeys: yield* rules.read(rules.positiveInteger, "maxKeys", maxKeys),
      concurrency: yield* readConcurrency(concurrency),
      interval: yield* readRate(rate),
      adapt: yield* readAdapt(adapt)
    }
  })

const readConcurrency = <K>(
  concurrency: KeyOptions<K>["concurrency"]
): Result.Result<(key: K) => number, InvalidOptionsError> => {
  if (concurrency === undefined || concurrency === Infinity) return Result.succeed(() => Infinity)
  if (typeof concurrency === "function") {
    return Result.succeed((key) => {
      const limit = concurrency(key)
      return limit === Infinity ? limit : rules.readGiven(rules.positiveInteger, "concurrency", limit, named(key))
    })
  }
  return Result.map(rules.read(rules.positiveInteger, "concurrency", concurrency), (limit) => () => limit)
}

const named = (key: unknown) => () => `the key "${textOf(key)}"`

const readRate = <K>(rate: KeyOptions<K>["rate"]): Result.Result<(key: K) => number, InvalidOptionsError> =>
  Result.gen(function*() {
    if (rate === undefined) return () => 0
    yield* rules.read(rules.anObject, "rate", rate)
    const window = Duration.toMillis(yield* rules.read(rules.interval, "rate.window", rate.window))
    const { limit } = rate
    if (typeof limit === "function") {
      return (key: K) => window / rules.readGiven(rules.positiveNumber, "rate.limit", limit(key), named(key))
    }
    const fixed = window / (yield* rules.read(rules.positiveNumber, "rate.limit", limit))
    return () => fixed
  })

const readAdapt = (adapt: KeyOptions<never>["adapt"]): Result.Result<KeyPlan<never>["adapt"], InvalidOptionsError> =>
  Result.gen(function*() {
    if (adapt === undefined) return undefined
    yield* rules.read(rules.anObject, "adapt", adapt)
    const min = yield* rules.read(rules.positiveInteger, "adapt.min", adapt.min ?? 1)
    const max = yield* rules.read(rules.positiveInteger, "adapt.max", adapt.max ?? Math.max(100, min))
    if (min <= max) return { min, max }
    const remedy = `Use a value of at most adapt.max, which is ${max}, or raise adapt.max.`
    return yield* Result.fail(new InvalidOptionsError({ field: "adapt.min", value: min, remedy }))
  })
