/**
 * How much of the old generation is in use, garbage apart.
 *
 * What V8 calls used is what lives and what died unnoticed, and only a full collection tells the two apart. So the size
 * that the last one left is known to live. Of what has come since, as large a part is taken to live as at the end of one of
 * the last two cycles, whichever was larger: a program that has only made garbage seems to go on with that, one that grows
 * seems to grow on. The fuller the heap, the less is taken for garbage: where it is full, it does not matter what fills it.
 *
 * That misses no growth for long. A cycle ends when so much has come that V8 collects, which is at the latest half-way
 * from what was left to the limit (`MemoryController::CalculateAllocationLimit`): what lives unseen is at most a quarter of
 * what was free, and from the next collection on all growth counts. Until a cycle has been seen, everything counts.
 */

/**
 * - `left`: bytes in use after the last full collection; unknown before the first.
 * - `highest`: the most that was in use since.
 * - `kept`: which part of what had come outlived each of the last two cycles; none before the first.
 */
export interface HeapUse {
  readonly left: number | undefined
  readonly highest: number
  readonly kept: ReadonlyArray<number>
}

export const initial: HeapUse = { left: undefined, highest: 0, kept: [] }

/** Nothing was collected since the last look, or only young objects. */
export const grown = (use: HeapUse, used: number): HeapUse => used > use.highest ? { ...use, highest: used } : use

/** A full collection has ended since the last look. `highest` is what was seen, which is less than there was at most. */
export const collected = (use: HeapUse, used: number): HeapUse => {
  const { highest, kept, left } = use
  if (left === undefined) return { left: used, highest: used, kept }
  const come = highest - left
  // Next to nothing has come: a collection of an idle process tells nothing of what it does when it works.
  if (come < leastShare * left) return { left: used, highest: used, kept }
  return { left: used, highest: used, kept: [...kept.slice(-1), Math.min(1, Math.max(0, (used - left) / come))] }
}

/** A cycle in which less has come than this share of what was there is none. */
const leastShare = 0.02

/** What lives, as far as can be told; `used`: bytes in use now, garbage included, of which `limit` is the most. */
export const living = ({ kept, left = 0 }: HeapUse, used: number, limit: number): number => {
  if (kept.length === 0 || used <= left || used >= limit) return used
  const garbage = (1 - Math.max(...kept)) * (used - left)
  return used - garbage * (limit - used) / (limit - left)
}
