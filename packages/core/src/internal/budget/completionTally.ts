/**
 * Sums over ended tasks, and the statistics a policy reads from them.
 */
import type { CompletionStats } from "../../ScalingPolicy.ts"

export type TaskOutcome = "Succeeded" | "Failed" | "TimedOut" | "Interrupted" | "Abandoned"

export class CompletionTally {
  private others = 0
  private failures = 0
  private timeouts = 0
  private rejections = 0
  private served = 0
  private durations = 0
  private squaredDurations = 0

  get isEmpty(): boolean {
    return this.served === 0 && this.others === 0
  }

  /** Counts a task that succeeded and met no rate limit. */
  serve(duration: number): void {
    this.served++
    this.durations += duration
    this.squaredDurations += duration * duration
  }

  /** Counts a task that did not succeed, or met a rate limit. */
  count(outcome: TaskOutcome, wasRejected: boolean): void {
    this.others++
    if (wasRejected) this.rejections++
    if (outcome === "Failed") this.failures++
    else if (outcome === "TimedOut") this.timeouts++
  }

  addTo(sum: CompletionTally): void {
    sum.others += this.others
    sum.failures += this.failures
    sum.timeouts += this.timeouts
    sum.rejections += this.rejections
    sum.served += this.served
    sum.durations += this.durations
    sum.squaredDurations += this.squaredDurations
  }

  stats(): CompletionStats {
    const meanDuration = this.served > 0 ? this.durations / this.served : 0
    const meanSquare = this.served > 0 ? this.squaredDurations / this.served : 0
    return {
      count: this.served + this.others,
      failures: this.failures,
      timeouts: this.timeouts,
      rejections: this.rejections,
      meanDuration,
      varianceDuration: Math.max(0, meanSquare - meanDuration * meanDuration)
    }
  }
}
