/**
 * What a pool tells of itself: what it is doing, why nothing starts, and what a run did.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { DecisionRecord } from "./ScalingPolicy.ts"
import type { SystemInfo } from "./SystemStatus.ts"

/**
 * Tasks that were interrupted, by a timeout or the end of their run, and still run their finalizers.
 *
 * **Details**
 *
 * - `tasks`: how many.
 * - `oldest`: the longest time since one of them was interrupted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Finalizing {
  readonly tasks: number
  readonly oldest: Duration.Duration
}

/**
 * Tasks that failed and wait for the time of their next try, without a slot.
 *
 * **Details**
 *
 * - `tasks`: how many.
 * - `next`: the epoch milliseconds at which the first of them is due.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delayed {
  readonly tasks: number
  readonly next: number
}

/**
 * Why nothing starts at the moment.
 *
 * **Details**
 *
 * - `AtDesired`: as many tasks are in flight as are desired; under a shared governor, or it is another consumer's turn.
 * - `AtOwnMaximum`: under a shared governor, as many of the pool's tasks are in flight as its own `maxConcurrency` allows.
 * - `HeldForHeavier`: free permits are kept for a task that takes several and is next.
 * - `KeysFull`: the items that are at hand wait for their keys, so many `tasks` of them for this `key`. Where its rate, or what
 *   its service has said, keeps that key closed, `until` are the epoch milliseconds at which it opens.
 * - `Overloaded`: these signals are overloaded, and `minConcurrency` tasks are running.
 * - `StartAllowanceSpent`: the policy allows no more starts before its next decision.
 * - `RateLimited`: `maxTasksPerMinute` has no token.
 * - `Paused`: until `resume`, or `until` these epoch milliseconds where only `pauseFor` holds the pool.
 * - `NoTaskReady`: there is nothing to start.
 * - `Delayed`: all that is ready waits for its next try, see the option `retry`.
 * - `SharedRateLimited`: the rate that is shared with other pools has no token, see the option `rateLimit`.
 * - `Finalizing`: all tasks in flight were interrupted, and the pool waits for their finalizers. Where `tasks` is 0, it waits
 *   for a source or a check that was interrupted and has not ended.
 * - `Draining`: `drain` was called, and the tasks in flight have not ended; where there are none, as for `Finalizing`.
 *
 * @category models
 * @since 0.1.0
 */
export type Blocker =
  | { readonly _tag: "AtDesired" | "AtOwnMaximum" | "HeldForHeavier" }
  | { readonly _tag: "KeysFull"; readonly key: string; readonly tasks: number; readonly until?: number }
  | {
    readonly _tag: "StartAllowanceSpent" | "RateLimited" | "SharedRateLimited" | "NoTaskReady" | "Draining"
  }
  | { readonly _tag: "Overloaded"; readonly signals: ReadonlyArray<string> }
  | { readonly _tag: "Paused"; readonly until?: number }
  | ({ readonly _tag: "Delayed" } & Delayed)
  | ({ readonly _tag: "Finalizing" } & Finalizing)

/**
 * What the pool is doing.
 *
 * **Details**
 *
 * - `phase`: `"Idle"` between runs, `"Running"`, `"Draining"` while running tasks may still end, or `"Ending"` while
 *   interrupted tasks run their finalizers.
 * - `isPaused`: whether `pause` holds back new tasks.
 * - `pausedUntil`: the epoch milliseconds until which `pauseFor` does, if it does.
 * - `currentConcurrency`, `desiredConcurrency`: tasks in flight, and how many there should be.
 * - `blocker`: why nothing starts; `undefined` while tasks start, and between runs.
 * - `started`, `succeeded`, `failed`, `timedOut`, `rejected`, `retried`, `abandoned`: tasks of
 *   this run, as in a {@link RunReport}.
 * - `delayed`: the tasks that wait for the time of their next try, if there are any.
 * - `finalizing`: the interrupted tasks that run their finalizers, if there are any.
 * - `system`: the verdict of the `SystemStatus` that is in force.
 * - `lastDecision`: what the policy decided last, why, and what it rested on.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolState {
  readonly phase: "Idle" | "Running" | "Draining" | "Ending"
  readonly isPaused: boolean
  readonly pausedUntil: number | undefined
  readonly currentConcurrency: number
  readonly desiredConcurrency: number
  readonly blocker: Blocker | undefined
  readonly started: number
  readonly succeeded: number
  readonly failed: number
  readonly timedOut: number
  readonly rejected: number
  readonly retried: number
  readonly abandoned: number
  readonly delayed: Delayed | undefined
  readonly finalizing: Finalizing | undefined
  readonly system: SystemInfo
  readonly lastDecision: DecisionRecord | undefined
}

/**
 * What a run did.
 *
 * **Details**
 *
 * - `outcome`: `"Finished"` where nothing was left to do, `"Drained"` where `drain` ended it, `"Aborted"` where `abort` did.
 * - `started`, `succeeded`, `timedOut`, `interrupted`: tasks; `timedOut` are those that `onTaskTimeout` absorbed.
 * - `failed`: tasks that failed without ending the run, because they are tried again or their failures are their source's
 *   affair.
 * - `abandoned`: tasks whose finalizers took longer than `finalizerTimeout`; none of them counts as anything else.
 * - `rejected`: tasks that reported a rate-limit answer, whatever became of them.
 * - `retried`: of those that started, the ones that had been tried before: each try of a task starts and ends once.
 * - `duration`: of the run.
 * - `meanConcurrency`, `peakConcurrency`: tasks in flight, time-weighted, and at most.
 * - `blockedShare`: the share of the run's time, 0 to 1, in which nothing started, by reason; a reason that never held
 *   is left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunReport {
  readonly outcome: "Finished" | "Drained" | "Aborted"
  readonly started: number
  readonly succeeded: number
  readonly failed: number
  readonly timedOut: number
  readonly interrupted: number
  readonly abandoned: number
  readonly rejected: number
  readonly retried: number
  readonly duration: Duration.Duration
  readonly meanConcurrency: number
  readonly peakConcurrency: number
  readonly blockedShare: { readonly [Reason in Blocker["_tag"]]?: number }
}
