/**
 * The one thread that runs JavaScript: synchronous pieces of work, first come first served.
 */
import type { VirtualTime } from "./virtualTime.ts"

export class JsThread {
  private readonly time: VirtualTime
  private freeAt = 0
  private booked = 0

  constructor(time: VirtualTime) {
    this.time = time
  }

  run(millis: number, done: () => void): void {
    this.freeAt = Math.max(this.freeAt, this.time.now) + millis
    this.booked += millis
    this.time.at(this.freeAt, done)
  }

  /** How late a timer that is due now would fire. */
  lateness(): number {
    return Math.max(0, this.freeAt - this.time.now)
  }

  /** Milliseconds for which the thread was busy. */
  busy(): number {
    return this.booked - this.lateness()
  }

  /** A new process begins with an empty queue. */
  reset(): void {
    this.booked -= this.lateness()
    this.freeAt = this.time.now
  }
}
