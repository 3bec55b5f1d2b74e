/**
 * What a pool is to its caller: its interface, its options, and what it tells of itself.
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { GovernorEvent } from "../../ConcurrencyGovernor.ts"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { SystemInfo } from "../../SystemStatus.ts"
import type { ScalingDecision, ScalingPolicy } from "../policies/scalingModel.ts"
import type { AlreadyRunningError, TaskTimeoutError } from "./poolErrors.ts"

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
  | GovernorEvent

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
 * - `policy`: the control law, default that of Crawlee, `ScalingPolicy.stepRatio`.
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
