/**
 * The cap on task starts per minute: a token bucket that holds one token, so that starts are evenly paced.
 *
 * It is kept as the moment of the next token (the virtual scheduling of the generic cell rate algorithm, ITU-T I.371).
 * A token that comes due while nobody can take it on time is not lost to timer lateness: up to `slack` of it is kept.
 */
const slack = 50

export class StartPace {
  private interval = 0
  /** When the next task may start, in the past where it may start now. */
  nextToken = -Infinity

  constructor(maxTasksPerMinute: number) {
    this.limit(maxTasksPerMinute)
  }

  limit(maxTasksPerMinute: number): void {
    const interval = 60_000 / maxTasksPerMinute
    this.nextToken += interval - this.interval
    this.interval = interval
  }

  take(now: number): void {
    if (this.interval === 0) return
    const lateness = Math.max(0, slack - this.interval)
    this.nextToken = Math.max(this.nextToken, now - lateness) + this.interval
  }
}
