/**
 * Runs the real pool, its governor and a scaling policy on a described workload, in virtual time.
 *
 * A run depends on its options alone: the same seed gives the same trace. Fifteen virtual minutes take about a second.
 *
 * @since 0.1.0
 */
import type { ConcurrencySettings } from "@autoscaled-pool/core/ConcurrencySettings"
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import type { ScalingPolicy } from "@autoscaled-pool/core/ScalingPolicy"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { SimulationResult } from "./internal/simulationResult.ts"
import { World } from "./internal/world.ts"
import type { SensorFaults } from "./SensorFaults.ts"
import * as Workload from "./Workload.ts"

export type * from "./internal/simulationResult.ts"

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
 * A task that the service refuses, or answers too late, reports that to `ClientErrors` and ends without success. Invalid
 * settings are an `InvalidOptionsError`; a defect of the policy is a defect of the run.
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
