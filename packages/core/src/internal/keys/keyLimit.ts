/**
 * The limit of one key, found from what its service says: additive increase, multiplicative decrease, as TCP has it
 * (Chiu and Jain, 1989), with the last refusal remembered, as CUBIC does (RFC 9438).
 *
 * Until the first refusal each success raises it by one. A refusal halves it; from there it rises by one for as many
 * successes as it allows, up to just below where it was refused, and from there on rarely: each further step is tried after
 * half as many successes as the one before. Refusals of tasks that ran at the same time are one event: those of tasks which
 * started before the last cut say nothing new.
 *
 * A service that says how long to wait closes the key for that time; else, or where it says 0, the key is closed for a
 * second, and for twice as long with each further event, up to a minute, until a task is served. A part of that is drawn at
 * random, so that many clients do not come back at once.
 */
import type { Adapting } from "./keyPlan.ts"

const firstPause = 1_000
const longestPause = 60_000
/** What a key begins with. */
const initial = 2
/** How many times as many successes as the limit allows it takes to try more than was refused. */
const caution = 300

export class KeyLimit {
  /** Refusals that were events of their own. */
  refusals = 0
  closedUntil = -Infinity
  private limit = initial
  /** How many tasks ran when the service refused last. */
  private ceiling = Infinity
  private caution = caution
  private cutAt = -Infinity
  private pause = 0
  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  /** How many tasks may run at once by what the service has said. */
  value(adapt: Adapting | undefined): number {
    return adapt === undefined ? Infinity : Math.floor(within(adapt, this.limit))
  }

  /** Whether anything has been learned that would be lost with it. */
  hasMemory(now: number): boolean {
    return this.refusals > 0 || this.closedUntil > now || this.limit !== initial
  }

  /** A task has been served; `inUse` is how many ran when it ended. */
  succeed(startedAt: number, inUse: number, adapt: Adapting | undefined): void {
    if (startedAt >= this.cutAt) this.pause = 0
    if (adapt === undefined || inUse < this.limit / 2) return // a limit that is not used says nothing
    const before = Math.floor(this.limit)
    this.limit = Math.min(adapt.max, within(adapt, this.limit) + this.step())
    if (before >= this.ceiling && Math.floor(this.limit) > before) this.caution = Math.max(1, this.caution / 2)
  }

  /** The service has refused a task, and said after how many milliseconds to come back; 0 where it did not. */
  refuse(now: number, startedAt: number, retryAfter: number, inUse: number, adapt: Adapting | undefined): void {
    if (retryAfter > 0) this.closedUntil = Math.max(this.closedUntil, now + retryAfter)
    if (startedAt < this.cutAt) return
    this.refusals++
    this.cutAt = now
    if (adapt !== undefined) {
      const limit = Math.floor(within(adapt, this.limit))
      this.ceiling = Math.max(adapt.min + 1, Math.min(limit, inUse))
      this.caution = caution
      this.limit = Math.max(adapt.min, limit / 2)
    }
    if (retryAfter > 0) return
    this.pause = Math.min(longestPause, Math.max(firstPause, 2 * this.pause))
    this.closedUntil = Math.max(this.closedUntil, now + this.pause * (0.5 + this.random() / 2))
  }

  private step(): number {
    if (this.ceiling === Infinity) return 1
    const once = 1 / this.limit
    return this.limit < this.ceiling - 1 ? Math.min(once, this.ceiling - 1 - this.limit) : once / this.caution
  }
}

const within = ({ max, min }: Adapting, limit: number): number => Math.min(max, Math.max(min, limit))
