/**
 * What its user holds a pool back with: a pause that `resume` ends, and a time before which nothing starts.
 */
export class Hold {
  isPaused = false
  /** Monotonic milliseconds until which nothing starts. */
  until = -Infinity

  /** Whether nothing may start at `now`. */
  closes(now: number): boolean {
    return this.isPaused || this.until > now
  }

  /** Holds until `until` at least: an earlier end cuts nothing short. Whether that changes anything. */
  extend(until: number): boolean {
    if (until <= this.until) return false
    this.until = until
    return true
  }
}
