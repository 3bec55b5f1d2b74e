/**
 * The tasks of a key that have ended under one limit: how many ran at a time, how long they took, and whether these are
 * enough to tell.
 */
export class KeyWindow {
  ended = 0
  /** The most that ran at a time. */
  peak = 0
  private durations = 0
  private squares = 0
  private inUses = 0
  /** Of so many that end first nothing is learned: they began under another limit. */
  private skipped = 0

  /** Whether it counts. */
  add(duration: number, inUse: number): boolean {
    if (this.skipped > 0) {
      this.skipped--
      return false
    }
    this.ended++
    this.durations += duration
    this.squares += duration * duration
    this.inUses += inUse
    if (inUse > this.peak) this.peak = inUse
    return true
  }

  empty(skipped: number): void {
    this.skipped = skipped
    this.ended =
      this.durations =
      this.squares =
      this.inUses =
        0
  }

  get duration(): number {
    return this.durations / this.ended
  }

  /** How many ran at a time, in the mean of when one ended. */
  get inUse(): number {
    return this.inUses / this.ended
  }

  /** How many tell how long tasks take: the more, the more that varies. */
  get needed(): number {
    const variance = this.squares / this.ended / this.duration ** 2 - 1
    return Math.min(most, Math.max(fewest, perVariance * variance))
  }
}

const fewest = 12
const most = 60
/** So many for each unit of the squared coefficient of variation give the mean within a fifth of it. */
const perVariance = 30
