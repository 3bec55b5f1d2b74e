/**
 * The pool: runs tasks at the concurrency that the machine can bear, until there are none left.
 *
 * @since 0.1.0
 */
import type { NonEmptyArray, NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import type { ConcurrencySettings } from "./ConcurrencySettings.ts"
import type { Lease } from "./internal/feeds/leaseFeed.ts"
import { build } from "./internal/run/assembly.ts"
import * as eachOf from "./internal/run/forEach.ts"
import { readSource, readWork } from "./internal/run/readWork.ts"
import * as works from "./internal/run/works.ts"
import { directOf } from "./internal/sources/directSource.ts"
import { InvalidOptionsError } from "./InvalidOptionsError.ts"
import { AlreadyRunningError, TaskTimeoutError } from "./PoolError.ts"
import type { PoolEvent } from "./PoolEvent.ts"
import type { PoolOptions, RateLimitOptions, RetryOptions, Work } from "./PoolOptions.ts"
import type { PoolSnapshot } from "./PoolSnapshot.ts"
import type { Blocker, Delayed, Finalizing, PoolState, RunReport } from "./PoolState.ts"
import type { SystemStatus } from "./SystemStatus.ts"
import type * as TaskSource from "./TaskSource.ts"

export { AlreadyRunningError, InvalidOptionsError, TaskTimeoutError }
export type {
  Blocker,
  Delayed,
  Finalizing,
  PoolEvent,
  PoolOptions,
  PoolState,
  RateLimitOptions,
  RetryOptions,
  RunReport,
  Work
}

/**
 * A pool that fails with `E`.
 *
 * **Details**
 *
 * - `run`: runs until nothing is left to do. Interrupting it interrupts every task and waits for their finalizers.
 * - `pause`, `resume`: hold back new tasks, and let them start again; running tasks go on, and the run does not end.
 * - `pauseFor`: nothing starts before this time has passed. The latest of several times wins, none cuts another short, and
 *   `resume` ends none of them.
 * - `drain`: starts nothing more, gives back what waits, lets running tasks end, and lets `run` succeed with the outcome
 *   `"Drained"`. It waits for that end, but not from inside a task; to end its waiting does not take the drain back. `abort`
 *   ends what takes too long: `Effect.timeoutOrElse(pool.drain, { duration: "20 seconds", orElse: () => pool.abort })`.
 * - `abort`: for when there is no time to `drain`, and unlike the interruption of `run` no failure of whoever runs it. It
 *   interrupts every task, waits for their finalizers, and lets `run` succeed with the outcome `"Aborted"`.
 *   From inside a task it does not wait. Without effect where nothing runs.
 * - `notify`: says that a task may have become ready.
 * - `currentConcurrency`, `desiredConcurrency`: tasks in flight, and how many there should be.
 * - `settings`, `configure`: reads and changes the bounds and the rate cap. A change takes effect at once and interrupts
 *   nothing; one that is refused changes nothing. `desiredConcurrency` in a change sets the desired concurrency.
 * - `state`: what the pool is doing, and why nothing starts.
 * - `snapshot`: everything that views show of the pool, at this moment.
 * - `events`: what happens from now on. A reader that falls far behind misses the oldest.
 *
 * @category models
 * @since 0.1.0
 */
export interface AutoscaledPool<out E> {
  readonly run: Effect.Effect<RunReport, E | AlreadyRunningError>
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  readonly pauseFor: (duration: Duration.Input) => Effect.Effect<void>
  readonly drain: Effect.Effect<void>
  readonly abort: Effect.Effect<void>
  readonly notify: Effect.Effect<void>
  readonly currentConcurrency: Effect.Effect<number>
  readonly desiredConcurrency: Effect.Effect<number>
  readonly settings: Effect.Effect<ConcurrencySettings>
  readonly configure: (change: Partial<ConcurrencySettings>) => Effect.Effect<void, InvalidOptionsError>
  readonly state: Effect.Effect<PoolState>
  readonly snapshot: Effect.Effect<PoolSnapshot>
  readonly events: Stream.Stream<PoolEvent>
}

// In the types below `NoInfer` marks what only an option may name: where no option does, TypeScript would otherwise take it
// from what surrounds the call, and that is `any` inside of `Effect.all([…])`.

/**
 * Builds a pool of one task, which is run again and again for as long as a check says that there is one more.
 *
 * **When to use** {@link fromSource} where there are items to work on, and {@link forEach} where their results are wanted.
 * This one where the task finds its work by itself, and two checks tell whether there is any.
 *
 * **Details**
 *
 * Services that the task and the checks need are those in force where the pool is built. The pool can be run any number of
 * times, one run at a time; the desired concurrency survives from run to run.
 *
 * **Example** (Working through a list)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const urls = ["a", "b", "c"]
 * const seen: Array<string> = []
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* AutoscaledPool.make({
 *     runTask: Effect.suspend(() => {
 *       const url = urls.shift()
 *       return url === undefined ? Effect.void : Effect.sync(() => seen.push(url))
 *     }),
 *     isTaskReady: Effect.sync(() => urls.length > 0),
 *     isFinished: Effect.sync(() => urls.length === 0)
 *   })
 *   return yield* pool.run
 * })
 *
 * const report = await Effect.runPromise(Effect.provide(program, SystemStatus.layerTest))
 * report.outcome // => "Finished"
 * seen // => ["a", "b", "c"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never, E4 = never, R4 = never>(
  options: Work<E1, R1, E2, R2, E3, R3> & PoolOptions<void, E4, R4, unknown, E1 | E4 | TaskTimeoutError>
): Effect.Effect<
  AutoscaledPool<E1 | E2 | E3 | NoInfer<E4> | TaskTimeoutError>,
  InvalidOptionsError,
  SystemStatus | R1 | R2 | R3 | NoInfer<R4>
> => {
  const accepted = readWork(options)
  if (Result.isFailure(accepted)) return Effect.fail(accepted.failure)
  return build<void, E1 | E2 | E3 | E4 | TaskTimeoutError, R1 | R2 | R3 | R4>(options, works.ofChecks(options, options))
}

/** What tasks fail a run with: nothing, where their failures are the affair of their source. */
type FailureOfTasks<Settles extends boolean, E> = [Settles] extends [true] ? never : E

/**
 * Builds a pool that works on the items of a source, until the source is done.
 *
 * **When to use** {@link forEach} for a list whose results are wanted. This one where the work goes on for long or comes from
 * elsewhere, and where the pool is to be paused, watched, drained or run again.
 *
 * **Details**
 *
 * Only what can start is pulled. An item whose task is interrupted, because another task failed or the run was aborted,
 * goes back to its source where the source can take it back; the item of a task that failed does not. A failure, defect or
 * time limit of a task ends the run, unless failures are the affair of the source (`settlesFailures`, as those of a
 * persisted queue are).
 *
 * **Example** (Hashing files as they arrive)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * let bytes = 0
 * const program = Effect.gen(function*() {
 *   const sizes = TaskSource.fromIterable([10, 20, 30])
 *   const pool = yield* AutoscaledPool.fromSource(sizes, (size) => Effect.sync(() => void (bytes += size)), {
 *     concurrencySettings: { maxConcurrency: 2 }
 *   })
 *   return yield* pool.run
 * })
 *
 * const report = await Effect.runPromise(Effect.provide(program, SystemStatus.layerTest))
 * report.succeeded // => 3
 * bytes // => 60
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromSource = <A, E1, R1, E2, R2, E3 = never, R3 = never, Settles extends boolean = boolean>(
  source: TaskSource.TaskSource<A, E1, R1, Settles>,
  handle: (item: A) => Effect.Effect<unknown, E2, R2>,
  options: PoolOptions<A, E3, R3, unknown, E2 | E3 | TaskTimeoutError> = {}
): Effect.Effect<
  AutoscaledPool<E1 | FailureOfTasks<Settles, E2 | NoInfer<E3> | TaskTimeoutError>>,
  InvalidOptionsError,
  SystemStatus | R1 | R2 | NoInfer<R3>
> => {
  type Failure = E1 | FailureOfTasks<Settles, E2 | E3 | TaskTimeoutError>
  const accepted = readSource(source, handle)
  if (Result.isFailure(accepted)) return Effect.fail(accepted.failure)
  const direct = directOf(source)
  return direct === undefined
    ? build<Lease<A>, Failure, R1 | R2 | R3>(options, works.ofLeases(source, handle, options))
    : build<A, Failure, R1 | R2 | R3>(options, works.ofDirect(direct, handle, options))
}

/**
 * What {@link forEach} goes through.
 *
 * @category models
 * @since 0.1.0
 */
export type Items = Iterable<unknown> | AsyncIterable<unknown> | Stream.Stream<unknown, unknown, unknown>

type ItemOf<S> = S extends Stream.Stream<infer A, infer _E, infer _R> ? A
  : S extends Iterable<infer A> | AsyncIterable<infer A> ? A
  : never
type ErrorOf<S> = S extends Stream.Stream<infer _A, infer E, infer _R> ? E : never
type ServicesOf<S> = S extends Stream.Stream<infer _A, infer _E, infer R> ? R : never
/** As many results as there are items, so that where there is one item at least there is one result. */
type ResultsOf<S, B> = S extends NonEmptyReadonlyArray<unknown> ? NonEmptyArray<B> : Array<B>

/**
 * Does what `Effect.forEach` does, at the concurrency that the machine can bear; over async iterables and streams too.
 *
 * **When to use** {@link fromSource} where the pool itself is needed, to pause, watch or run it again, or where there are no
 * results to collect from an endless source. {@link make} where two checks tell what there is to do.
 *
 * **Details**
 *
 * Results come in the order of the items; `discard: true` keeps none. Items are asked for one at a time, as they can
 * start. The first failure interrupts the other tasks and is the failure of the whole. What `onTaskTimeout` succeeds with
 * stands in for the result. What is left of the items at the end is closed; what an iterable throws is a defect. Where a
 * view aborts or drains the pool, the whole is interrupted: there are not all results.
 *
 * **Example** (Mapping over items)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus } from "@autoscaled-pool/core"
 * import { Effect, Stream } from "effect"
 *
 * const program = AutoscaledPool.forEach([1, 2, 3], (n, index) => Effect.succeed(n * 10 + index))
 * const piped = Stream.make("a", "b").pipe(AutoscaledPool.forEach((letter) => Effect.succeed(letter.toUpperCase())))
 *
 * await Effect.runPromise(Effect.provide(program, SystemStatus.layerTest)) // => [10, 21, 32]
 * await Effect.runPromise(Effect.provide(piped, SystemStatus.layerTest)) // => ["A", "B"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const forEach: {
  <S extends Items, E, R, E2 = never, R2 = never>(
    f: (item: ItemOf<S>, index: number) => Effect.Effect<unknown, E, R>,
    options: eachOf.ForEachOptions<ItemOf<S>, unknown, E, E2, R2> & { readonly discard: true }
  ): (
    items: S
  ) => Effect.Effect<
    void,
    ErrorOf<S> | E | NoInfer<E2> | TaskTimeoutError | InvalidOptionsError,
    SystemStatus | ServicesOf<S> | R | NoInfer<R2>
  >
  <S extends Items, B, E, R, E2 = never, R2 = never>(
    f: (item: ItemOf<S>, index: number) => Effect.Effect<B, E, R>,
    options?: eachOf.ForEachOptions<ItemOf<S>, B, E, E2, R2> & { readonly discard?: false | undefined }
  ): (
    items: S
  ) => Effect.Effect<
    ResultsOf<S, B>,
    ErrorOf<S> | E | NoInfer<E2> | TaskTimeoutError | InvalidOptionsError,
    SystemStatus | ServicesOf<S> | R | NoInfer<R2>
  >
  <S extends Items, B, E, R, E2 = never, R2 = never>(
    items: S,
    f: (item: ItemOf<S>, index: number) => Effect.Effect<B, E, R>,
    options?: eachOf.ForEachOptions<ItemOf<S>, B, E, E2, R2> & { readonly discard?: false | undefined }
  ): Effect.Effect<
    ResultsOf<S, B>,
    ErrorOf<S> | E | NoInfer<E2> | TaskTimeoutError | InvalidOptionsError,
    SystemStatus | ServicesOf<S> | R | NoInfer<R2>
  >
  <S extends Items, E, R, E2 = never, R2 = never>(
    items: S,
    f: (item: ItemOf<S>, index: number) => Effect.Effect<unknown, E, R>,
    options: eachOf.ForEachOptions<ItemOf<S>, unknown, E, E2, R2> & { readonly discard: true }
  ): Effect.Effect<
    void,
    ErrorOf<S> | E | NoInfer<E2> | TaskTimeoutError | InvalidOptionsError,
    SystemStatus | ServicesOf<S> | R | NoInfer<R2>
  >
} = dual((args) => typeof args[1] === "function", eachOf.forEach)

/**
 * The class of a service tag with a layer; {@link Service} makes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<Self, Key extends string, E, LE, LR>
  extends Context.ServiceClass<Self, Key, AutoscaledPool<E>>
{
  readonly layer: Layer.Layer<Self, LE, LR>
}

/**
 * Makes a tag of the program's own for a pool, with a `layer` that builds it.
 *
 * **Details**
 *
 * The options are those of {@link make}; or `source` and `handle` with those of {@link fromSource}; or an effect of either,
 * where they need services to be made. What is left of an iterable is closed with the layer.
 *
 * **Example** (Providing a pool as a layer)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * let pages = 5
 * class Crawl extends AutoscaledPool.Service<Crawl>()("app/Crawl", {
 *   runTask: Effect.sync(() => pages--),
 *   isTaskReady: Effect.sync(() => pages > 0),
 *   isFinished: Effect.sync(() => pages === 0),
 *   taskTimeout: "30 seconds"
 * }) {}
 *
 * const program = Crawl.use((pool) => pool.run).pipe(
 *   Effect.provide(Crawl.layer),
 *   Effect.provide(SystemStatus.layerTest)
 * )
 *
 * const report = await Effect.runPromise(program)
 * report.succeeded // => 5
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Service = <Self>(): MakeService<Self> =>
  ((key: string, options: AnyPool | Effect.Effect<AnyPool, unknown, unknown>) => {
    const pool = Effect.isEffect(options) ? Effect.flatMap(options, buildAny) : buildAny(options)
    const tag = Context.Service<Self, AutoscaledPool<unknown>>()(key)
    return Object.assign(tag, { layer: Layer.effect(tag, pool) })
  }) as MakeService<Self> // whose types say what each kind of options makes

/**
 * Makes the class of a service, from checks or from a source, as options or as an effect of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface MakeService<Self> {
  <
    const Key extends string,
    A,
    E1,
    R1,
    E2,
    R2,
    E3 = never,
    R3 = never,
    Settles extends boolean = boolean,
    EX = never,
    RX = never
  >(
    key: Key,
    options:
      | SourceOptions<A, E1, R1, E2, R2, E3, R3, Settles>
      | Effect.Effect<SourceOptions<A, E1, R1, E2, R2, E3, R3, Settles>, EX, RX>
  ): ServiceClass<
    Self,
    Key,
    E1 | FailureOfTasks<Settles, E2 | E3 | TaskTimeoutError>,
    InvalidOptionsError | EX,
    SystemStatus | R1 | R2 | R3 | RX
  >
  <
    const Key extends string,
    E1 = never,
    R1 = never,
    E2 = never,
    R2 = never,
    E3 = never,
    R3 = never,
    E4 = never,
    R4 = never,
    EX = never,
    RX = never
  >(
    key: Key,
    options:
      | CheckOptions<E1, R1, E2, R2, E3, R3, E4, R4>
      | Effect.Effect<CheckOptions<E1, R1, E2, R2, E3, R3, E4, R4>, EX, RX>
  ): ServiceClass<
    Self,
    Key,
    E1 | E2 | E3 | E4 | TaskTimeoutError,
    InvalidOptionsError | EX,
    SystemStatus | R1 | R2 | R3 | R4 | RX
  >
}

type CheckOptions<E1, R1, E2, R2, E3, R3, E4, R4> =
  & Work<E1, R1, E2, R2, E3, R3>
  & PoolOptions<void, E4, R4, unknown, E1 | E4 | TaskTimeoutError>

type SourceOptions<A, E1, R1, E2, R2, E3, R3, Settles extends boolean> =
  & {
    readonly source: TaskSource.TaskSource<A, E1, R1, Settles>
    readonly handle: (item: A) => Effect.Effect<unknown, E2, R2>
  }
  & PoolOptions<A, E3, R3, unknown, E2 | E3 | TaskTimeoutError>

type AnyPool =
  | CheckOptions<unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown>
  | SourceOptions<unknown, unknown, unknown, unknown, unknown, unknown, unknown, boolean>

/** The pool of a service. When the scope of its layer closes, its source is left for good. */
const buildAny = (options: AnyPool) => {
  if (!("source" in options)) return make(options)
  const { handle, source, ...rest } = options
  const pool = fromSource(source, handle, rest as PoolOptions<unknown>)
  return Effect.tap(pool, () => Effect.addFinalizer(() => directOf(source)?.leave ?? Effect.void))
}
