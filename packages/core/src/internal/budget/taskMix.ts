/**
 * The durations of several kinds of tasks as one figure that does not move when only the mix does.
 *
 * Where short and long tasks share a budget, more of the long ones in one interval would look like a slower machine. So
 * each consumer's mean counts by the share that its tasks have of all that end over a longer time (direct
 * standardisation).
 */
import type { CompletionStats } from "../../ScalingPolicy.ts"

/** Milliseconds in which what is known of the mix loses most of its weight. */
const memory = 60_000
/** A kind of which nothing can end any more is forgotten when its share is smaller. */
const leastShare = 0.001

interface Kind {
  share: number
  mean: number
  variance: number
}

export class TaskMix<Key> {
  private readonly kinds = new Map<Key, Kind>()

  /** Takes note of what ended in the last `elapsed` milliseconds. */
  learn(ends: ReadonlyMap<Key, CompletionStats>, elapsed: number): void {
    const total = sum(ends.values(), servedOf)
    if (total === 0) return
    const weight = 1 - Math.exp(-elapsed / memory)
    for (const kind of this.kinds.values()) kind.share -= weight * kind.share
    for (const [key, stats] of ends) {
      const share = servedOf(stats) / total
      const kind = this.kinds.get(key)
      if (kind !== undefined) kind.share += weight * share
      else if (share > 0) this.kinds.set(key, { share, mean: 0, variance: 0 })
    }
    for (const [key, { share }] of this.kinds) if (share < leastShare && !ends.has(key)) this.kinds.delete(key)
  }

  /** Sums of counts, and the mean and variance of durations as if the mix were the usual one. */
  standardise(ends: ReadonlyMap<Key, CompletionStats>): CompletionStats {
    if (ends.size === 1) return [...ends.values()][0]
    const count = (of: (stats: CompletionStats) => number) => sum(ends.values(), of)
    const counts = {
      count: count((stats) => stats.count),
      failures: count((stats) => stats.failures),
      timeouts: count((stats) => stats.timeouts),
      rejections: count((stats) => stats.rejections)
    }
    if (count(servedOf) === 0) return { ...counts, meanDuration: 0, varianceDuration: 0 }
    const kinds = this.known(ends)
    const shares = sum(kinds, ({ share }) => share)
    const meanDuration = sum(kinds, ({ mean, share }) => share * mean) / shares
    const meanSquare = sum(kinds, ({ mean, share, variance }) => share * (variance + mean * mean)) / shares
    return { ...counts, meanDuration, varianceDuration: Math.max(0, meanSquare - meanDuration * meanDuration) }
  }

  /** What is known of each kind; of one of which nothing has ended now, what was known last. */
  private known(ends: ReadonlyMap<Key, CompletionStats>): ReadonlyArray<Kind> {
    for (const [key, stats] of ends) {
      const kind = this.kinds.get(key)
      if (kind === undefined || servedOf(stats) === 0) continue
      kind.mean = stats.meanDuration
      kind.variance = stats.varianceDuration
    }
    return [...this.kinds.values()].filter(({ mean }) => mean > 0)
  }
}

/** Whether tasks were served: durations are those of tasks that were. */
const servedOf = ({ count, meanDuration }: CompletionStats): number => meanDuration > 0 ? count : 0

const sum = <A>(all: Iterable<A>, of: (one: A) => number): number => {
  let sum = 0
  for (const one of all) sum += of(one)
  return sum
}
