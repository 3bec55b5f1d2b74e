/**
 * What each kind of pool works on: what feeds it, and what its tasks are.
 */
import * as Effect from "effect/Effect"
import type * as PoolOptions from "../../PoolOptions.ts"
import type { TaskSource } from "../../TaskSource.ts"
import { DirectFeed } from "../feeds/directFeed.ts"
import { type Lease, LeaseFeed } from "../feeds/leaseFeed.ts"
import { ReadinessFeed } from "../feeds/readinessFeed.ts"
import type { DirectSource } from "../sources/directSource.ts"
import type { Work } from "./assembly.ts"

interface Spans {
  readonly taskSpan?: string | undefined
}

type Handle<A> = (item: A) => Effect.Effect<unknown, unknown, unknown>

type Checks = PoolOptions.Work<unknown, unknown, unknown, unknown, unknown, unknown>

/** One task, for as long as a check says that there is one more. */
export const ofChecks = ({ isFinished, isTaskReady, runTask }: Checks, { taskSpan }: Spans): Work<void> => ({
  makeFeed: (host) =>
    new ReadinessFeed(host, withTaskSpan(inPool(runTask), taskSpan), inPool(isTaskReady), inPool(isFinished)),
  itemOf: () => undefined,
  close: Effect.void,
  total: () => undefined
})

/** The items of a source that leases them. */
export const ofLeases = <A>(
  source: TaskSource<A, unknown, unknown>,
  handle: Handle<A>,
  spans: Spans
): Work<Lease<A>> => ({
  makeFeed: (host) => new LeaseFeed(host, source, taskOf(handle, spans)),
  itemOf: ({ item }) => item,
  close: Effect.void,
  total: () => undefined
})

/** The items of a source that can be polled. */
export const ofDirect = <A>(
  source: DirectSource<A, unknown, unknown>,
  handle: Handle<A>,
  spans: Spans,
  onResult?: (item: A, result: unknown) => void
): Work<A> => ({
  makeFeed: (host) => new DirectFeed(host, source, taskOf(handle, spans), onResult),
  itemOf: (item) => item,
  close: source.close,
  total: () => source.total()
})

/** The task of an item, with its span where one is asked for. */
const taskOf = <A>(handle: Handle<A>, { taskSpan }: Spans): (item: A) => Effect.Effect<unknown, unknown> => {
  const task = handle as (item: A) => Effect.Effect<unknown, unknown> // the pool runs it as `inPool` says
  return taskSpan === undefined ? task : (item) => withTaskSpan(task(item), taskSpan)
}

/** The pool runs an effect in the context of where it was built, which has whatever the effect requires. */
const inPool = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E> => effect as Effect.Effect<A, E>

const withTaskSpan = <A, E>(task: Effect.Effect<A, E>, name: string | undefined): Effect.Effect<A, E> =>
  name === undefined ? task : Effect.withSpan(task, name, { captureStackTrace: false })
