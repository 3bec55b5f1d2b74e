/**
 * Cold start: nothing is known yet. A few tasks are let in, then twice as many. How long they take is measured once all that
 * may run while nothing is known do.
 */
import { areKnown } from "../model/tasks.ts"
import { clamp } from "../numbers.ts"
import { reasons } from "../reasons.ts"
import { coldStart as tuning, tolerance, wait, waits } from "../tuning.ts"
import type { View } from "../view.ts"
import { type ColdStart, slowStart, type Verdict } from "./phases.ts"

export const step = (phase: ColdStart, level: number, view: View): Verdict => {
  const { lowest, model, observation: { settings }, settled, time } = view
  const most = Math.min(clamp(settings.desiredConcurrency, tuning.least, tuning.most), lowest.concurrency)
  if (level >= (1 - tolerance.same) * most) {
    return { phase: slowStart(), level, measurement: "anew", why: reasons.coldStart }
  }
  const isDue = settled >= wait(waits.coldRaise, areKnown(model.tasks) ? time : 0)
  const next = isDue ? Math.min(tuning.growth * level, most) : level
  return { phase, level: next, measurement: "anew", why: reasons.coldStart }
}
