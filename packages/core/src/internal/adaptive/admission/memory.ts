/**
 * How many starts memory has room for until the next decision.
 */
import type { SignalInfo } from "../../../LoadSignal.ts"
import type { MemoryLoads } from "../limits/memory.ts"
import { type MemoryModel, type Seen, stray, strayness, taken } from "../model/memory.ts"
import { memory as tuning } from "../tuning.ts"
import { foresee } from "./foresight.ts"

/** What is known of memory; `peak` is the load that tasks in flight lead to even if nothing more starts. */
export interface MemoryBudget extends Omit<MemoryLoads, "aim"> {
  readonly model: MemoryModel
  readonly signal: SignalInfo
  readonly peak: number
}

/**
 * How many standard deviations must stay free for starts not to be counted: where tasks use about the same, those that
 * take the place of others add nothing, and chance adds little.
 */
const ample = (seen: Seen): number => tuning.ample * Math.min(1, Math.sqrt(strayness(seen)) / tuning.longTailed)

/**
 * Starts that memory has room for, once what runs has grown. A task that takes the place of one that is `expected` to end
 * needs no room in the long run; where there is less room than there should be, only some of those are replaced. Starts are
 * not counted where as many as are desired fit with room to spare: places of tasks that ended together would stay empty.
 */
export const memoryBound = (
  { highest, model, most, peak, signal }: MemoryBudget,
  current: number,
  desired: number,
  expected: number
): number => {
  if (signal.load >= most || peak > highest) return 0
  const { seen } = model
  if (seen === null || seen.perTask <= 0) return Infinity
  const foreseen = foresee(model, seen, signal, current)
  const filled = Math.max(foreseen, taken(model, signal) + seen.perTask * desired)
  if (filled + ample(seen) * stray(seen, desired) < most) return Infinity
  const spare = tuning.spare * stray(seen, current)
  const room = most - foreseen - spare
  if (room < 0) return spare > 0 ? Math.floor(expected * Math.max(0, 1 + room / spare)) : 0
  const growth = Math.max(tuning.leastStarts, tuning.startsShare * desired)
  return Math.floor(Math.min(room / seen.perTask, growth) + expected)
}
