/**
 * What a pool tells of itself: what it is doing, why nothing starts, and what a run did.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { DecisionRecord } from "./ScalingPolicy.ts"
import type { SystemInfo } from "./SystemStatus.ts"

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
 * - `started`, `succeeded`, `failed`, `timedOut`, `rejected`, `retried`: tasks of this run, as in a {@link RunReport}.
 * - `system`: the verdict of the `SystemStatus` that is in force.
 * - `lastDecision`: what the policy decided last, why, and what it rested on.
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
  readonly failed: number
  readonly timedOut: number
  readonly rejected: number
  readonly retried: number
  readonly system: SystemInfo
  readonly lastDecision: DecisionRecord | undefined
}

/**
 * What a run did.
 *
 * **Details**
 *
 * - `outcome`: `"Finished"` where nothing was left to do, `"Aborted"` where `abort` ended it.
 * - `started`, `succeeded`, `timedOut`, `interrupted`: tasks; `timedOut` are those that `onTaskTimeout` absorbed.
 * - `failed`: tasks that failed without ending the run, because their failures are their source's affair.
 * - `rejected`: tasks that reported a rate-limit answer, whatever became of them.
 * - `retried`: of those that started, the ones whose item had been tried before.
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
  readonly failed: number
  readonly timedOut: number
  readonly interrupted: number
  readonly rejected: number
  readonly retried: number
  readonly duration: Duration.Duration
  readonly meanConcurrency: number
  readonly peakConcurrency: number
  readonly blockedShare: { readonly [Reason in Blocker["_tag"]]?: number }
}
