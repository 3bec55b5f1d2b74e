/**
 * Durations gathered over decisions until there are enough of them for a mean that means something.
 */
import type { CompletionStats } from "../../ScalingPolicy.ts"
import { lostCount, servedCount } from "../adaptive/model/tasks.ts"

/** Tasks that were served, their durations in all, and tasks that were lost. */
export interface DurationSample {
  readonly count: number
  readonly durations: number
  readonly lost: number
}

export const empty: DurationSample = { count: 0, durations: 0, lost: 0 }

export const add = (sample: DurationSample, completions: CompletionStats): DurationSample => {
  const count = servedCount(completions)
  return {
    count: sample.count + count,
    durations: sample.durations + count * completions.meanDuration,
    lost: sample.lost + lostCount(completions)
  }
}

/** As in the `WindowedLimit` of Netflix/concurrency-limits. */
export const enough = 10

/** A loss is told at once. */
export const isEnough = ({ count, lost }: DurationSample): boolean => count >= enough || lost > 0

export const meanOf = ({ count, durations }: DurationSample): number => count > 0 ? durations / count : 0
