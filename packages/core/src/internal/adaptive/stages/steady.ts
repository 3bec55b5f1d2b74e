/**
 * The steady state: now and then the limit is tried a little above and a little below its center, and the center moves
 * where the elasticity of duration says so. It moves on evidence only.
 */
import { type Fit, fit, remember, residual, sampleOf } from "../model/elasticity.ts"
import type { Reading } from "../model/reading.ts"
import { approach, clamp } from "../numbers.ts"
import { reasons } from "../reasons.ts"
import { elasticity as fitting, steady as tuning, tolerance, wait, waits } from "../tuning.ts"
import type { View } from "../view.ts"
import { measure, planOfProbe } from "./measure.ts"
import { descendFrom, growAnew, longestHold, prove } from "./moves.ts"
import type { Steady, Verdict } from "./phases.ts"

export const step = (before: Steady, level: number, view: View): Verdict => {
  const phase = follow(before, view)
  const at = phase.center === before.center ? level : phase.center
  return measure(phase, at, view, {
    plan: planOfProbe(view),
    why: whyOf(phase),
    judge: (reading) => judge({ ...phase, measurement: null }, reading, view)
  })
}

const whyOf = ({ center, position }: Steady): string => reasons[position](center)

/** While it is only a limit that stands in the way, the center rises with it. Far more room is to be explored instead. */
const follow = (phase: Steady, { elapsed, lowest, time }: View): Steady => {
  const { center, isHeld, position } = phase
  const most = lowest.concurrency
  if (!isHeld || position !== "Center" || most <= (1 + tolerance.same) * center) return phase
  if (most > tuning.muchMore * center) return { ...phase, isHeld: false }
  const rise = (most - center) * approach(elapsed, wait(waits.followLimit, time))
  return { ...phase, center: center + Math.min(rise, tuning.mostRise * center) }
}

/** Two readings in a row that were not foretold tell that tasks, or what they ask, have changed. */
const judge = (phase: Steady, reading: Reading, view: View): Verdict => {
  const { center, isSurprised, position } = phase
  const surprise = surpriseOf(phase, reading, view)
  if (isSurprised && surprise > 0) return descendFrom(reading, view)
  if (isSurprised && surprise < 0) return growAnew(center)
  // Samples of the center alone tell no slope, so that they push out less of what does.
  const keeping = position === "Center" ? fitting.keeping : fitting.keepingOfProbe
  const samples = remember(phase.samples, sampleOf(reading), keeping)
  const next = proceed({ ...phase, isSurprised: surprise !== 0, samples }, view)
  return { phase: next, level: levelOf(next, reading, view), measurement: "anew", why: whyOf(next) }
}

/** How far a reading is off what was foretold, 0 if that is within what variation explains. */
const surpriseOf = ({ center, samples }: Steady, reading: Reading, { variation }: View): number => {
  const error = samples.length < 2 ? 0 : residual(fit(samples, center, variation), sampleOf(reading))
  const explained = tuning.surpriseErrors * variation / Math.sqrt(reading.count)
  return Math.abs(error) > Math.max(tuning.surprise, explained) ? error : 0
}

/** The center is measured, then above it, then below it; all three tell which way it moves. */
const proceed = (phase: Steady, view: View): Steady => {
  const { center, hold, position } = phase
  if (position === "Center") return hold > 0 ? { ...phase, hold: hold - 1 } : { ...phase, position: "Above" }
  if (position === "Above") return { ...phase, position: "Below" }
  const slope = fit(phase.samples, center, view.variation)
  if (hasRoom(slope)) return raise(phase, view)
  return isCongested(slope) ? lower(phase, view) : rest(phase, view)
}

const levelOf = ({ center, position }: Steady, reading: Reading, { least, lowest, variation }: View): number => {
  const count = Math.max(tuning.fewestCounted, reading.count)
  const distance = tuning.distanceErrors * variation / Math.sqrt(count)
  const factor = 1 + clamp(distance, tuning.leastDistance, tuning.mostDistance)
  if (position === "Above") return Math.min(lowest.concurrency, Math.max(center + 1, center * factor))
  return position === "Below" ? Math.max(least, Math.min(center - 1, center / factor)) : center
}

/** More gains throughput, as far as the readings tell. */
const hasRoom = ({ error, slope }: Fit): boolean => slope + error < tuning.room

/** Fewer lose none. */
const isCongested = ({ error, slope }: Fit): boolean => slope - error > tuning.congested

const moveTo = (phase: Steady, center: number): Steady => ({
  ...phase,
  center,
  position: "Center",
  hold: 0,
  interval: tuning.firstInterval,
  downs: 0,
  isHeld: false
})

/** Up, to a limit at most. */
const raise = (phase: Steady, view: View): Steady => {
  const { center } = phase
  const most = view.lowest.concurrency
  const next = moveTo(phase, Math.min(most, Math.max(center + 1, tuning.more * center)))
  return next.center < (1 - tolerance.same) * most ? next : prove({ ...next, isHeld: true }, view)
}

/** Down, gently at first: the evidence that calls for it is weak, and the move free. */
const lower = (phase: Steady, { least }: View): Steady => {
  const downs = phase.downs + 1
  const factor = tuning.fewer[Math.min(downs, tuning.fewer.length) - 1]
  const center = Math.max(least, Math.min(phase.center - 1, phase.center / factor))
  return { ...moveTo(phase, center), downs }
}

/** Neither: it waits, the longer the more often it has been so. */
const rest = (phase: Steady, { time }: View): Steady => ({
  ...moveTo(phase, phase.center),
  hold: Math.round(phase.interval),
  interval: Math.min(longestHold(time), tuning.longer * phase.interval)
})
