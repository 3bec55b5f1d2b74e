/**
 * How long tasks take: the clock of the law. Every wait of the law is a multiple of a task's duration, because nothing
 * that a change of concurrency does is visible sooner.
 */
import type { CompletionStats } from "../../ScalingPolicy.ts"
import { clamp, perTime } from "./numbers.ts"

/**
 * - `finished`: tasks that succeeded so far without meeting a rate limit.
 * - `duration`: their mean duration, recent ones counting more, in milliseconds.
 * - `spread`, `spreadSquare`: the same with a longer memory, of durations and of their squares.
 * - `rate`: tasks that ended per millisecond, however they did, in the last third of a second or so.
 */
export interface Pace {
  readonly finished: number
  readonly duration: number
  readonly spread: number
  readonly spreadSquare: number
  readonly rate: number
}

export const initial: Pace = { finished: 0, duration: 0, spread: 0, spreadSquare: 0, rate: 0 }

/** Whether enough tasks have ended to say how long they take. */
export const isKnown = ({ finished }: Pace): boolean => finished >= 5

/** Of the tasks that ended, the ones that were served: they succeeded and met no rate limit. */
export const servedCount = ({ count, failures, rejections, timeouts }: CompletionStats): number =>
  Math.max(0, count - failures - rejections - timeouts)

/** Of the tasks that ended, the ones that were not served. */
export const lostCount = (stats: CompletionStats): number => stats.count - servedCount(stats)

export const observe = (before: Pace, stats: CompletionStats, elapsed: number): Pace => {
  const pace = { ...before, rate: perTime(elapsed, 300)(before.rate, stats.count) }
  const count = servedCount(stats)
  if (count === 0) return pace
  const finished = pace.finished + count
  const mean = stats.meanDuration
  const fast = weightOf(count, finished, 0.03)
  const slow = weightOf(count, finished, 0.01)
  return {
    ...pace,
    finished,
    duration: pace.duration + fast * (mean - pace.duration),
    spread: pace.spread + slow * (mean - pace.spread),
    spreadSquare: pace.spreadSquare + slow * (mean * mean + stats.varianceDuration - pace.spreadSquare)
  }
}

// A plain mean at first, then one that forgets by `rate` with each task.
const weightOf = (count: number, finished: number, rate: number): number =>
  Math.max(count / finished, 1 - (1 - rate) ** count)

/**
 * The coefficient of variation of durations. Few tasks understate a heavy tail, so ten imagined ones of variation 1
 * stand beside them.
 */
export const variation = ({ finished, spread, spreadSquare }: Pace): number => {
  const seen = Math.min(finished, 100)
  const measured = spread > 0 ? Math.max(0, spreadSquare / (spread * spread) - 1) : 0
  return Math.sqrt((imagined + seen * measured) / (imagined + seen))
}

const imagined = 10

/**
 * The duration to wait by. The first tasks to finish are the short ones: as long as few have, it is the time that all
 * have spent for each that finished; then that of finished tasks, or the mean age of running ones where that is longer.
 */
export const taskTime = (pace: Pace, ages: ReadonlyArray<number>): number => {
  let running = 0
  for (const age of ages) running += age
  if (pace.finished === 0) return ages.length > 0 ? running / ages.length : 0
  if (pace.finished < few) return pace.duration + running / pace.finished
  return Math.max(pace.duration, ages.length > 0 ? running / ages.length : 0)
}

const few = 20

/**
 * How long until what is running has been replaced: a task found running at a random moment is a long one, with mean
 * duration `E[S^2] / E[S]` (the inspection paradox).
 */
export const turnover = (pace: Pace, time: number): number =>
  pace.spread > 0 ? clamp(0.8 * pace.spreadSquare / pace.spread, time, Math.max(time, 15_000)) : time
