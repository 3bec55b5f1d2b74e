/**
 * How long tasks took, as counts in fixed buckets: a few integers, however many tasks there were.
 */
import type { DurationHistogram } from "../../PoolSnapshot.ts"

const perDecade = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8]
const decades = [1, 10, 100, 1_000, 10_000, 100_000]

/**
 * The upper bounds of the buckets in milliseconds, from 1 ms to 800 s. Coarser bounds that metrics use are among them, so
 * that a coarser histogram is an exact sum of this one.
 */
export const bounds: ReadonlyArray<number> = decades.flatMap((decade) => perDecade.map((step) => step * decade))

/** By the number of binary digits that a duration of whole microseconds has: the first bucket that it can be in. */
const firstBucket = Array.from({ length: 33 }, (_, digits) => {
  const index = bounds.findIndex((bound) => bound * 1000 >= 2 ** (digits - 1))
  return index < 0 ? bounds.length : index
})

/** Milliseconds; in microseconds it fits into 32 bits, and it is beyond the last bound. */
const longest = 1_000_000

const bucketOf = (millis: number): number => {
  const micros = millis < longest ? (millis * 1000) | 0 : longest * 1000
  let bucket = firstBucket[32 - Math.clz32(micros)]
  while (bucket < bounds.length && millis > bounds[bucket]) bucket++
  return bucket
}

export class Durations {
  private readonly counts: Array<number> = Array.from({ length: bounds.length + 1 }, () => 0)
  private count = 0
  private sum = 0
  private max = 0

  record(millis: number): void {
    this.counts[millis > bounds[0] ? bucketOf(millis) : 0]++
    this.count++
    this.sum += millis
    if (millis > this.max) this.max = millis
  }

  histogram(): DurationHistogram {
    return { bounds, counts: [...this.counts], count: this.count, sum: this.sum, max: this.max }
  }
}

export const none: DurationHistogram = new Durations().histogram()

export const sumOf = (a: DurationHistogram, b: DurationHistogram): DurationHistogram => ({
  bounds,
  counts: a.counts.map((count, bucket) => count + b.counts[bucket]),
  count: a.count + b.count,
  sum: a.sum + b.sum,
  max: Math.max(a.max, b.max)
})
