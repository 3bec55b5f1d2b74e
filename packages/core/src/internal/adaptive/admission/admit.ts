/**
 * The decision: how many may run, how many may start before the next one, and why. `desired` says how many may run; the
 * allowance says how fast they may come.
 */
import type { ScalingDecision } from "../../../ScalingPolicy.ts"
import { losses } from "../limits/limits.ts"
import { loadsOf } from "../limits/memory.ts"
import { coolingSlots } from "../model/losses.ts"
import { withoutGarbage } from "../model/memory.ts"
import { memoryOf } from "../model/model.ts"
import { labels, reasons } from "../reasons.ts"
import type { Verdict } from "../stages/phases.ts"
import type { Parameters } from "../state.ts"
import { tolerance } from "../tuning.ts"
import type { View } from "../view.ts"
import { peak } from "./foresight.ts"
import { memoryBound } from "./memory.ts"

export const admit = (parameters: Parameters, view: View, verdict: Verdict, desired: number): ScalingDecision => {
  const { limits, lowest: bound, model, observation: { current, currentInfo: { signals } } } = view
  const expected = expectedCompletions(model.tasks.duration, desired, parameters.every)
  const fits = startsByMemory(parameters, view, desired, expected)
  const allowance = Math.min(fits, paceBound(desired, current, coolingSlots(model.losses), expected))
  const isHeldByMemory = fits < desired - current
  const binds = bound.concurrency < (1 + tolerance.same) * verdict.level
  const isBackedOff = binds && bound.name === losses
  const why = isBackedOff ? reasons.losses : verdict.why
  const binding = binds && bound.name in signals ? bound.name : undefined
  return {
    desired,
    startAllowance: allowance,
    reason: {
      summary: isHeldByMemory ? `${why}; ${reasons.memory}` : why,
      phase: labels[isBackedOff ? "BackingOff" : verdict.phase._tag],
      bindingSignal: isHeldByMemory ? "memory" : binding,
      ceilings: limits
    }
  }
}

/** Completions to expect until the next decision, if as many run as are desired. */
export const expectedCompletions = (duration: number, desired: number, every: number): number =>
  duration > 0 ? desired * every / Math.max(duration, 1) : 0

/**
 * While slots of rejected tasks cool down, the other free ones, and as many as completions will free: a service that
 * refuses at once must not be asked again as fast as it refuses.
 */
export const paceBound = (desired: number, current: number, cooling: number, expected: number): number =>
  cooling > 0 ? Math.max(0, desired - current - cooling) + Math.ceil(expected) : Infinity

/** Starts that memory bears, beside those in the place of tasks that are expected to end. */
const startsByMemory = (
  { memoryHeadroom }: Parameters,
  { model, observation: { current, currentInfo, inFlightAges } }: View,
  desired: number,
  expected: number
): number => {
  const reported = currentInfo.signals["memory"]
  if (reported === undefined || reported.isStale) return Infinity
  const memory = memoryOf(model, reported)
  const signal = withoutGarbage(memory, reported, inFlightAges)
  const loads = loadsOf(signal.target, memoryHeadroom)
  const leadsTo = peak(memory, signal, inFlightAges, model.tasks)
  return memoryBound({ ...loads, model: memory, signal, peak: leadsTo }, current, desired, expected)
}
