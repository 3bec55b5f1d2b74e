/**
 * Sums over ended tasks, and the statistics a policy reads from them.
 */
import type { CompletionStats } from "../ScalingPolicy.ts"

export type TaskOutcome = "Succeeded" | "Failed" | "TimedOut" | "Interrupted"

export class CompletionTally {
  private count = 0
  private failures = 0
  private timeouts = 0
  private rejections = 0
  private served = 0
  private durations = 0
  private squaredDurations = 0

  add(outcome: TaskOutcome, wasRejected: boolean, duration: number): void {
    this.count++
    if (wasRejected) this.rejections++
    if (outcome === "Failed") this.failures++
    else if (outcome === "TimedOut") this.timeouts++
    else if (outcome === "Succeeded" && !wasRejected) {
      this.served++
      this.durations += duration
      this.squaredDurations += duration * duration
    }
  }

  /** The statistics since the last time they were taken. */
  take(): CompletionStats {
    const { count, failures, rejections, served, timeouts } = this
    const meanDuration = served > 0 ? this.durations / served : 0
    const varianceDuration = served > 0 ? Math.max(0, this.squaredDurations / served - meanDuration * meanDuration) : 0
    this.count = this.failures = this.timeouts = this.rejections = this.served = 0
    this.durations = this.squaredDurations = 0
    return { count, failures, timeouts, rejections, meanDuration, varianceDuration }
  }
}
