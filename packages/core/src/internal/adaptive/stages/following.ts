/**
 * Following: a resource that tasks use up binds, and its limit is followed both ways: down as soon as running tasks can
 * have shown that it is exceeded (a guard does that), up step by step, and only while use does rise with the tasks. Where
 * it does not, something else binds.
 */
import { approach } from "../numbers.ts"
import { reasons } from "../reasons.ts"
import { following as tuning, tolerance, wait, waits } from "../tuning.ts"
import { usedShare, type View } from "../view.ts"
import { growAnew, hold, settle } from "./moves.ts"
import type { Check, Following, Verdict } from "./phases.ts"

export const step = (phase: Following, level: number, view: View): Verdict => {
  const { elapsed, limits, lowest: { concurrency: most }, time } = view
  // Far more room than tasks use is to be explored, if nothing else stands in the way.
  if ((limits[phase.signal] ?? Infinity) > tuning.muchMore * level) {
    return { ...most > tuning.muchMore * level ? growAnew(level) : settle(level, view), measurement: "void" }
  }
  const check = checked(phase.check, phase.signal, view)
  if (check === undefined) return hold(phase.check?.inFlight ?? level)
  const slackFor = usedShare(view, phase.signal) < tuning.slack ? phase.slackFor + elapsed : 0
  if (slackFor > wait(waits.slack, time)) return hold(level)
  const room = most > (1 + tolerance.same) * level ? most - level : 0
  const rise = room * approach(elapsed, wait(waits.followUp, time))
  return {
    phase: { ...phase, check, slackFor },
    level: level + rise,
    measurement: "keep",
    why: reasons.following(phase.signal)
  }
}

/** The check to go on from, once there was time for use to answer to a growth worth judging; none, where it did not. */
const checked = (check: Check | null, signal: string, view: View): Check | undefined => {
  const { inFlight = 0, own: use = 0 } = view.model.uses[signal] ?? {}
  const here: Check = { inFlight, use, age: 0 }
  // Fewer tasks, or tasks that use less: what was checked tells nothing of these.
  if (check === null || inFlight < tuning.fewer * check.inFlight || use < tuning.less * check.use) return here
  const age = check.age + view.elapsed
  const growth = inFlight / Math.max(1, check.inFlight) - 1
  if (age <= wait(waits.check, view.time) || growth <= tolerance.near) return { ...check, age }
  return use - check.use < tuning.proportional * growth * check.use ? undefined : here
}
