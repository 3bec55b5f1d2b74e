/**
 * Measuring the level in force, as the stages that search do.
 */
import { add, begin, finish, type Measurement, type Plan, type Reading } from "../model/reading.ts"
import { clamp } from "../numbers.ts"
import { measuring as tuning, tolerance, wait, waits } from "../tuning.ts"
import type { View } from "../view.ts"
import type { Descending, SlowStart, Steady, Verdict } from "./phases.ts"

/**
 * While doubling: differences are large, so short measurements do. What tasks use must have become visible too, for which
 * `hidden` milliseconds pass. Where the event loop is blocked, tasks end together, so that only the whole time of a task
 * tells how many do.
 */
export const planOfGrowth = ({ hidden, isShaken, time, variation }: View, isFirst: boolean): Plan => ({
  settle: Math.max(hidden, wait(isFirst ? waits.wholeSettling : waits.settling, time)),
  least: wait(isShaken ? waits.leastProbe : waits.leastGrowth, time),
  most: wait(waits.mostGrowth, time),
  enough: clamp(tuning.perVariance * variation ** 2, tuning.fewestGrowth, tuning.mostGrowth)
})

/** While comparing levels that differ by a fifth: long enough to replace what runs, and to average out variation. */
export const planOfProbe = ({ turnover, variation }: View): Plan => ({
  settle: wait(waits.wholeSettling, turnover),
  least: wait(waits.leastProbe, turnover),
  most: wait(waits.mostProbe, turnover),
  enough: clamp(tuning.perVarianceOfProbe * variation ** 2, tuning.fewestProbe, tuning.mostProbe)
})

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
