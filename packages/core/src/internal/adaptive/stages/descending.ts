/**
 * Descending: tasks take longer than they did. Far fewer of them tell quickly whether that is congestion.
 */
import { elasticity, isCongested, landing, type Reading } from "../model/reading.ts"
import { reasons } from "../reasons.ts"
import { descending as tuning } from "../tuning.ts"
import type { View } from "../view.ts"
import { measure, planOfProbe } from "./measure.ts"
import { descendFrom, farBelow, growAnew, hold, settle } from "./moves.ts"
import type { Descending, Verdict } from "./phases.ts"

export const step = (phase: Descending, level: number, view: View): Verdict =>
  measure(phase, level, view, {
    plan: planOfProbe(view),
    why: reasons.descending(phase.center),
    judge: (reading) => judge(phase, reading, view)
  })

const judge = (phase: Descending, below: Reading, view: View): Verdict => {
  const { above, center, from, steps } = phase
  if (elasticity(below, from, view.variation).value > tuning.helped) {
    // What was tried may lie far below, where more was served before a collapse.
    const lower = Math.min(farBelow(center, view), below.concurrency)
    return descendFrom(below, view, { above: above ?? from, center: lower, steps: steps + 1 })
  }
  // What was begun upon an unfinished or a mixed reading is not gone on with where nothing confirms it.
  return steps < tuning.steps ? goBack(phase, below, view) : hold(center)
}

/** Fewer did not help. What was tried above may have seemed too much by chance; if not, there is no need to try it again. */
const goBack = ({ above, center, from }: Descending, below: Reading, view: View): Verdict => {
  if (above === null) return growAnew(center, [below])
  const known = [below, from]
  return isCongested(known, above, view.variation)
    ? settle(landing(known, above), view)
    : growAnew(above.concurrency, known)
}
