/**
 * How many tasks may start before the next decision.
 *
 * `desired` says how many may run; the allowance says how fast they may come. Each bound is a number of starts.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import type { Observation } from "../../ScalingPolicy.ts"
import { type MemoryModel, owed, pessimism } from "./memory.ts"
import type { Pace } from "./pace.ts"

/** Completions to expect until the next decision, if as many run as are desired. */
export const expectedCompletions = (pace: Pace, desired: number, every: number): number =>
  pace.duration > 0 ? desired * every / Math.max(pace.duration, 1) : 0

/**
 * Free slots, and the ones that completions will free: twice as many as expected, or as many while slots of rejected
 * tasks are cooling down. A service that refuses at once must not be asked again as fast as it refuses.
 */
export const paceBound = (desired: number, current: number, cooling: number, expected: number): number => {
  const free = Math.max(0, desired - current - cooling)
  return cooling > 0 ? free + Math.ceil(expected) : free + Math.ceil(2 * expected + 4 * Math.sqrt(expected)) + 2
}

/** Where memory is watched: what there is to know about it. */
export interface MemoryBudget {
  readonly model: MemoryModel
  readonly signal: SignalInfo
  /** The load to aim at, and the load that no start may be foreseen to lead past. */
  readonly aim: number
  readonly most: number
}

export const memoryBound = (
  { aim, model, most, signal }: MemoryBudget,
  pace: Pace,
  { current, inFlightAges }: Observation,
  desired: number,
  expected: number
): number => {
  const external = Math.max(0, signal.load - signal.own)
  const base = model.base ?? 0
  if (pace.finished < Math.max(5, Math.min(20, current))) {
    if (current === 0) return signal.load < aim ? desired : 0
    const seen = Math.max(0, signal.own - base) / current
    if (seen === 0) return Infinity
    const ages = inFlightAges.reduce((sum, age) => sum + age, 0)
    return Math.floor((aim - base - external) / (seen * pessimism(ages / current))) - current
  }
  const { perTask } = model
  if (perTask === null || perTask <= 0) return signal.load < most ? Infinity : 0
  if (external + base + perTask * desired < 0.6) return Infinity
  const room = most - signal.load - perTask * owed(inFlightAges, pace.duration)
  // A task that replaces one which has ended adds nothing in the long run.
  return room > 0 ? Math.floor(room / perTask + expected) : 0
}
