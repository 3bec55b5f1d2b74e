/**
 * The decision that a state amounts to: how many may run, how many may start until the next one, and why.
 */
import { clamp as clampInto } from "../../ConcurrencySettings.ts"
import type { ScalingDecision } from "../../ScalingPolicy.ts"
import { expectedCompletions, memoryBound, paceBound, replaceable } from "./allowance.ts"
import type { Bound } from "./ceilings.ts"
import { peak } from "./foresight.ts"
import * as losses from "./losses.ts"
import * as memory from "./memory.ts"
import { reasonOf } from "./reason.ts"
import type { Parameters, State } from "./state.ts"
import { binding, memoryAim, memoryHighest, memoryMost, type View } from "./view.ts"

export const describe = (parameters: Parameters, state: State, view: View): ScalingDecision => {
  const { current, currentInfo, desired: previous, settings } = view.observation
  const bound = binding(state, view)
  const level = Math.round(state.level)
  const desired = clampInto(settings, currentInfo.isStale ? Math.min(level, previous) : level)
  const expected = expectedCompletions(state.pace, desired, parameters.every)
  const paced = paceBound(desired, current, losses.coolingSlots(state.losses), expected)
  const ended = state.pace.rate * Math.max(parameters.every, view.elapsed)
  const foreseen = startsByMemory(parameters, state, view, desired, replaceable(ended, expected))
  return {
    desired,
    startAllowance: Math.min(paced, foreseen),
    reason: reasonOf({
      phase: state.phase,
      desired,
      current,
      isSaturated: view.isSaturated,
      staleSignals: Object.keys(currentInfo.signals).filter((name) => currentInfo.signals[name].isStale),
      isBackedOff: bound.name === "losses" && isNear(bound, state),
      isHeldByMemory: foreseen < desired - current,
      ceilings: view.ceilings,
      lowest: isNear(bound, state) && currentInfo.signals[bound.name] !== undefined ? bound.name : undefined
    })
  }
}

const startsByMemory = (
  parameters: Parameters,
  state: State,
  { observation }: View,
  desired: number,
  replaced: number
): number => {
  const signal = observation.currentInfo.signals["memory"]
  if (signal === undefined || signal.isStale) return Infinity
  const aim = memoryAim(parameters, signal.target)
  const model = memory.of(state.memories, signal)
  const budget = {
    model,
    signal,
    most: memoryMost(aim),
    peak: peak(model, signal, observation.inFlightAges, state.pace),
    highest: memoryHighest(aim)
  }
  return memoryBound(budget, observation.current, desired, replaced)
}

const isNear = ({ concurrency }: Bound, { level }: State): boolean => concurrency < 1.05 * level
