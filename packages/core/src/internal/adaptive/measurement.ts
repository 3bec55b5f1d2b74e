/**
 * A measurement of one level of concurrency: how many tasks ran, and how long they took, once the level has settled.
 * It counts only while the limit was binding: a pool that has too little to do says nothing about its limit.
 */
import type { Observation } from "../../ScalingPolicy.ts"
import { clamp } from "./numbers.ts"
import { servedCount } from "./pace.ts"

/** An unfinished measurement: sums over the time since it began; `unused`: time in which the limit was not binding. */
export interface Measurement {
  readonly elapsed: number
  readonly unused: number
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

/** When a measurement may begin after a change of level, and when it is long enough. */
export interface Plan {
  readonly settle: number
  readonly least: number
  readonly most: number
  readonly enough: number
  readonly durationOf: (measurement: Measurement) => number
}

export const begin: Measurement = { elapsed: 0, unused: 0, taskTime: 0, count: 0, durations: 0 }

/** A few tasks less than these are no measurement at all. */
const fewest = 6

/** Shorter than this, in milliseconds, and it is one neither. */
export const shortest = 500

/** Longer than this, and the workload may be another when the measurement ends. */
const longest = 40_000

/**
 * While doubling: differences are large, so short measurements do. The first is of tasks that all began together. What
 * the tasks use must have become visible too, for which `unseen` milliseconds pass. Where the event loop is shaken, tasks
 * end together, so that only the whole time of a task tells how many do.
 */
export const planOfGrowth = (
  time: number,
  variation: number,
  isFirst: boolean,
  unseen = 0,
  isShaken = false
): Plan => ({
  settle: Math.max(unseen, Math.min((isFirst ? 1 : 0.85) * time, longest)),
  least: isShaken ? clamp(time, 2 * shortest, longest) : clamp(0.5 * time, shortest, longest),
  most: clamp(1.5 * time, 2000, 1.5 * longest),
  enough: clamp(20 * variation * variation, 10, 60),
  durationOf: isFirst ? perCompletion : balanced
})

/** While comparing levels that differ by a fifth: long enough to replace what runs, and to average out variation. */
export const planOfProbe = (turnover: number, variation: number): Plan => ({
  settle: Math.min(turnover, longest),
  least: clamp(turnover, 1000, longest),
  most: clamp(2.5 * turnover, 3000, 1.5 * longest),
  enough: clamp(200 * variation * variation, 20, 400),
  durationOf: balanced
})

export const add = (
  measurement: Measurement,
  { completions, meanConcurrency, saturatedShare }: Observation,
  elapsed: number
): Measurement => {
  const count = servedCount(completions)
  return {
    elapsed: measurement.elapsed + elapsed,
    unused: measurement.unused + (1 - saturatedShare) * elapsed,
    taskTime: measurement.taskTime + meanConcurrency * elapsed,
    count: measurement.count + count,
    durations: measurement.durations + count * completions.meanDuration
  }
}

/** Whether the limit was binding for most of the time since the last decision. */
export const isSaturated = ({ saturatedShare }: Observation): boolean => saturatedShare >= 0.5

/** Whether the limit was not binding for too much of the time. */
export const isVoid = ({ elapsed, unused }: Measurement): boolean => unused > Math.max(1000, 0.4 * elapsed)

export const finish = (measurement: Measurement, plan: Plan): Reading | undefined => {
  const { count, elapsed } = measurement
  if (elapsed < plan.least || count < fewest) return undefined
  if (count < plan.enough && elapsed < plan.most) return undefined
  return readingOf(measurement, plan.durationOf)
}

const readingOf = (measurement: Measurement, durationOf: Plan["durationOf"]): Reading => ({
  concurrency: measurement.taskTime / measurement.elapsed,
  duration: durationOf(measurement),
  count: measurement.count
})

/**
 * Two measures of duration that agree where the level has settled. Right after a rise the mean of the tasks that ended
 * is too low, for they began before it; the time in flight per task that ended (Little's law) is too high, for what was
 * added has not ended yet, but shows congestion at once.
 */
const perCompletion = ({ count, taskTime }: Measurement): number => taskTime / count
const balanced = ({ count, durations, taskTime }: Measurement): number =>
  Math.sqrt((durations / count) * (taskTime / count))

/** What an unfinished measurement says so far. By Little's law, for where few tasks end those that run tell more. */
export const soFar = (measurement: Measurement): Reading =>
  readingOf({ ...measurement, count: Math.max(1, measurement.count) }, perCompletion)

/** What it says by the tasks that ended in it alone. */
export const byEnded = (measurement: Measurement): Reading =>
  readingOf(measurement, ({ count, durations }) => durations / count)

/** Tasks per millisecond by Little's law, which is steadier than a count of completions. */
export const throughput = ({ concurrency, duration }: Reading): number => concurrency / duration

/** Two readings of about the same level as one. */
export const pool = (a: Reading, b: Reading): Reading => {
  const count = a.count + b.count
  const mean = (x: number, y: number) => (x * a.count + y * b.count) / count
  return { concurrency: mean(a.concurrency, b.concurrency), duration: mean(a.duration, b.duration), count }
}

/** Elasticity of duration to concurrency between two readings, 0 free and 1 congested, and its standard error. */
export const elasticity = (
  from: Reading,
  to: Reading,
  variation: number
): { readonly value: number; readonly error: number } => {
  const width = Math.log(to.concurrency / from.concurrency)
  return {
    value: Math.log(to.duration / from.duration) / width,
    error: variation * Math.sqrt(1 / from.count + 1 / to.count) / Math.abs(width)
  }
}
