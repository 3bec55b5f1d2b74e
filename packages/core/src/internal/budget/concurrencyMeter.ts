/**
 * Concurrency over time: how many tasks were in flight for how long, and for how long they were enough to saturate.
 *
 * Totals only grow; whoever wants to know about a span of time keeps the totals of its beginning.
 */
export interface ConcurrencyTotals {
  readonly time: number
  /** Tasks times milliseconds. */
  readonly area: number
  readonly saturatedTime: number
}

export class ConcurrencyMeter {
  peak = 0
  private current = 0
  private threshold = Infinity
  private time: number
  private area = 0
  private saturatedTime = 0

  constructor(now: number) {
    this.time = now
  }

  change(now: number, current: number): void {
    if (now > this.time) this.advance(now)
    this.current = current
    if (current > this.peak) this.peak = current
  }

  saturateAt(now: number, threshold: number): void {
    this.advance(now)
    this.threshold = threshold
  }

  totals(now: number): ConcurrencyTotals {
    this.advance(now)
    return { time: this.time, area: this.area, saturatedTime: this.saturatedTime }
  }

  /** The mean since a moment; the concurrency of now where no time has passed. */
  meanSince({ area, time }: ConcurrencyTotals, now: number): number {
    this.advance(now)
    return this.time > time ? (this.area - area) / (this.time - time) : this.current
  }

  /** The share of the time since a moment in which the threshold was reached. */
  saturatedShareSince({ saturatedTime, time }: ConcurrencyTotals, now: number): number {
    this.advance(now)
    if (this.time > time) return (this.saturatedTime - saturatedTime) / (this.time - time)
    return this.current >= this.threshold ? 1 : 0
  }

  private advance(now: number): void {
    const elapsed = now - this.time
    if (elapsed <= 0) return
    this.area += elapsed * this.current
    if (this.current >= this.threshold) this.saturatedTime += elapsed
    this.time = now
  }
}
