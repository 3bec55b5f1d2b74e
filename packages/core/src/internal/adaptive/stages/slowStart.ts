/**
 * Slow start: doubles until duration grows as fast as concurrency does, which means that throughput no longer does
 * (Little's law: concurrency = throughput x duration), and lands on the bandwidth-delay product.
 */
import { isCongested, landing, lowerThan, type Reading } from "../model/reading.ts"
import { reasons } from "../reasons.ts"
import { slowStart as tuning } from "../tuning.ts"
import type { View } from "../view.ts"
import { measure, planOfGrowth } from "./measure.ts"
import { descendFrom, grow, settle } from "./moves.ts"
import { type SlowStart, slowStart, type Verdict } from "./phases.ts"

export const step = (phase: SlowStart, level: number, view: View): Verdict =>
  measure(phase, level, view, {
    plan: planOfGrowth(view, phase.readings.length === 0),
    why: reasons.doubling,
    judge: (reading) => judge({ ...phase, measurement: null }, reading, level, view)
  })

const judge = (phase: SlowStart, reading: Reading, level: number, view: View): Verdict => {
  const { doubted, readings } = phase
  const lower = lowerThan(reading, readings)
  if (!isCongested(lower, reading, view.variation)) return grow(slowStart([...readings, reading]), level, view)
  // What blocks the event loop at a new level may be over soon: the level is measured again before that counts.
  if (view.isShaken && doubted < tuning.mostDoubted) {
    return { phase: { ...phase, doubted: doubted + 1 }, level, measurement: "keep", why: reasons.doubted }
  }
  // Where the first doubling was one too many already, the optimum may lie anywhere below.
  return lower.length > 1
    ? settle(landing(lower, reading), view)
    : descendFrom(lower[0], view, reading)
}
