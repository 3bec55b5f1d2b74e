/**
 * Measuring the level in force, as the stages that search do.
 */
import { add, begin, finish, type Measurement, type Plan, type Reading } from "../model/reading.ts"
import { tolerance } from "../tuning.ts"
import type { Verdict } from "../verdict.ts"
import type { View } from "../view.ts"
import type { Descending, SlowStart, Steady } from "./phases.ts"

/** What the stage makes of a reading, and what it says as long as there is none. */
interface Measuring {
  readonly plan: Plan
  readonly why: string
  readonly judge: (reading: Reading) => Verdict
}

/** A level settles before it is measured: first what runs above it ends. Once the measurement says enough, the stage judges. */
export const measure = (
  phase: SlowStart | Descending | Steady,
  level: number,
  { elapsed, observation, settled }: View,
  { judge, plan, why }: Measuring
): Verdict => {
  const goOn = (measurement: Measurement | null): Verdict => ({
    phase: { ...phase, measurement },
    level,
    measurement: "keep",
    why
  })
  if (phase.measurement === null) {
    const isReached = observation.current <= (1 + tolerance.near) * level + 1
    return isReached ? goOn(settled < plan.settle ? null : begin) : { phase, level, measurement: "void", why }
  }
  const measurement = add(phase.measurement, observation, elapsed)
  const reading = finish(measurement, plan)
  return reading === undefined ? goOn(measurement) : judge(reading)
}
