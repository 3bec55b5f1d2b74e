/**
 * What there is to see of a run while it goes on, and what came of it.
 */
import type { ScalingDecision } from "@autoscaled-pool/core/ScalingPolicy"
import type { Workload } from "../Workload.ts"

/**
 * What there was to see at one moment; one every half a second.
 *
 * **Details**
 *
 * - `at`: milliseconds since the beginning.
 * - `inFlight`, `desired`: of the pool; 0 while its process is down.
 * - `waiting`: tasks that have arrived and not started.
 * - `succeeded`: tasks that had succeeded until then.
 * - `memory`: use of the memory limit, as it was and not as a sensor said.
 * - `loads`: what each signal said last, by name.
 *
 * @category models
 * @since 0.1.0
 */
export interface TracePoint {
  readonly at: number
  readonly inFlight: number
  readonly desired: number
  readonly waiting: number
  readonly succeeded: number
  readonly memory: number
  readonly loads: Readonly<Record<string, number>>
}

/**
 * One decision of the policy.
 *
 * **Details**
 *
 * - `at`: milliseconds since the beginning.
 * - `desired`, `current`: the concurrency that was desired and in flight when it was asked.
 * - `decision`: its answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface DecisionPoint {
  readonly at: number
  readonly desired: number
  readonly current: number
  readonly decision: ScalingDecision
}

/**
 * What came of a run.
 *
 * **Details**
 *
 * - `workload`, `policy`, `seed`: what ran; the policy by its name.
 * - `trace`: every half a second.
 * - `decisions`: all of them.
 * - `succeeded`: the moment of each success, in milliseconds.
 * - `meanDuration`: milliseconds that a task which succeeded took.
 * - `rejected`, `timedOut`, `killed`: tasks that the service refused, that it answered too late, that were running when
 *   memory ran out.
 * - `lost`: all three together.
 * - `unfinished`: tasks that were running at the end.
 * - `kills`: the moments at which memory ran out; ten seconds later a new process begins cold.
 * - `peakMemory`: the most that was in use, as a share of the limit.
 * - `waits`: milliseconds that each task waited between its arrival and its start; empty where there is always a task.
 *
 * @category models
 * @since 0.1.0
 */
export interface SimulationResult {
  readonly workload: Workload
  readonly policy: string
  readonly seed: number
  readonly trace: ReadonlyArray<TracePoint>
  readonly decisions: ReadonlyArray<DecisionPoint>
  readonly succeeded: ReadonlyArray<number>
  readonly meanDuration: number
  readonly rejected: number
  readonly timedOut: number
  readonly killed: number
  readonly lost: number
  readonly unfinished: number
  readonly kills: ReadonlyArray<number>
  readonly peakMemory: number
  readonly waits: ReadonlyArray<number>
}
