/**
 * What has been observed since the last decision: concurrency over time, and what has ended.
 */
import type { CompletionStats, Observation } from "../policies/scalingModel.ts"
import { CompletionTally, type TaskOutcome } from "./completionTally.ts"
import { ConcurrencyMeter, type ConcurrencyTotals } from "./concurrencyMeter.ts"

/** The part of an observation that the window knows. */
export type Observed = Pick<Observation, "meanConcurrency" | "saturatedShare" | "completions" | "fresh">

export class ObservationWindow {
  readonly meter: ConcurrencyMeter
  /** Tasks that ended since the last decision, by whether they started before or after `desired` last changed. */
  private earlier = new CompletionTally()
  private fresh = new CompletionTally()
  private freshSince: number
  private since: ConcurrencyTotals

  constructor(now: number) {
    this.meter = new ConcurrencyMeter(now)
    this.since = this.meter.totals(now)
    this.freshSince = now
  }

  /** A task has ended. */
  end(now: number, startedAt: number, outcome: TaskOutcome, wasRejected: boolean): void {
    const tally = startedAt >= this.freshSince ? this.fresh : this.earlier
    if (outcome === "Succeeded" && !wasRejected) tally.serve(now - startedAt)
    else tally.count(outcome, wasRejected)
  }

  /** What was fresh until now is not any more: the concurrency that is desired has changed. */
  refresh(now: number): void {
    this.freshSince = now
    this.earlier = sumOf(this.earlier, this.fresh)
    this.fresh = new CompletionTally()
  }

  read(now: number): Observed {
    return {
      meanConcurrency: this.meter.meanSince(this.since, now),
      saturatedShare: this.meter.saturatedShareSince(this.since, now),
      completions: this.completions(),
      fresh: this.fresh.stats()
    }
  }

  /** Begins anew, with nothing observed. */
  clear(now: number): void {
    this.since = this.meter.totals(now)
    this.earlier = new CompletionTally()
    this.fresh = new CompletionTally()
  }

  private completions(): CompletionStats {
    return sumOf(this.earlier, this.fresh).stats()
  }
}

const sumOf = (a: CompletionTally, b: CompletionTally): CompletionTally => {
  const sum = new CompletionTally()
  a.addTo(sum)
  b.addTo(sum)
  return sum
}
