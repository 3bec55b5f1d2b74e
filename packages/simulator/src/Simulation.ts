/**
 * Runs the real pool, its governor and a scaling policy on a described workload, in virtual time.
 *
 * A run depends on its options alone: the same seed gives the same trace. Fifteen virtual minutes take about a second.
 *
 * @since 0.1.0
 */
import type { ConcurrencySettings } from "@autoscaled-pool/core/ConcurrencySettings"
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import type { ScalingDecision, ScalingPolicy } from "@autoscaled-pool/core/ScalingPolicy"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { World } from "./internal/world.ts"
import type { SensorFaults } from "./SensorFaults.ts"
import * as Workload from "./Workload.ts"

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
  readonly workload: Workload.Workload
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

/**
 * Runs a policy on a workload.
 *
 * **Details**
 *
 * - `workload`: what to run it on.
 * - `policy`: the law to try.
 * - `settings`: of the pool, default its own defaults.
 * - `seed`: what all random numbers come from, default 1. The tasks of a seed are the same for every policy.
 * - `duration`: default the workload's.
 * - `sensorFaults`: default none but a little noise.
 *
 * A task that the service refuses, or answers too late, reports that to `ClientErrors` and ends without success. Settings
 * that cannot be are an `InvalidOptionsError`; a defect of the policy is a defect of the run.
 *
 * **Example** (Trying a policy before production does)
 *
 * ```ts import.meta.vitest
 * import { ScalingPolicy } from "@autoscaled-pool/core"
 * import { Simulation, Workload } from "@autoscaled-pool/simulator"
 * import { Effect } from "effect"
 *
 * const workload = Workload.make({
 *   name: "thumbnails",
 *   duration: "2 minutes",
 *   phases: [{ cores: 2 }],
 *   task: (random) => ({ stages: [Workload.cpu(random.lognormal(50, 0.5)), Workload.wait(50)], memory: 30 })
 * })
 *
 * const result = await Effect.runPromise(Simulation.run({ workload, policy: ScalingPolicy.stepRatio(), seed: 7 }))
 * result.kills.length // => 0
 * result.succeeded.length > 3000 // => true
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Simulation.run")(function*(options: {
  readonly workload: Workload.Workload
  readonly policy: ScalingPolicy
  readonly settings?: Partial<ConcurrencySettings> | undefined
  readonly seed?: number | undefined
  readonly duration?: Duration.Input | undefined
  readonly sensorFaults?: SensorFaults | undefined
}): Effect.fn.Return<SimulationResult, InvalidOptionsError> {
  const { policy, seed = 1, sensorFaults = {}, settings = {} } = options
  const workload = options.duration === undefined
    ? options.workload
    : Workload.lasting(options.workload, options.duration)
  const { duration } = workload
  const world = new World({ workload, policy, settings, seed, sensorFaults })
  for (let until = 0; until < duration;) {
    until = Math.min(duration, until + sliceMillis)
    yield* world.advanceTo(until)
    yield* Effect.yieldNow
  }
  const result = world.result()
  world.end()
  return result
})

/** How much virtual time passes before others may use the thread. */
const sliceMillis = 10_000
