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

  get isEmpty(): boolean {
    return this.earlier.isEmpty && this.fresh.isEmpty
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
  /** Those that take part, and the one in place of those that have left where there are any. */
  private readonly consumers = new Set<Ends>()
  /** What ended of consumers that have left, of all together. */
  private readonly left: Ends
  private readonly mix = new TaskMix<Ends>()
  private freshSince: number
  private since: ConcurrencyTotals

  constructor(now: number) {
    this.meter = new ConcurrencyMeter(now)
    this.since = this.meter.totals(now)
    this.freshSince = now
    this.left = new Ends(now)
  }

  /** The ends of one more consumer, which are observed while it takes part. */
  makeEnds(): Ends {
    return new Ends(this.freshSince)
  }

  /** A consumer takes part from now on. */
  join(ends: Ends): void {
    ends.freshSince = this.freshSince
    this.consumers.add(ends)
  }

  /** It does no longer: what has ended of it counts all the same. */
  leave(ends: Ends): void {
    this.consumers.delete(ends)
    if (ends.isEmpty) return
    ends.addTo(this.left)
    ends.clear()
    this.consumers.add(this.left)
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
    this.consumers.delete(this.left)
  }
}

const sumOf = (a: CompletionTally, b: CompletionTally): CompletionTally => {
  const sum = new CompletionTally()
  a.addTo(sum)
  b.addTo(sum)
  return sum
}
