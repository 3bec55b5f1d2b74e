/**
 * Work that was not served: rejections, timeouts, failures. It never counts as throughput.
 */
import type { CompletionStats } from "../../../ScalingPolicy.ts"
import { backoff as tuning, wait, waits } from "../tuning.ts"
import { lostCount, servedCount } from "./tasks.ts"

/**
 * The period under judgement.
 *
 * - `since`: its begin.
 * - `served`, `taskTime`: tasks served, and their durations in all.
 * - `lost`, `rejected`: tasks lost, and how many of these were rejected.
 * - `cooling`: slots of rejected tasks, and until when they stay empty, the next to be free first.
 */
export interface Losses {
  readonly since: number
  readonly served: number
  readonly taskTime: number
  readonly lost: number
  readonly rejected: number
  readonly cooling: ReadonlyArray<readonly [until: number, slots: number]>
}

export const beginning = (now: number): Losses => ({
  since: now,
  served: 0,
  taskTime: 0,
  lost: 0,
  rejected: 0,
  cooling: []
})

/** The next period, in which the slots of rejected tasks go on cooling. */
export const next = ({ cooling }: Losses, now: number): Losses => ({ ...beginning(now), cooling })

export const coolingSlots = ({ cooling }: Losses): number => cooling.reduce((sum, [, slots]) => sum + slots, 0)

/** Counts what ended. A slot that a rejected task leaves cools down for about a task's duration. */
export const observe = (losses: Losses, completions: CompletionStats, now: number, time: number): Losses => {
  const served = servedCount(completions)
  const cooling = losses.cooling.filter(([until]) => until > now)
  return {
    since: losses.since,
    cooling: completions.rejections === 0
      ? cooling
      : [...cooling, [now + wait(waits.cooling, time === 0 ? tuning.unknownCooling : time), completions.rejections]],
    served: losses.served + served,
    taskTime: losses.taskTime + served * completions.meanDuration,
    lost: losses.lost + lostCount(completions),
    rejected: losses.rejected + completions.rejections
  }
}
