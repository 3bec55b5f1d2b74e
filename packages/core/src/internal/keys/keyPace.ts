/**
 * The pace of a key whose service refuses even the fewest tasks at once: what it counts are starts per second, and only
 * fewer starts help.
 *
 * What the service has served between two refusals gives two rates: one over the whole time, the pause for the first
 * refusal included, which it bears, and one over the time in which the key was open, which it does not. Starts are paced by
 * the first, and faster as long as that is borne, up to just below the second. A key that had nothing to do says nothing of
 * a rate, so that time does not count.
 *
 * A service may also refuse now and then however slowly it is asked. Where one pace after the other is refused as well, each
 * slower than the one before, the pace is no remedy, and there is none until the service has served for long.
 */
export class KeyPace {
  /** Milliseconds between two starts; 0 for no pace. */
  interval = 0
  /** Milliseconds between two starts that were refused. */
  private refused = 0
  /** How many have been served at this pace, and since when: later by as long as there was nothing to do. */
  private served = 0
  private since: number
  /** For how much of that time the key was closed. */
  private closedFor = 0
  private endedAt: number
  /** Whether this pace may be refused, as it is tried. */
  private isTried = false
  /** How many paces that were to help have been refused soon, and how many tasks have been served since the last refusal. */
  private inVain = 0
  private streak = 0

  constructor(now: number) {
    this.since = this.endedAt = now
  }

  /** A task starts beside no other; the key was open since `openedAt`. */
  start(now: number, openedAt: number): void {
    this.since += Math.max(0, now - Math.max(this.endedAt + this.interval, openedAt))
  }

  succeed(now: number): void {
    this.served++
    if (++this.streak >= longStreak) this.inVain = 0
    this.endedAt = now
    if (this.isBorne && this.interval > slower * this.refused) {
      this.set(Math.max(slower * this.refused, this.interval / step), now, 0)
    }
  }

  /** The service refuses, and the key closes; `isLeast`: with as few tasks at once as there may be. */
  refuse(now: number, closedFor: number, isLeast: boolean): void {
    const { interval, served } = this
    const elapsed = now - this.since
    const hasRate = isLeast && served > 0 && (interval > 0 || this.closedFor > 0)
    if (interval > 0 && !this.isTried && !this.isBorne) this.inVain++
    this.streak = 0
    if (hasRate) this.refused = (elapsed - this.closedFor) / served
    const next = hasRate ? slower * elapsed / served : interval
    this.set(this.inVain < mostInVain ? next : 0, now, closedFor)
  }

  /** Tries a pace that may have been refused, where the one in force has been borne; whether it has been. */
  try(now: number): boolean {
    if (!this.isBorne) return false
    this.refused = this.interval / slower
    this.set(this.refused, now, 0)
    this.isTried = true
    return true
  }

  /** From now on there is no pace. */
  end(now: number): void {
    this.inVain = 0
    if (this.interval > 0) this.set(0, now, 0)
  }

  private get isBorne(): boolean {
    return this.interval > 0 && this.served >= startsOfStep
  }

  private set(interval: number, now: number, closedFor: number): void {
    this.interval = interval
    this.served = 0
    this.since = this.endedAt = now
    this.closedFor = closedFor
    this.isTried = false
  }
}

/** How much slower than what was refused. */
const slower = 1.05
/** By how much the pace rises while it is far from that, and how many starts show that it is borne. */
const step = 1.1
const startsOfStep = 10
/** How many paces may be refused soon before it is clear that they are no remedy, unless so many are served in between. */
const mostInVain = 8
const longStreak = 100
