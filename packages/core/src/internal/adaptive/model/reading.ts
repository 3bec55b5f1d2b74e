/**
 * A measurement of one level of concurrency: how many tasks ran, and how long they took, once the level has settled.
 * It counts only while the limit was binding: a pool that has too little to do says nothing about its limit.
 */
import type { Observation } from "../../../ScalingPolicy.ts"
import { clamp } from "../numbers.ts"
import { descending, measuring as tuning, slowStart, tolerance } from "../tuning.ts"
import { servedCount } from "./tasks.ts"

/** An unfinished measurement: sums over the time since it began in which the limit was binding. */
export interface Measurement {
  readonly elapsed: number
  readonly taskTime: number
  readonly count: number
  readonly durations: number
}

/** A finished one: mean in flight, mean duration in milliseconds, and the number of tasks it rests on. */
export interface Reading {
  readonly concurrency: number
  readonly duration: number
  readonly count: number
}

/** How long a new level settles before it is measured, and when a measurement is long enough. */
export interface Plan {
  readonly settle: number
  readonly least: number
  readonly most: number
  readonly enough: number
}

export const begin: Measurement = { elapsed: 0, taskTime: 0, count: 0, durations: 0 }

export const add = (
  measurement: Measurement,
  { completions, meanConcurrency }: Observation,
  elapsed: number
): Measurement => {
  const count = servedCount(completions)
  return {
    elapsed: measurement.elapsed + elapsed,
    taskTime: measurement.taskTime + meanConcurrency * elapsed,
    count: measurement.count + count,
    durations: measurement.durations + count * completions.meanDuration
  }
}

/**
 * What a measurement says, once it is long enough. Two measures of duration agree where the level has settled. Right after a
 * rise the mean of the tasks that ended is too low, for they began before it; the time in flight per task that ended
 * (Little's law) is too high, for what was added has not ended yet, but shows congestion at once.
 */
export const finish = (measurement: Measurement, plan: Plan): Reading | undefined => {
  const { count, durations, elapsed, taskTime } = measurement
  const enough = elapsed < plan.most ? plan.enough : tuning.fewest
  return elapsed < plan.least || count < enough
    ? undefined
    : readingOf(measurement, Math.sqrt((durations / count) * (taskTime / count)))
}

/** What an unfinished measurement says. By Little's law, for where few tasks end those that run tell more. */
export const soFar = (measurement: Measurement): Reading => {
  const count = Math.max(1, measurement.count)
  return readingOf({ ...measurement, count }, measurement.taskTime / count)
}

/** What an unfinished measurement says by the tasks that ended in it alone. */
export const byEnded = (measurement: Measurement): Reading =>
  readingOf(measurement, measurement.durations / measurement.count)

const readingOf = ({ count, elapsed, taskTime }: Measurement, duration: number): Reading => ({
  concurrency: taskTime / elapsed,
  duration,
  count
})

/** Tasks per millisecond by Little's law, which is steadier than a count of completions. */
export const throughput = ({ concurrency, duration }: Reading): number => concurrency / duration

/** Elasticity of duration to concurrency between two readings, 0 free and 1 congested, and its standard error. */
export const elasticity = (
  from: Reading,
  to: Reading,
  variation: number
): { readonly value: number; readonly error: number } => {
  const width = Math.max(descending.narrowest, Math.log(to.concurrency / from.concurrency))
  return {
    value: Math.log(to.duration / from.duration) / width,
    error: variation * Math.sqrt(1 / from.count + 1 / to.count) / width
  }
}

/** The readings of levels that are lower than that of `reading`. */
export const lowerThan = ({ concurrency }: Reading, readings: ReadonlyArray<Reading>): ReadonlyArray<Reading> =>
  readings.filter((one) => concurrency > (1 + tolerance.near) * one.concurrency)

/** Whether durations grew so much that doubling does not pay, and by more than chance would make them. */
export const isCongested = (lower: ReadonlyArray<Reading>, reading: Reading, variation: number): boolean => {
  if (lower.length === 0) return false
  const { error, value } = elasticity(lower.reduce(longer), reading, variation)
  return value > Math.max(slowStart.congested, slowStart.errors * error)
}

// The level of the longest duration shows a knee first: the one just below it, unless that was read before any of the
// long tasks had ended.
const longer = (a: Reading, b: Reading): Reading => b.duration < a.duration ? a : b

/** The bandwidth-delay product, with a little to spare: throughput at its best times duration without congestion. */
export const landing = (lower: ReadonlyArray<Reading>, highest: Reading): number => {
  const best = Math.max(throughput(highest), throughput(lower[lower.length - 1]))
  const duration = Math.min(...lower.map((reading) => reading.duration))
  return clamp(slowStart.spare * best * duration, lower[0].concurrency, highest.concurrency)
}
