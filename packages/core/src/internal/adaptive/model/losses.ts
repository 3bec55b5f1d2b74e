/**
 * Work that was not served: rejections, timeouts, failures. It never counts as throughput.
 */
import type { CompletionStats } from "../../../ScalingPolicy.ts"
import { backoff as tuning, wait, waits } from "../tuning.ts"
import { lostCount, servedCount } from "./tasks.ts"

/**
 * - `cap`: the limit.
 * - `lostAt`, `share`: the concurrency at which the loss occurred, and the share of tasks that were lost.
 * - `cutAt`, `movedAt`: when it was cut, and cut or raised, last.
 * - `step`: the next probe, as a multiple of the first.
 * - `interval`: how long to wait before the first probe beyond `lostAt`.
 */
export interface Backoff {
  readonly cap: number
  readonly lostAt: number
  readonly share: number
  readonly cutAt: number
  readonly movedAt: number
  readonly step: number
  readonly interval: number
}

/**
 * The period under judgement, and what those before it have taught.
 *
 * - `since`: its begin.
 * - `served`, `taskTime`: tasks served, and their durations in all.
 * - `lost`, `rejected`: tasks lost, and how many of these were rejected.
 * - `cooling`: slots of rejected tasks, and until when they stay empty, the next to be free first.
 * - `accepted`: the share of losses that is put up with, because a cut was in vain.
 * - `backoff`: the limit that losses have set.
 */
export interface Losses {
  readonly since: number
  readonly served: number
  readonly taskTime: number
  readonly lost: number
  readonly rejected: number
  readonly cooling: ReadonlyArray<readonly [until: number, slots: number]>
  readonly accepted: number
  readonly backoff: Backoff | null
}

export const initial: Losses = {
  since: 0,
  served: 0,
  taskTime: 0,
  lost: 0,
  rejected: 0,
  cooling: [],
  accepted: tuning.tolerated,
  backoff: null
}

/** The next period. */
export const next = ({ accepted, backoff, cooling }: Losses, now: number): Losses => ({
  ...initial,
  since: now,
  cooling,
  accepted,
  backoff
})

export const coolingSlots = ({ cooling }: Losses): number => cooling.reduce((sum, [, slots]) => sum + slots, 0)

/** Counts what ended. A slot that a rejected task leaves cools down for about a task's duration. */
export const observe = (losses: Losses, completions: CompletionStats, now: number, time: number): Losses => {
  const served = servedCount(completions)
  const cooling = losses.cooling.filter(([until]) => until > now)
  return {
    ...losses,
    cooling: completions.rejections === 0
      ? cooling
      : [...cooling, [now + wait(waits.cooling, time === 0 ? tuning.unknownCooling : time), completions.rejections]],
    served: losses.served + served,
    taskTime: losses.taskTime + served * completions.meanDuration,
    lost: losses.lost + lostCount(completions),
    rejected: losses.rejected + completions.rejections
  }
}
