/**
 * What a run has done so far: tasks by outcome, and how long nothing started, by reason.
 */
import type { TaskOutcome } from "../budget/completionTally.ts"

export class RunLedger<Idle extends string> {
  readonly startedAt: number
  succeeded = 0
  failed = 0
  timedOut = 0
  interrupted = 0
  rejected = 0
  retried = 0
  idle: Idle | undefined
  private idleSince: number
  private readonly idleMillis = new Map<Idle, number>()

  constructor(now: number) {
    this.startedAt = now
    this.idleSince = now
  }

  /** Tasks that have ended, however they did. */
  get ended(): number {
    return this.succeeded + this.failed + this.timedOut + this.interrupted
  }

  end(outcome: TaskOutcome): void {
    if (outcome === "Succeeded") this.succeeded++
    else if (outcome === "Failed") this.failed++
    else if (outcome === "TimedOut") this.timedOut++
    else this.interrupted++
  }

  /** From now on nothing starts for this reason; `undefined` where tasks start. */
  rest(now: number, idle: Idle | undefined): void {
    if (idle === this.idle) return
    this.chargeIdle(now)
    this.idle = idle
  }

  /** Milliseconds in which nothing started, by reason. */
  idleTimes(now: number): ReadonlyMap<Idle, number> {
    this.chargeIdle(now)
    return this.idleMillis
  }

  private chargeIdle(now: number): void {
    if (this.idle !== undefined) {
      this.idleMillis.set(this.idle, (this.idleMillis.get(this.idle) ?? 0) + now - this.idleSince)
    }
    this.idleSince = now
  }
}
