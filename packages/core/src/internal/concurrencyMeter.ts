/**
 * Time-weighted concurrency: the mean, the peak, and the share of time at or above a threshold, since a moment.
 */
export class ConcurrencyMeter {
  private since: number
  private lastChange: number
  private current: number
  private area = 0
  private saturatedTime = 0
  private threshold = Infinity
  peak = 0

  constructor(now: number, current = 0) {
    this.since = now
    this.lastChange = now
    this.current = current
    this.peak = current
  }

  change(now: number, current: number): void {
    this.advance(now)
    this.current = current
    if (current > this.peak) this.peak = current
  }

  saturateAt(now: number, threshold: number): void {
    this.advance(now)
    this.threshold = threshold
  }

  mean(now: number): number {
    this.advance(now)
    const elapsed = now - this.since
    return elapsed > 0 ? this.area / elapsed : this.current
  }

  saturatedShare(now: number): number {
    this.advance(now)
    const elapsed = now - this.since
    if (elapsed > 0) return this.saturatedTime / elapsed
    return this.current >= this.threshold ? 1 : 0
  }

  restart(now: number): void {
    this.since = now
    this.lastChange = now
    this.area = 0
    this.saturatedTime = 0
    this.peak = this.current
  }

  private advance(now: number): void {
    const elapsed = now - this.lastChange
    if (elapsed <= 0) return
    this.area += elapsed * this.current
    if (this.current >= this.threshold) this.saturatedTime += elapsed
    this.lastChange = now
  }
}
