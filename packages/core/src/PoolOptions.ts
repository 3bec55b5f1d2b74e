/**
 * What a pool is built from: its work and its options.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { RateLimiter } from "effect/persistence/RateLimiter"
import type * as Schedule from "effect/Schedule"
import type { ConcurrencyGovernor } from "./ConcurrencyGovernor.ts"
import type { ConcurrencySettings } from "./ConcurrencySettings.ts"
import type { KeyedLimits } from "./KeyedLimits.ts"
import type { TaskTimeoutError } from "./PoolError.ts"
import type { ScalingPolicy } from "./ScalingPolicy.ts"

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
 * A check that said no is asked again when a task ends, at `notify`, and every `maybeRunInterval`. There are no items that a
 * key could be told of: the option `keys` is an `InvalidOptionsError`.
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
 * Options that every pool has. `A` is what a task works on, `void` for `AutoscaledPool.make`.
 *
 * **Details**
 *
 * - `name`: what logs, metrics and views call the pool, default `"pool"`.
 * - `concurrencySettings`: see `ConcurrencySettings`; each field has a default of its own.
 * - `taskTimeout`: how long a task may take, longer than 0, default no limit. A task that takes longer is interrupted and
 *   fails the run with a {@link TaskTimeoutError}. Interruption reaches a promise only through the `AbortSignal` that
 *   `Effect.promise` and `Effect.tryPromise` pass to their function: a promise that ignores the signal goes on unseen.
 * - `onTaskTimeout`: what becomes of such a task instead. If it succeeds the run goes on; if it fails the run does.
 * - `finalizerTimeout`: how long the finalizers of an interrupted task may take, longer than 0, default no limit. Where they
 *   take longer the pool gives up the slot and goes on, the task counts as abandoned, and its fiber is left to itself.
 * - `retry`: which failures of a task are tried again, and when, default none. See {@link RetryOptions}.
 * - `rateLimit`: a rate of starts that several machines share, default none. See {@link RateLimitOptions}.
 * - `loggingInterval`: time between two log lines on where the pool stands, default 1 minute; there is none where nothing
 *   has changed. `null` for no line at all, not even on the start and the end of a run and what holds it back.
 * - `maybeRunInterval`: time after which a check that said no is asked again, if nothing else makes it worth asking,
 *   default 500 milliseconds.
 * - `weight`: how many permits a task takes of what is desired, an integer of at least 1 or a function of the item, default 1.
 *   A task that takes more than there are runs alone. A function that gives anything else, or throws, ends the run with a
 *   defect; no item is lost.
 * - `keys`: limits per host, tenant or account, default none. See `KeyedLimits`.
 * - `governor`: a budget that the pool shares with others, default one of its own. It has the policy and the desired
 *   concurrency; `concurrencySettings` are then bounds of the pool's own, which are no bounds where they are left out.
 * - `share`: the pool's weight among the consumers of the governor, above 0, default 1.
 * - `taskSpan`: the name of a span around every task, default none; a span costs more than a short task.
 * - `policy`: the control law, default that of Crawlee, `ScalingPolicy.stepRatio`.
 * - `autoscaleInterval`: time between two decisions of the default law, default 10 seconds.
 * - `desiredConcurrencyRatio`: the share of the desired concurrency that must be in use before the default law raises it,
 *   above 0 and at most 1, default 0.9.
 * - `scaleUpStepRatio`: the share by which the default law raises it, above 0 and at most 1, default 0.05.
 * - `scaleDownStepRatio`: the share by which the default law lowers it, above 0 and at most 1, default 0.05.
 *
 * A wrong value of any of them is an `InvalidOptionsError`; so is `policy` together with one of the last four, and
 * `governor` together with those five or with `desiredConcurrency`.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolOptions<A = void, E = never, R = never, B = unknown, TaskError = unknown> =
  & CommonOptions<A, E, R, B, TaskError>
  & ScalingOptions

interface CommonOptions<A, E, R, B, TaskError> {
  readonly name?: string | undefined
  readonly keys?: KeyedLimits<A> | undefined
  readonly weight?: number | ((item: A) => number) | undefined
  readonly taskTimeout?: Duration.Input | undefined
  readonly onTaskTimeout?: ((error: TaskTimeoutError, item: A) => Effect.Effect<B, E, R>) | undefined
  readonly finalizerTimeout?: Duration.Input | undefined
  readonly retry?: RetryOptions<NoInfer<TaskError>, E, R> | undefined
  readonly rateLimit?: RateLimitOptions | undefined
  readonly loggingInterval?: Duration.Input | null | undefined
  readonly maybeRunInterval?: Duration.Input | undefined
  readonly taskSpan?: string | undefined
}

/**
 * Which failures of a task are tried again, and when: the options of `Effect.retry`.
 *
 * **Details**
 *
 * - `schedule`: the pauses between tries, default none; where it ends there is no other try.
 * - `times`: how often a task is tried again at most, default no limit.
 * - `while`: says of an error whether it is worth another try, default of every one.
 * - `until`: says of an error whether it is the last that is tried, default of none.
 *
 * Between tries a task has no slot: others run meanwhile, and up to 1,000 tasks wait. A pause is at least as long as the
 * one that the task has reported with `ClientErrors`. What is retried are typed failures: a `TaskTimeoutError` is one, as
 * `taskTimeout` is the time of one try, and so is what `onTaskTimeout` fails with. The last failure is the task's. Tasks
 * that wait when the run is aborted, drained or interrupted go back to their source.
 *
 * **When to use**
 *
 * Use `Effect.retry` inside the task for quick retries of one step of it; the task keeps its slot meanwhile.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryOptions<in Error, out E = never, out R = never> {
  readonly schedule?: Schedule.Schedule<unknown, Error, E, R> | undefined
  readonly times?: number | undefined
  readonly while?: ((error: Error) => boolean | Effect.Effect<boolean, E, R>) | undefined
  readonly until?: ((error: Error) => boolean | Effect.Effect<boolean, E, R>) | undefined
}

/**
 * A rate of starts that is shared with other pools, of this process or of other machines, through a `RateLimiter` of
 * `effect/persistence`.
 *
 * **Details**
 *
 * - `limiter`: the limiter. Over `RateLimiter.layerStoreRedis` it counts for all machines, over `layerStoreMemory` for the
 *   pools of this process. Required.
 * - `key`: the name of what is limited; whoever uses the same key shares the rate. Required.
 * - `limit`, `window`: how many tasks may start in how long, in all. A number above 0, and a time longer than 0. Required.
 *
 * Tokens flow evenly, and as many as `limit` may be saved up. A task that waits for one holds no slot, and each pool
 * reserves one ahead at most, which is lost where its run ends meanwhile. While the limiter's store is away nothing starts,
 * with one warning. Redis reckons with the clocks of the machines, which must agree. A further try of a failed task
 * (`retry`) takes a token too.
 *
 * **When to use**
 *
 * Use `maxTasksPerMinute` for a rate of this pool alone, and `rate` of `KeyedLimits` for one per host or tenant.
 *
 * **Example** (Ten starts a second, in all)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus } from "@autoscaled-pool/core"
 * import { Effect, Layer } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* RateLimiter.RateLimiter
 *   return yield* AutoscaledPool.forEach([1, 2, 3], (page) => Effect.succeed(page * 10), {
 *     rateLimit: { limiter, key: "api.example", limit: 10, window: "1 second" }
 *   })
 * })
 *
 * // For all machines: Layer.provide(RateLimiter.layerStoreRedis(), NodeRedis.layer({ url })), of @effect/platform-node.
 * const limiter = Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory)
 * await Effect.runPromise(Effect.provide(program, [limiter, SystemStatus.layerTest])) // => [10, 20, 30]
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimitOptions {
  readonly limiter: RateLimiter
  readonly key: string
  readonly limit: number
  readonly window: Duration.Input
}

type ScalingOptions =
  | (PrivateBudget & {
    readonly policy?: undefined
    readonly autoscaleInterval?: Duration.Input | undefined
    readonly desiredConcurrencyRatio?: number | undefined
    readonly scaleUpStepRatio?: number | undefined
    readonly scaleDownStepRatio?: number | undefined
  })
  | (PrivateBudget & NoDefaultPolicy & { readonly policy: ScalingPolicy })
  | (NoDefaultPolicy & {
    readonly governor: ConcurrencyGovernor
    readonly share?: number | undefined
    readonly concurrencySettings?:
      | Partial<Omit<ConcurrencySettings, "desiredConcurrency">> & { readonly desiredConcurrency?: never }
      | undefined
    readonly policy?: undefined
  })

interface PrivateBudget {
  readonly governor?: undefined
  readonly share?: undefined
  readonly concurrencySettings?: Partial<ConcurrencySettings> | undefined
}

interface NoDefaultPolicy {
  readonly autoscaleInterval?: undefined
  readonly desiredConcurrencyRatio?: undefined
  readonly scaleUpStepRatio?: undefined
  readonly scaleDownStepRatio?: undefined
}
