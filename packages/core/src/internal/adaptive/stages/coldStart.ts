/**
 * Cold start: nothing is known yet. A few tasks are let in, then twice as many, until some have ended.
 */
import { add, begin, byEnded } from "../model/reading.ts"
import { areKnown } from "../model/tasks.ts"
import { clamp } from "../numbers.ts"
import { reasons } from "../reasons.ts"
import { coldStart as tuning, tolerance, wait, waits } from "../tuning.ts"
import type { View } from "../view.ts"
import { grow } from "./moves.ts"
import { type ColdStart, slowStart, type Verdict } from "./phases.ts"

export const step = (phase: ColdStart, level: number, view: View): Verdict => {
  const { model, observation, settled, time, lowest } = view
  const most = Math.min(clamp(observation.settings.desiredConcurrency, tuning.least, tuning.most), lowest.concurrency)
  if (level >= (1 - tolerance.same) * most) return judge(phase, level, view)
  const isDue = settled >= wait(waits.coldRaise, areKnown(model.tasks) ? time : 0)
  const next = isDue ? Math.min(tuning.growth * level, most) : level
  return { phase, level: next, measurement: "anew", why: reasons.coldStart }
}

/**
 * Tasks that began together tell all once they have ended. Where others began before them, or some outlast them by far, so
 * that the ones that ended are the short ones, it is to be measured anew.
 */
const judge = (before: ColdStart, level: number, view: View): Verdict => {
  const { elapsed, model: { tasks }, observation } = view
  const measurement = add(before.measurement ?? begin, observation, elapsed)
  const isOfAll = tasks.finished === measurement.count
  const isShort = tasks.finished < level || measurement.elapsed < wait(waits.firstReading, tasks.duration)
  if (!areKnown(tasks) || isOfAll && isShort) {
    return { phase: { ...before, measurement }, level, measurement: "keep", why: reasons.coldStart }
  }
  const doOutlast = Math.max(...observation.inFlightAges) > tuning.outlasting * tasks.duration
  return isOfAll && !doOutlast
    ? grow(slowStart([byEnded(measurement)]), level, view)
    : { phase: slowStart(), level, measurement: "keep", why: reasons.doubling }
}
