/**
 * What a run has done so far: tasks by outcome, concurrency over time, and how long nothing started, by reason.
 */
import type { TaskOutcome } from "./completionTally.ts"
import { ConcurrencyMeter } from "./concurrencyMeter.ts"

export class RunLedger<Idle extends string> {
  readonly startedAt: number
  readonly meter: ConcurrencyMeter
  readonly outcomes: Record<TaskOutcome, number> = { Succeeded: 0, Failed: 0, TimedOut: 0, Interrupted: 0 }
  started = 0
  rejected = 0
  idle: Idle | undefined
  private idleSince: number
  private readonly idleMillis = new Map<Idle, number>()

  constructor(now: number) {
    this.startedAt = now
    this.idleSince = now
    this.meter = new ConcurrencyMeter(now)
  }

  start(now: number, inFlight: number): void {
    this.started++
    this.meter.change(now, inFlight)
  }

  end(now: number, inFlight: number, outcome: TaskOutcome, wasRejected: boolean): void {
    this.outcomes[outcome]++
    if (wasRejected) this.rejected++
    this.meter.change(now, inFlight)
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
