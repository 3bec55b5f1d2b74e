/**
 * How long tasks take: the clock of the law. Every wait of the law is a multiple of a task's duration, because nothing
 * that a change of concurrency does is visible sooner.
 */
import type { CompletionStats } from "../../../ScalingPolicy.ts"
import { clamp } from "../numbers.ts"
import { tasks as tuning } from "../tuning.ts"

/**
 * - `finished`: tasks that succeeded so far without meeting a rate limit.
 * - `duration`: their mean duration, recent ones counting more, in milliseconds.
 * - `spread`, `spreadSquare`: the same with a longer memory, of durations and of their squares.
 */
export interface Tasks {
  readonly finished: number
  readonly duration: number
  readonly spread: number
  readonly spreadSquare: number
}

export const initial: Tasks = { finished: 0, duration: 0, spread: 0, spreadSquare: 0 }

/** Whether enough tasks have ended to say how long they take. */
export const areKnown = ({ finished }: Tasks): boolean => finished >= tuning.fewestKnown

/** Of the tasks that ended, the ones that were served: they succeeded and met no rate limit. */
export const servedCount = ({ count, failures, rejections, timeouts }: CompletionStats): number =>
  Math.max(0, count - failures - rejections - timeouts)

/** Of the tasks that ended, the ones that were not served. */
export const lostCount = (stats: CompletionStats): number => stats.count - servedCount(stats)

export const observe = (tasks: Tasks, stats: CompletionStats): Tasks => {
  const count = servedCount(stats)
  if (count === 0) return tasks
  const finished = tasks.finished + count
  const mean = stats.meanDuration
  const fast = weightOf(count, finished, tuning.forgetting)
  const slow = weightOf(count, finished, tuning.slowForgetting)
  return {
    finished,
    duration: tasks.duration + fast * (mean - tasks.duration),
    spread: tasks.spread + slow * (mean - tasks.spread),
    spreadSquare: tasks.spreadSquare + slow * (mean * mean + stats.varianceDuration - tasks.spreadSquare)
  }
}

// A plain mean at first, then one that forgets by `rate` with each task.
const weightOf = (count: number, finished: number, rate: number): number =>
  Math.max(count / finished, 1 - (1 - rate) ** count)

/**
 * The coefficient of variation of durations. Few tasks understate a heavy tail, so some imagined ones of variation 1
 * stand beside them.
 */
export const variation = ({ finished, spread, spreadSquare }: Tasks): number => {
  const seen = Math.min(finished, tuning.mostSeen)
  const measured = spread > 0 ? Math.max(0, spreadSquare / (spread * spread) - 1) : 0
  return Math.sqrt((tuning.imagined + seen * measured) / (tuning.imagined + seen))
}

/**
 * The duration to wait by: that of finished tasks, or the mean age of running ones where that is longer. The first tasks
 * to finish are the short ones: while few have, it is the time that all have spent for each that finished.
 */
export const taskTime = ({ duration, finished }: Tasks, ages: ReadonlyArray<number>): number => {
  let running = 0
  for (const age of ages) running += age
  return finished > 0 && finished < tuning.few
    ? duration + running / finished
    : Math.max(duration, running / Math.max(1, ages.length))
}

/**
 * How long until what is running has been replaced: a task found running at a random moment is a long one, with mean
 * duration `E[S^2] / E[S]` (the inspection paradox).
 */
export const turnover = ({ spread, spreadSquare }: Tasks, time: number): number =>
  clamp(tuning.replaced * spreadSquare / Math.max(1, spread), time, Math.max(time, tuning.longestTurnover))
