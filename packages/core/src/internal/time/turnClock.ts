/**
 * Monotonic time, read at most once for many things that happen in the same turn of the event loop.
 *
 * A reading costs as much as a good part of dispatching a task. Things that follow each other within microseconds share
 * one, so that its error stays far below a millisecond; a reading is never kept beyond the turn.
 */

/** How many uses may share a reading, and how close they must follow each other, in milliseconds. */
const maxUses = 32
const closeTogether = 0.02

export class TurnClock {
  private readonly now: () => number
  private readonly later: (turn: () => void) => void
  /** The last reading. */
  time: number
  private isBehind = false
  private usesLeft = 0
  private usesOfReading = 1
  private hasReset = false

  constructor(now: () => number, later: (turn: () => void) => void) {
    this.now = now
    this.later = later
    this.time = now()
  }

  read(): number {
    this.isBehind = false
    if (this.usesLeft === 0) return this.readNow()
    this.usesLeft--
    this.usesOfReading++
    return this.time
  }

  /** The last reading, or a new one where time was spent since. */
  catchUp(): number {
    return this.isBehind ? this.read() : this.time
  }

  /** Code of others has run since the last reading. */
  fallBehind(): void {
    this.isBehind = true
  }

  private readNow(): number {
    const previous = this.time
    this.time = this.now()
    if (this.time - previous < closeTogether * this.usesOfReading) this.share()
    else this.usesLeft = 0
    this.usesOfReading = 1
    return this.time
  }

  private share(): void {
    this.usesLeft = maxUses
    if (this.hasReset) return
    this.hasReset = true
    this.later(this.endTurn)
  }

  private readonly endTurn = (): void => {
    this.hasReset = false
    this.usesLeft = 0
  }
}
