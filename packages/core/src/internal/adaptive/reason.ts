/**
 * Says in a sentence what the law is doing, and why.
 */
import type { ScalingReason } from "../../ScalingPolicy.ts"
import type { Phase } from "./state.ts"

/**
 * What a decision came of.
 *
 * - `desired`, `current`: the concurrency decided on, and the tasks in flight.
 * - `isSaturated`: whether the limit was made use of.
 * - `staleSignals`: names of signals that have stopped reporting.
 * - `isBackedOff`: whether losses limit.
 * - `isHeldByMemory`: whether memory lets fewer tasks start than are desired.
 * - `ceilings`, `lowest`: the concurrency that each signal allows, and the name of the lowest that does limit.
 */
export interface Circumstances {
  readonly phase: Phase
  readonly desired: number
  readonly current: number
  readonly isSaturated: boolean
  readonly staleSignals: ReadonlyArray<string>
  readonly isBackedOff: boolean
  readonly isHeldByMemory: boolean
  readonly ceilings: Readonly<Record<string, number>>
  readonly lowest: string | undefined
}

export const reasonOf = (circumstances: Circumstances): ScalingReason => {
  const { ceilings, isHeldByMemory, lowest } = circumstances
  const summary = summaryOf(circumstances)
  return {
    summary: isHeldByMemory ? `${summary}; memory lets tasks start only slowly` : summary,
    phase: phaseOf(circumstances),
    bindingSignal: isHeldByMemory ? "memory" : lowest,
    ceilings
  }
}

const phaseOf = ({ isBackedOff, phase }: Circumstances): string => {
  if (isBackedOff) return "backing off"
  switch (phase._tag) {
    case "ColdStart":
      return "cold start"
    case "SlowStart":
      return "slow start"
    case "Tracking":
      return "following a ceiling"
    case "Probing":
      return "steady"
  }
}

const summaryOf = (circumstances: Circumstances): string => {
  const { current, desired, isBackedOff, isSaturated, phase, staleSignals } = circumstances
  if (staleSignals.length > 0) return `${staleSignals.join(", ")} has stopped reporting, so nothing may grow`
  if (isBackedOff) return "tasks were lost: back to what is being served, then up again with care"
  if (!isSaturated) return `only ${current} of ${desired} are in use, so the limit stays as it is`
  switch (phase._tag) {
    case "ColdStart":
      return "too few tasks have ended to judge by: more are let in step by step"
    case "SlowStart":
      return "doubling as long as throughput follows"
    case "Tracking":
      return `as many as bring ${phase.signal} to its target`
    case "Probing":
      return probingSummary(phase)
  }
}

const probingSummary = ({ center, stage }: Extract<Phase, { readonly _tag: "Probing" }>): string => {
  const near = Math.round(center)
  switch (stage) {
    case "Hold":
      return `holding ${near}, the best known`
    case "Above":
      return `trying whether more than ${near} gain throughput`
    case "Below":
      return `trying whether fewer than ${near} lose throughput`
    case "Descend":
      return `tasks take longer than they did: trying fewer than ${near} tells whether that is congestion`
  }
}
