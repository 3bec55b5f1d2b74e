/**
 * Descending: far less gets done than before, or tasks take longer. Far fewer of them tell quickly whether that is
 * congestion.
 */
import { elasticity, isCongested, landing, type Reading } from "../model/reading.ts"
import { reasons } from "../reasons.ts"
import { descending as tuning } from "../tuning.ts"
import type { View } from "../view.ts"
import { measure, planOfProbe } from "./measure.ts"
import { descendFrom, growAnew, settle } from "./moves.ts"
import type { Descending, Verdict } from "./phases.ts"

export const step = (phase: Descending, level: number, view: View): Verdict =>
  measure(phase, level, view, {
    plan: planOfProbe(view),
    why: reasons.descending(phase.from.concurrency),
    judge: (reading) => judge(phase, reading, view)
  })

/** As long as fewer help, still fewer are tried. */
const judge = ({ above, from }: Descending, below: Reading, view: View): Verdict => {
  if (elasticity(below, from, view.variation).value > tuning.helped) return descendFrom(below, view, from)
  // What was tried above may have seemed too much by chance; if not, there is no need to try it again.
  const known = [below, from]
  if (above === null) return growAnew(from.concurrency, [below])
  return isCongested(known, above, view.variation)
    ? settle(landing(known, above), view)
    : growAnew(above.concurrency, known)
}
