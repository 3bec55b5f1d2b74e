/**
 * What readings of several levels say of where throughput ceases to follow concurrency.
 */
import { elasticity, type Reading, throughput } from "../model/reading.ts"
import { clamp } from "../numbers.ts"
import { slowStart as tuning, tolerance } from "../tuning.ts"

/** The readings of levels that are lower than that of `reading`. */
export const lowerThan = ({ concurrency }: Reading, readings: ReadonlyArray<Reading>): ReadonlyArray<Reading> =>
  readings.filter((one) => concurrency > (1 + tolerance.near) * one.concurrency)

/** Whether durations grew so much that doubling does not pay, and by more than chance would make them. */
export const isCongested = (lower: ReadonlyArray<Reading>, reading: Reading, variation: number): boolean => {
  if (lower.length === 0) return false
  const { error, value } = elasticity(lower.reduce(longer), reading, variation)
  return value > Math.max(tuning.congested, tuning.errors * error)
}

// The level of the longest duration shows a knee first: the one just below it, unless that was read before any of the
// long tasks had ended.
const longer = (a: Reading, b: Reading): Reading => b.duration < a.duration ? a : b

/** The bandwidth-delay product, with a little to spare: throughput at its best times duration without congestion. */
export const landing = (lower: ReadonlyArray<Reading>, highest: Reading): number => {
  const best = Math.max(throughput(highest), throughput(lower[lower.length - 1]))
  const duration = Math.min(...lower.map((reading) => reading.duration))
  return clamp(tuning.spare * best * duration, lower[0].concurrency, highest.concurrency)
}
