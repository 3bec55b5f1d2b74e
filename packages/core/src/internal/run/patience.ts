/**
 * How long a run that ends waits for what it has interrupted and is no task: warns once, and gives up where there is a limit.
 */
import type { Alarm } from "../time/alarm.ts"
import { longFinalizer } from "./timeLimits.ts"

export class Patience {
  private since: number | undefined
  private warnAfter: number
  private readonly limit: number
  private readonly alarm: Alarm
  private readonly warn: (waited: number) => void
  private readonly giveUp: () => void

  constructor(options: {
    /** Milliseconds; Infinity for no limit. */
    readonly limit: number
    readonly makeAlarm: (ring: () => void) => Alarm
    readonly now: () => number
    readonly warn: (waited: number) => void
    readonly giveUp: () => void
  }) {
    this.limit = options.limit
    this.warnAfter = Math.min(longFinalizer, options.limit)
    this.warn = options.warn
    this.giveUp = options.giveUp
    this.alarm = options.makeAlarm(() => this.look(options.now()))
  }

  /** From now on nothing else is waited for; without effect where that was so before. */
  begin(now: number): void {
    if (this.since !== undefined) return
    this.since = now
    this.setAlarm(now, now)
  }

  /** How many milliseconds it has waited, and are left until the warning, if it has not been given, and until the end. */
  at(now: number): { readonly waited: number; readonly untilWarning: number; readonly untilEnd: number } {
    const waited = now - (this.since ?? now)
    return {
      waited,
      untilWarning: Math.max(0, this.warnAfter - waited),
      untilEnd: Math.max(0, this.limit - waited)
    }
  }

  end(): void {
    this.alarm.clear()
  }

  private look(now: number): void {
    const { since } = this
    if (since === undefined) return
    const waited = now - since
    if (waited >= this.warnAfter) {
      this.warnAfter = Infinity
      this.warn(waited)
    }
    if (waited >= this.limit) return this.giveUp()
    this.setAlarm(since, now)
  }

  private setAlarm(since: number, now: number): void {
    const next = since + Math.min(this.warnAfter, this.limit)
    if (next < Infinity) this.alarm.setAt(next, now)
  }
}
