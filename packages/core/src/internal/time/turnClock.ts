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
  private reading: number
  private usesLeft = 0
  private usesOfReading = 1
  private hasReset = false

  constructor(now: () => number, later: (turn: () => void) => void) {
    this.now = now
    this.later = later
    this.reading = now()
  }

  read(): number {
    if (this.usesLeft > 0) {
      this.usesLeft--
      this.usesOfReading++
      return this.reading
    }
    return this.readNow()
  }

  readNow(): number {
    const previous = this.reading
    this.reading = this.now()
    if (this.reading - previous < closeTogether * this.usesOfReading) this.share()
    else this.usesLeft = 0
    this.usesOfReading = 1
    return this.reading
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
