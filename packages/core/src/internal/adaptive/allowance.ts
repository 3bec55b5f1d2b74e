/**
 * How many tasks may start before the next decision.
 *
 * `desired` says how many may run; the allowance says how fast they may come. Each bound is a number of starts.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import type { Observation } from "../../ScalingPolicy.ts"
import { externalOf, type MemoryModel, stray } from "./memory.ts"
import { clamp } from "./numbers.ts"
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

/**
 * Starts that memory has room for, once what runs has grown, and replacements of tasks that end, as long as there is no
 * less room than there should be.
 */
export const memoryBound = (
  { aim, model, most, signal }: MemoryBudget,
  { current }: Observation,
  desired: number,
  expected: number
): number => {
  const { base, grown, perTask } = model
  if (grown === null || perTask <= 0) return signal.load < aim ? Infinity : 0
  const others = externalOf(signal) + (base ?? 0)
  if (Math.max(signal.load, others + perTask * desired) + 3 * stray(model, desired) < most) return Infinity
  if (signal.load >= most) return 0
  const young = current - grown
  const margin = Math.max(Z * stray(model, current), K * Math.sqrt(model.variance) * young)
  const room = most - Math.max(signal.load, others + perTask * current) - margin - X * Math.max(0, model.rise)
  return Math.floor(room >= 0 ? room / perTask + expected : expected * Math.max(0, 1 + room / margin))
}
const Z = 1
const K = 0.5
const X = 2
