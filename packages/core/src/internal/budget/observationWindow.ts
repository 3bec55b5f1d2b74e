/**
 * What has been observed since the last decision: concurrency over time, and what has ended.
 */
import type { CompletionStats, Observation } from "../../ScalingPolicy.ts"
import { CompletionTally, type TaskOutcome } from "./completionTally.ts"
import { ConcurrencyMeter, type ConcurrencyTotals } from "./concurrencyMeter.ts"
import { TaskMix } from "./taskMix.ts"

/** The part of an observation that the window knows. */
export type Observed = Pick<Observation, "meanConcurrency" | "saturatedShare" | "completions" | "fresh">

/** What of one consumer has ended, by whether it started before or after `desired` last changed. */
export class Ends {
  earlier = new CompletionTally()
  fresh = new CompletionTally()
  freshSince: number

  constructor(now: number) {
    this.freshSince = now
  }

  add(now: number, startedAt: number, outcome: TaskOutcome, wasRejected: boolean): void {
    const tally = startedAt >= this.freshSince ? this.fresh : this.earlier
    if (outcome === "Succeeded" && !wasRejected) tally.serve(now - startedAt)
    else tally.count(outcome, wasRejected)
  }

  all(): CompletionStats {
    return sumOf(this.earlier, this.fresh).stats()
  }

  refresh(now: number): void {
    this.freshSince = now
    this.earlier = sumOf(this.earlier, this.fresh)
    this.fresh = new CompletionTally()
  }

  clear(): void {
    this.earlier = new CompletionTally()
    this.fresh = new CompletionTally()
  }

  addTo(others: Ends): void {
    this.earlier.addTo(others.earlier)
    this.fresh.addTo(others.fresh)
  }
}

export class ObservationWindow {
  readonly meter: ConcurrencyMeter
  private readonly consumers = new Set<Ends>()
  /** What ended of consumers that have left. */
  private left: Ends | undefined
  private readonly mix = new TaskMix<Ends>()
  private freshSince: number
  private since: ConcurrencyTotals

  constructor(now: number) {
    this.meter = new ConcurrencyMeter(now)
    this.since = this.meter.totals(now)
    this.freshSince = now
  }

  /** Observes what ends of one more consumer. */
  add(): Ends {
    const ends = new Ends(this.freshSince)
    this.consumers.add(ends)
    return ends
  }

  /** A consumer has left. */
  remove(ends: Ends): void {
    this.consumers.delete(ends)
    this.mix.forget(ends)
    if (this.left === undefined) this.consumers.add(this.left = new Ends(this.freshSince))
    ends.addTo(this.left)
  }

  /** What was fresh until now is not any more: the concurrency that is desired has changed. */
  refresh(now: number): void {
    this.freshSince = now
    for (const ends of this.consumers) ends.refresh(now)
  }

  read(now: number): Observed {
    const elapsed = now - this.since.time
    const all = new Map([...this.consumers].map((ends) => [ends, ends.all()]))
    this.mix.learn(all, elapsed)
    return {
      meanConcurrency: this.meter.meanSince(this.since, now),
      saturatedShare: this.meter.saturatedShareSince(this.since, now),
      completions: this.mix.standardise(all),
      fresh: this.mix.standardise(new Map([...this.consumers].map((ends) => [ends, ends.fresh.stats()])))
    }
  }

  /** Begins anew, with nothing observed. */
  clear(now: number): void {
    this.since = this.meter.totals(now)
    for (const ends of this.consumers) ends.clear()
    if (this.left !== undefined) this.consumers.delete(this.left)
    this.left = undefined
  }
}

const sumOf = (a: CompletionTally, b: CompletionTally): CompletionTally => {
  const sum = new CompletionTally()
  a.addTo(sum)
  b.addTo(sum)
  return sum
}
