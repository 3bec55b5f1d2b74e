/**
 * The gate of a budget: how many permits there are, how many are in use, and whether another may be taken now.
 *
 * Checking and booking are one synchronous step, so that the budget cannot be overdrawn. `now` is always monotonic
 * milliseconds.
 */
import type { Closed } from "../../ConcurrencyGovernor.ts"
import * as ConcurrencySettings from "../../ConcurrencySettings.ts"
import { StartPace } from "./startPace.ts"

export class Gate {
  /** Permits in use. */
  current = 0
  /** How many permits may be in use. */
  desired: number
  /** What `current` may rise to, as things stand apart from the allowance and the rate cap. */
  cap: number
  settings: ConcurrencySettings.ConcurrencySettings
  private allowance = Infinity
  /** Whether only the minimum may start. */
  isHeldBack = false
  private readonly pace: StartPace

  constructor(settings: ConcurrencySettings.ConcurrencySettings) {
    this.settings = settings
    this.desired = settings.desiredConcurrency
    this.cap = this.desired
    this.pace = new StartPace(settings.maxTasksPerMinute)
  }

  /** Whether a task may start that takes so many permits. */
  isOpen(now: number, permits: number): boolean {
    return this.fits(permits) && this.pace.nextToken <= now &&
      (this.allowance >= 1 || this.current < this.settings.minConcurrency)
  }

  /** Why a task that takes so many permits may not start, or `undefined` where it may. */
  closedBy(now: number, permits: number): Closed | undefined {
    if (this.current >= this.desired) return "AtDesired"
    if (this.current >= this.settings.minConcurrency) {
      if (this.isHeldBack) return "Overloaded"
      if (this.allowance < 1) return "StartAllowanceSpent"
    }
    if (!this.fits(permits)) return "HeldForHeavier"
    return this.hasToken(now) ? undefined : "RateLimited"
  }

  /** Whether the rate cap lets a task start. */
  hasToken(now: number): boolean {
    return this.pace.nextToken <= now
  }

  /** How many permits a task takes: what is more than there are counts as all of them. */
  sizeOf(permits: number): number {
    return Math.min(permits, this.cap)
  }

  /** How many permits may be taken now, as far as is known now. */
  free(now: number): number {
    if (this.pace.nextToken > now) return 0
    const toMinimum = Math.max(0, this.settings.minConcurrency - this.current)
    const aboveMinimum = this.isHeldBack ? 0 : Math.max(0, Math.floor(this.allowance))
    const starts = Math.min(this.desired - this.current, Math.max(toMinimum, aboveMinimum))
    return this.settings.maxTasksPerMinute === Infinity ? starts : Math.min(1, starts)
  }

  /** When the rate cap has a token again. */
  get nextToken(): number {
    return this.pace.nextToken
  }

  /** Books a start that takes so many permits, 0 where it starts on those of another. */
  book(now: number, permits: number): void {
    this.current += permits
    this.allowance -= permits
    this.pace.take(now)
  }

  release(permits: number): void {
    this.current -= permits
  }

  /** How many tasks may start until this is set again. */
  allow(starts: number): void {
    this.allowance = starts
  }

  /** Lets only the minimum start, or no longer. */
  holdBack(isHeldBack: boolean): void {
    this.isHeldBack = isHeldBack
    this.setCap()
  }

  /** Sets how many permits there are, within the bounds; whether that is a change. */
  desire(concurrency: number): boolean {
    const before = this.desired
    this.desired = ConcurrencySettings.clamp(this.settings, concurrency)
    this.setCap()
    return this.desired !== before
  }

  /** Puts other bounds in force; the permits are set anew by {@link Gate.desire}. */
  bound(settings: ConcurrencySettings.ConcurrencySettings): void {
    this.settings = settings
    this.pace.limit(settings.maxTasksPerMinute)
  }

  /** Permits that are not in use. */
  get room(): number {
    return Math.max(0, this.cap - this.current)
  }

  /** Whether there is room for a task that takes so many permits. */
  fits(permits: number): boolean {
    return this.current + (permits === 1 ? 1 : this.sizeOf(permits)) <= this.cap
  }

  private setCap(): void {
    this.cap = this.isHeldBack ? Math.min(this.desired, this.settings.minConcurrency) : this.desired
  }
}
