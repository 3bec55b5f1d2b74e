/**
 * How far the limit of a key rises that is never refused: as long as its service does more the more it is asked at once.
 *
 * Up to eight each success raises the limit by one. From there it rises to twice as many at a time, and stays until so many
 * tasks have ended that their durations can be told from those at half the limit. Where they take half as long again or
 * more, the others waited: the limit goes back to as many as the service was doing at once (Little's law), and tries again
 * when thirty times as long has passed as it took to find out.
 */
export class KeyRise {
  /** What the limit rises to, and since when it is there. */
  private target = first
  private reachedAt = Infinity
  private ended = 0
  private total = 0
  /** The mean duration at half the limit. */
  private usual: number | undefined
  private triesAt = -Infinity

  /** A task has been served under this limit; gives back the next one. */
  next(limit: number, now: number, startedAt: number): number {
    if (now < this.triesAt) return limit
    if (limit < this.target) return this.climb(limit + 1, now)
    if (startedAt < this.reachedAt) return limit
    this.total += now - startedAt
    if (++this.ended < Math.max(fewest, limit)) return limit
    return this.judge(limit, this.total / this.ended, now)
  }

  private climb(limit: number, now: number): number {
    if (limit >= this.target) this.reachedAt = now
    this.ended = this.total = 0
    return limit
  }

  private judge(limit: number, mean: number, now: number): number {
    const { usual } = this
    if (usual === undefined || mean < longer * usual) {
      this.usual = mean
      this.target = 2 * limit
      return this.climb(limit, now)
    }
    const working = Math.max(limit / 2, Math.ceil(limit * usual / mean))
    this.triesAt = now + patience * (now - this.reachedAt)
    this.target = 2 * working
    return this.climb(working, now)
  }
}

/** Fewer tell nothing of a service. */
const first = 8
/** How many durations tell how long tasks take. */
const fewest = 24
const longer = 1.5
const patience = 30
