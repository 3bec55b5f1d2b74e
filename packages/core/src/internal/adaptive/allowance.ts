/**
 * How many tasks may start before the next decision.
 *
 * `desired` says how many may run; the allowance says how fast they may come. Each bound is a number of starts.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import { foresee } from "./foresight.ts"
import { type MemoryModel, type Seen, stray, strayness, taken } from "./memory.ts"
import { clamp } from "./numbers.ts"
import type { Pace } from "./pace.ts"

/** Completions to expect until the next decision, if as many run as are desired. */
export const expectedCompletions = ({ duration }: Pace, desired: number, every: number): number =>
  duration > 0 ? desired * every / Math.max(duration, 1) : 0

/**
 * Free slots, and the ones that completions will free: twice as many as expected, or as many while slots of rejected
 * tasks are cooling down. A service that refuses at once must not be asked again as fast as it refuses.
 */
export const paceBound = (desired: number, current: number, cooling: number, expected: number): number => {
  const free = Math.max(0, desired - current - cooling)
  return cooling > 0 ? free + Math.ceil(expected) : free + Math.ceil(2 * expected + 4 * Math.sqrt(expected)) + 2
}

/** How many times as many as have ended are replaced at most. */
const mostReplaced = 1.3

/** Tasks to replace: the ones that ended, and somewhat more where fewer ran than are desired, so that fewer ended. */
export const replaceable = (ended: number, expected: number): number => clamp(expected, ended, mostReplaced * ended)

/**
 * Where memory is watched: what is known of it.
 *
 * - `most`: the load that no start may be foreseen to lead past.
 * - `peak`, `highest`: the load that tasks in flight lead to even if nothing more starts, and the highest it may be.
 */
export interface MemoryBudget {
  readonly model: MemoryModel
  readonly signal: SignalInfo
  readonly most: number
  readonly peak: number
  readonly highest: number
}

/** By how much in flight may grow in one decision while memory is short, so that a sample follows each growth. */
const growth = 0.15

/** How many standard deviations of use stay free below the load past which nothing starts. */
const margin = 1.2

/** Tasks whose use varies by more than this share of it may have a long tail of dear ones. */
const longTailed = 0.6

/**
 * How many standard deviations must stay free for starts not to be counted: where tasks use about the same, those that
 * take the place of others add nothing, and chance adds little.
 */
const ample = (seen: Seen): number => 3 * margin * Math.min(1, Math.sqrt(strayness(seen)) / longTailed)

/**
 * Starts that memory has room for, once what runs has grown. A task that takes the place of one of the `replaced` needs no
 * room in the long run; where there is less room than there should be, only some of those are replaced.
 */
export const memoryBound = (
  { highest, model, most, peak, signal }: MemoryBudget,
  current: number,
  desired: number,
  replaced: number
): number => {
  if (signal.load >= most || peak > highest) return 0
  const { seen } = model
  if (seen === null || seen.perTask <= 0) return Infinity
  const foreseen = foresee(model, seen, signal, current)
  const filled = Math.max(foreseen, taken(model, signal) + seen.perTask * desired)
  if (filled + ample(seen) * stray(seen, desired) < most) return Infinity
  const spare = margin * stray(seen, current)
  const room = most - foreseen - spare
  if (room < 0) return spare > 0 ? Math.floor(replaced * Math.max(0, 1 + room / spare)) : 0
  return Math.floor(Math.min(room / seen.perTask, Math.max(2, growth * desired)) + replaced)
}
