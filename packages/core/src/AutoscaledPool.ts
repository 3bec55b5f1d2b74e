/**
 * The pool: runs tasks at the concurrency that the machine can bear, until there are none left.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Stream from "effect/Stream"
import * as Governor from "./ConcurrencyGovernor.ts"
import type { ConcurrencySettings } from "./ConcurrencySettings.ts"
import { DirectFeed } from "./internal/directFeed.ts"
import { directOf } from "./internal/directSource.ts"
import { type Lease, LeaseFeed } from "./internal/leaseFeed.ts"
import { Pool, type PoolWork } from "./internal/pool.ts"
import { AlreadyRunningError, TaskTimeoutError } from "./internal/poolErrors.ts"
import * as poolOptions from "./internal/poolOptions.ts"
import { ReadinessFeed } from "./internal/readinessFeed.ts"
import { InvalidOptionsError } from "./InvalidOptionsError.ts"
import type { ScalingDecision, ScalingPolicy } from "./ScalingPolicy.ts"
import type { SystemInfo, SystemStatus } from "./SystemStatus.ts"
import * as TaskSource from "./TaskSource.ts"

export { AlreadyRunningError, InvalidOptionsError, TaskTimeoutError }

/**
 * Why nothing starts at the moment.
 *
 * **Details**
 *
 * - `AtDesired`: as many tasks are in flight as are desired.
 * - `Overloaded`: these signals are overloaded, and `minConcurrency` tasks are running.
 * - `StartAllowanceSpent`: the policy allows no more starts before its next decision.
 * - `RateLimited`: `maxTasksPerMinute` has no token.
 * - `Paused`: until `resume`.
 * - `NoTaskReady`: there is nothing to start.
 *
 * @category models
 * @since 0.1.0
 */
export type Blocker =
  | { readonly _tag: "AtDesired" | "StartAllowanceSpent" | "RateLimited" | "Paused" | "NoTaskReady" }
  | { readonly _tag: "Overloaded"; readonly signals: ReadonlyArray<string> }

/**
 * What the pool is doing.
 *
 * **Details**
 *
 * - `phase`: `"Idle"` between runs, `"Running"`, or `"Ending"` while interrupted tasks run their finalizers.
 * - `isPaused`: whether `pause` holds back new tasks.
 * - `currentConcurrency`, `desiredConcurrency`: tasks in flight, and how many there should be.
 * - `blocker`: why nothing starts; `undefined` while tasks start, and between runs.
 * - `started`, `succeeded`, `timedOut`, `rejected`: tasks of this run.
 * - `system`: the verdict of the `SystemStatus` that is in force.
 * - `lastDecision`: what the policy decided last, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolState {
  readonly phase: "Idle" | "Running" | "Ending"
  readonly isPaused: boolean
  readonly currentConcurrency: number
  readonly desiredConcurrency: number
  readonly blocker: Blocker | undefined
  readonly started: number
  readonly succeeded: number
  readonly timedOut: number
  readonly rejected: number
  readonly system: SystemInfo
  readonly lastDecision: ScalingDecision | undefined
}

/**
 * What a run did.
 *
 * **Details**
 *
 * - `outcome`: `"Finished"` where nothing was left to do, `"Aborted"` where `abort` ended it.
 * - `started`, `succeeded`, `timedOut`, `interrupted`: tasks; `timedOut` are those that `onTaskTimeout` absorbed.
 * - `rejected`: tasks that reported a rate-limit answer, whatever became of them.
 * - `duration`: of the run.
 * - `meanConcurrency`, `peakConcurrency`: tasks in flight, time-weighted, and at most.
 * - `blockedShare`: the share of the run's time, 0 to 1, in which nothing started, by reason; a reason that never held
 *   is left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunReport {
  readonly outcome: "Finished" | "Aborted"
  readonly started: number
  readonly succeeded: number
  readonly timedOut: number
  readonly interrupted: number
  readonly rejected: number
  readonly duration: Duration.Duration
  readonly meanConcurrency: number
  readonly peakConcurrency: number
  readonly blockedShare: { readonly [Reason in Blocker["_tag"]]?: number }
}

/**
 * What happens to a pool. Single tasks are no events.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolEvent =
  | { readonly _tag: "RunStarted" | "Paused" | "Resumed" }
  | { readonly _tag: "RunEnded"; readonly report: RunReport }
  | { readonly _tag: "RunFailed"; readonly cause: Cause.Cause<unknown> }
  | Governor.GovernorEvent

/**
 * A pool that fails with `E`.
 *
 * **Details**
 *
 * - `run`: runs until nothing is left to do. Interrupting it interrupts every task and waits for their finalizers.
 * - `pause`, `resume`: hold back new tasks, and let them start again; running tasks go on, and the run does not end.
 * - `abort`: interrupts every task, waits for their finalizers, and lets `run` succeed with the outcome `"Aborted"`.
 *   From inside a task it does not wait. Without effect where nothing runs.
 * - `notify`: says that a task may have become ready.
 * - `currentConcurrency`, `desiredConcurrency`: tasks in flight, and how many there should be.
 * - `settings`, `configure`: reads and changes the bounds and the rate cap. A change takes effect at once and interrupts
 *   nothing; one that is refused changes nothing. `desiredConcurrency` in a change sets the desired concurrency.
 * - `state`: what the pool is doing, and why nothing starts.
 * - `events`: what happens from now on. A reader that falls far behind misses the oldest.
 *
 * @category models
 * @since 0.1.0
 */
export interface AutoscaledPool<out E> {
  readonly run: Effect.Effect<RunReport, E | AlreadyRunningError>
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  readonly abort: Effect.Effect<void>
  readonly notify: Effect.Effect<void>
  readonly currentConcurrency: Effect.Effect<number>
  readonly desiredConcurrency: Effect.Effect<number>
  readonly settings: Effect.Effect<ConcurrencySettings>
  readonly configure: (change: Partial<ConcurrencySettings>) => Effect.Effect<void, InvalidOptionsError>
  readonly state: Effect.Effect<PoolState>
  readonly events: Stream.Stream<PoolEvent>
}

/**
 * Options that every pool has. `A` is what a task works on, `void` for {@link make}.
 *
 * **Details**
 *
 * - `concurrencySettings`: see `ConcurrencySettings`; each field has a default of its own.
 * - `taskTimeout`: how long a task may take, longer than 0, default no limit. A task that takes longer is interrupted and
 *   fails the run with a {@link TaskTimeoutError}.
 * - `onTaskTimeout`: what becomes of such a task instead. If it succeeds the run goes on; if it fails the run does.
 * - `loggingInterval`: time between two log lines on what the pool is doing, default 1 minute; `null` for none.
 * - `maybeRunInterval`: time after which a check that said no is asked again, if nothing else makes it worth asking,
 *   default 500 milliseconds.
 * - `taskSpan`: the name of a span around every task, default none; a span costs more than a short task.
 * - `policy`: the control law, default `ScalingPolicy.stepRatio`.
 * - `autoscaleInterval`: time between two decisions of the default law, default 10 seconds.
 * - `desiredConcurrencyRatio`: the share of the desired concurrency that must be in use before the default law raises it,
 *   above 0 and at most 1, default 0.9.
 * - `scaleUpStepRatio`: the share by which the default law raises it, above 0 and at most 1, default 0.05.
 * - `scaleDownStepRatio`: the share by which the default law lowers it, above 0 and at most 1, default 0.05.
 *
 * A wrong value of any of them is an `InvalidOptionsError`; so is `policy` together with one of the last four.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolOptions<A = void, E = never, R = never, B = unknown> = CommonOptions<A, E, R, B> & ScalingOptions

interface CommonOptions<A, E, R, B> {
  readonly concurrencySettings?: Partial<ConcurrencySettings> | undefined
  readonly taskTimeout?: Duration.Input | undefined
  readonly onTaskTimeout?: ((error: TaskTimeoutError, item: A) => Effect.Effect<B, E, R>) | undefined
  readonly loggingInterval?: Duration.Input | null | undefined
  readonly maybeRunInterval?: Duration.Input | undefined
  readonly taskSpan?: string | undefined
}

type ScalingOptions =
  | {
    readonly policy?: undefined
    readonly autoscaleInterval?: Duration.Input | undefined
    readonly desiredConcurrencyRatio?: number | undefined
    readonly scaleUpStepRatio?: number | undefined
    readonly scaleDownStepRatio?: number | undefined
  }
  | {
    readonly policy: ScalingPolicy
    readonly autoscaleInterval?: undefined
    readonly desiredConcurrencyRatio?: undefined
    readonly scaleUpStepRatio?: undefined
    readonly scaleDownStepRatio?: undefined
  }

/**
 * The work of a pool that is told by two checks what there is to do.
 *
 * **Details**
 *
 * - `runTask`: one task.
 * - `isTaskReady`: whether there is one more task now. Asked once per free slot, never while it is pending; a yes is good
 *   for one start.
 * - `isFinished`: whether the run may end. Asked only when no task runs and none is ready.
 *
 * A check that said no is asked again when a task ends, at `notify`, and every `maybeRunInterval`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Work<E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never> {
  readonly runTask: Effect.Effect<unknown, E1, R1>
  readonly isTaskReady: Effect.Effect<boolean, E2, R2>
  readonly isFinished: Effect.Effect<boolean, E3, R3>
}

/**
 * Builds a pool of one task, which is run again and again for as long as a check says that there is one more.
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
  options: Work<E1, R1, E2, R2, E3, R3> & PoolOptions<void, E4, R4>
): Effect.Effect<
  AutoscaledPool<E1 | E2 | E3 | E4 | TaskTimeoutError>,
  InvalidOptionsError,
  SystemStatus | R1 | R2 | R3 | R4
> => {
  const runTask = withTaskSpan(inPool(options.runTask), options.taskSpan)
  const isTaskReady = inPool(options.isTaskReady)
  const isFinished = inPool(options.isFinished)
  return build<void, E1 | E2 | E3 | E4, R1 | R2 | R3 | R4>(options, {
    makeFeed: (host) => new ReadinessFeed(host, runTask, isTaskReady, isFinished),
    onTimeLimit: (error) => afterTimeout(options, error, undefined),
    close: Effect.void
  })
}

/**
 * Builds a pool that works on the items of a source, until the source is done.
 *
 * **Details**
 *
 * Only what can start is pulled. An item whose task is interrupted, because another task failed or the run was aborted,
 * goes back to its source where the source can take it back; the item of a task that failed does not.
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
export const fromSource = <A, E1, R1, E2, R2, E3 = never, R3 = never>(
  source: TaskSource.TaskSource<A, E1, R1>,
  handle: (item: A) => Effect.Effect<unknown, E2, R2>,
  options: PoolOptions<A, E3, R3> = {}
): Effect.Effect<
  AutoscaledPool<E1 | E2 | E3 | TaskTimeoutError>,
  InvalidOptionsError,
  SystemStatus | R1 | R2 | R3
> => {
  const { taskSpan } = options
  const handler = handle as (item: A) => Effect.Effect<unknown, E2> // the pool runs it as `inPool` says
  const task = taskSpan === undefined ? handler : (item: A) => withTaskSpan(handler(item), taskSpan)
  const direct = directOf(source)
  if (direct === undefined) {
    return build<Lease<A>, E1 | E2 | E3, R1 | R2 | R3>(options, {
      makeFeed: (host) => new LeaseFeed(host, source, task),
      onTimeLimit: (error, { item }) => afterTimeout(options, error, item),
      close: Effect.void
    })
  }
  return build<A, E1 | E2 | E3, R1 | R2 | R3>(options, {
    makeFeed: (host) => new DirectFeed(host, direct, task),
    onTimeLimit: (error, item) => afterTimeout(options, error, item),
    close: direct.close
  })
}

/**
 * Does what `Effect.forEach` does, at the concurrency that the machine can bear.
 *
 * **Details**
 *
 * Results come in the order of the items; `discard: true` keeps none. Items are asked for one at a time, as they can
 * start. The first failure interrupts the other tasks and is the failure of the whole. What `onTaskTimeout` succeeds with
 * stands in for the result.
 *
 * **Example** (Mapping over items)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const program = AutoscaledPool.forEach([1, 2, 3], (n, index) => Effect.succeed(n * 10 + index))
 *
 * await Effect.runPromise(Effect.provide(program, SystemStatus.layerTest)) // => [10, 21, 32]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function forEach<A, B, E, R, E2 = never, R2 = never>(
  items: Iterable<A>,
  f: (item: A, index: number) => Effect.Effect<B, E, R>,
  options?: PoolOptions<A, E2, R2, B> & { readonly discard?: false | undefined }
): Effect.Effect<Array<B>, E | E2 | TaskTimeoutError | InvalidOptionsError, SystemStatus | R | R2>
export function forEach<A, B, E, R, E2 = never, R2 = never>(
  items: Iterable<A>,
  f: (item: A, index: number) => Effect.Effect<B, E, R>,
  options: PoolOptions<A, E2, R2> & { readonly discard: true }
): Effect.Effect<void, E | E2 | TaskTimeoutError | InvalidOptionsError, SystemStatus | R | R2>
export function forEach<A, B, E, R, E2 = never, R2 = never>(
  items: Iterable<A>,
  f: (item: A, index: number) => Effect.Effect<B, E, R>,
  options: PoolOptions<A, E2, R2, B> & { readonly discard?: boolean | undefined } = {}
): Effect.Effect<Array<B> | void, E | E2 | TaskTimeoutError | InvalidOptionsError, SystemStatus | R | R2> {
  return Effect.suspend(() => {
    const results: Array<B> = []
    const keep = options.discard === true
      ? <E, R>(task: Effect.Effect<B, E, R>) => task
      : <E, R>(task: Effect.Effect<B, E, R>, index: number) =>
        Effect.map(task, (result) => void (results[index] = result))
    const { onTaskTimeout } = options
    const pool = fromSource(
      TaskSource.fromIterable(enumerate(items)),
      ({ index, item }) => keep(f(item, index), index),
      {
        ...options,
        onTaskTimeout: onTaskTimeout && ((error, { index, item }) => keep(onTaskTimeout(error, item), index))
      } as PoolOptions<Enumerated<A>, E2, R2> // spreading a union of options loses which of its members it is
    )
    return Effect.map(
      Effect.flatMap(pool, (pool) => neverTwice(pool.run)),
      () => options.discard === true ? undefined : results
    )
  })
}

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
 * The options are those of {@link make}, or an effect of them where they need services to be made.
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
export const Service = <Self>() =>
<
  const Key extends string,
  E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never, E4 = never, R4 = never,
  EX = never, RX = never
>(
  key: Key,
  options:
    | (Work<E1, R1, E2, R2, E3, R3> & PoolOptions<void, E4, R4>)
    | Effect.Effect<Work<E1, R1, E2, R2, E3, R3> & PoolOptions<void, E4, R4>, EX, RX>
): ServiceClass<
  Self,
  Key,
  E1 | E2 | E3 | E4 | TaskTimeoutError,
  InvalidOptionsError | EX,
  SystemStatus | R1 | R2 | R3 | R4 | RX
> => {
  const tag = Context.Service<Self, AutoscaledPool<E1 | E2 | E3 | E4 | TaskTimeoutError>>()(key)
  const pool = Effect.isEffect(options) ? Effect.flatMap(options, make) : make(options)
  return Object.assign(tag, { layer: Layer.effect(tag, pool) })
}

/** A pool, built from its options and its work in the context that is in force. */
const build = Effect.fnUntraced(function*<A, E, R>(
  options: PoolOptions<never, unknown, unknown>,
  work: {
    readonly makeFeed: PoolWork<A>["makeFeed"]
    readonly onTimeLimit: (error: TaskTimeoutError, item: A) => Effect.Effect<unknown, unknown>
    readonly close: Effect.Effect<void>
  }
): Effect.fn.Return<AutoscaledPool<E | TaskTimeoutError>, InvalidOptionsError, SystemStatus | R> {
  const plan = yield* poolOptions.read(options)
  const governor = yield* Governor.make({ settings: plan.settings, policy: plan.policy })
  const context = yield* Effect.context<R>()
  const published = yield* PubSub.sliding<PoolEvent>(256)
  const onTimeLimit = (item: A) => work.onTimeLimit(new TaskTimeoutError({ limit: plan.taskTimeout }), item)
  return new Pool<A, E | TaskTimeoutError>(plan, { ...work, onTimeLimit }, governor, context, published)
})

/** The pool runs an effect in the context of where it was built, which has whatever the effect requires. */
const inPool = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E> => effect as Effect.Effect<A, E>

const withTaskSpan = <A, E>(task: Effect.Effect<A, E>, name: string | undefined): Effect.Effect<A, E> =>
  name === undefined ? task : Effect.withSpan(task, name, { captureStackTrace: false })

const afterTimeout = <A, E, R>(
  { onTaskTimeout }: PoolOptions<A, E, R>,
  error: TaskTimeoutError,
  item: A
): Effect.Effect<unknown, unknown> =>
  onTaskTimeout === undefined ? Effect.fail(error) : inPool(onTaskTimeout(error, item))

/** A pool that nobody else holds cannot be running already. */
const neverTwice = <A, E>(run: Effect.Effect<A, E | AlreadyRunningError>): Effect.Effect<A, E> =>
  run as Effect.Effect<A, E>

interface Enumerated<A> {
  readonly item: A
  readonly index: number
}

const enumerate = <A>(items: Iterable<A>): Iterable<Enumerated<A>> => ({
  [Symbol.iterator]: () => {
    const iterator = items[Symbol.iterator]()
    let index = 0
    return {
      next: () => {
        const next = iterator.next()
        return next.done === true ? next : { done: false, value: { item: next.value, index: index++ } }
      }
    }
  }
})
