/**
 * What a run has done so far: tasks by outcome, and how long nothing started, by reason.
 */
import * as Effect from "effect/Effect"
import type { TaskOutcome } from "../budget/completionTally.ts"
import { Durations } from "../views/durations.ts"

export class RunLedger<Reason extends string> {
  readonly startedAt: number
  started = 0
  succeeded = 0
  failed = 0
  timedOut = 0
  interrupted = 0
  rejected = 0
  retried = 0
  /** Tasks whose finalizers were not waited for. */
  abandoned = 0
  blocker: Reason | undefined
  /** Since when nothing starts for that reason; tasks that replace each other meanwhile do not count. */
  blockedSince: number
  /** How long tasks took that were not interrupted. */
  readonly durations = new Durations()
  private onChange: (() => void) | undefined
  private readonly blockedMillis = new Map<Reason, number>()

  constructor(now: number) {
    this.startedAt = now
    this.blockedSince = now
  }

  end(outcome: TaskOutcome, duration: number): void {
    if (outcome !== "Interrupted" && outcome !== "Abandoned") this.durations.record(duration)
    if (outcome === "Succeeded") this.succeeded++
    else if (outcome === "Failed") this.failed++
    else if (outcome === "TimedOut") this.timedOut++
    else if (outcome === "Interrupted") this.interrupted++
  }

  /** From now on nothing starts for this reason; `undefined` where tasks start. */
  rest(now: number, blocker: Reason | undefined): void {
    if (blocker === this.blocker) return
    if (this.blocker !== undefined) this.blockedMillis.set(this.blocker, this.blockedTime(this.blocker, now))
    this.blocker = blocker
    this.blockedSince = now
    this.onChange?.()
  }

  /** Completes when the reason for starting nothing changes. One at a time can wait for that. */
  readonly changed: Effect.Effect<void> = Effect.callback((resume) => {
    this.onChange = () => {
      this.onChange = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => this.onChange = undefined)
  })

  /** Milliseconds in which nothing started, by reason. */
  blockedTimes(now: number): ReadonlyMap<Reason, number> {
    const times = new Map(this.blockedMillis)
    return this.blocker === undefined ? times : times.set(this.blocker, this.blockedTime(this.blocker, now))
  }

  private blockedTime(blocker: Reason, now: number): number {
    return (this.blockedMillis.get(blocker) ?? 0) + (blocker === this.blocker ? now - this.blockedSince : 0)
  }
}
