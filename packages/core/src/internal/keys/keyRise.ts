/**
 * How far the limit of a key rises that is never refused: as long as its service does more the more it is asked at once.
 *
 * By one with each success the limit rises to twice as many, as far as it holds tasks back. Once enough tasks have ended
 * there, how many ran at a time and how long they took are compared with those at half the limit. Where twice as many take
 * half as long again, some only waited: the limit goes back to as many as the service was doing at once (Little's law), and
 * rests. What counts is how many ran, not the limit: where a pool has no room for as many as the key may run, the limit
 * tells nothing of the service.
 *
 * After a rest half of the limit is tried, and all is learned anew, so that the limit follows a service that does less than
 * it did, or more. A rest is some times as long as it took to find out, longer each time that nothing has changed. There is
 * none before half of the limit has turned out to be worse: where a service bears less than what the limit began with, it
 * goes down at once.
 */
import type { Adapting } from "./keyPlan.ts"
import { KeyWindow } from "./keyWindow.ts"

/** A task that has been served: how many ran when it ended, and whether the limit held others back while it ran. */
export interface Served {
  readonly now: number
  readonly startedAt: number
  readonly inUse: number
  readonly isHeldBack: boolean
}

/** How many ran at a time, and how long they took. */
interface Level {
  readonly inUse: number
  readonly duration: number
}

export class KeyRise {
  /** What the limit rises to. */
  private target = first
  private readonly window = new KeyWindow()
  /** What the last level was that helped; none where it is the first that is looked at. */
  private below: Level | undefined
  /** Whether half of the limit has turned out to be worse. */
  private isWorthIt = false
  private beganAt = Infinity
  private restsUntil = -Infinity
  private isResting = false
  /** Where the limit rested last. */
  private rested = 0
  private patience = leastPatience

  /** Gives back the next limit. */
  next(limit: number, { max, min }: Adapting, served: Served): number {
    const { inUse, now, startedAt, isHeldBack } = served
    if (now < this.restsUntil) return limit
    if (this.isResting) return isHeldBack ? this.beginAnew(limit, min, now, inUse) : limit
    this.beganAt = Math.min(this.beganAt, now)
    this.target = Math.min(this.target, max)
    if (isHeldBack && limit < this.target) return this.look(limit + 1, limit / 2)
    if (!this.window.add(now - startedAt, inUse)) return limit
    const verdict = this.judge(limit)
    if (verdict === "Unsure") return limit
    if (verdict === "Unused") return this.compareMore(limit)
    return verdict === "Helps" ? this.goOn(limit, max, now) : this.goBack(limit, min, served)
  }

  /** Looks at the tasks that end from now on, but for some. */
  private look(limit: number, skipped: number): number {
    this.window.empty(skipped)
    return limit
  }

  /** Too few more ran to be compared: more may, where the limit is the reason, else no more than did. */
  private compareMore(limit: number): number {
    const { peak } = this.window
    const helped = this.below?.inUse ?? 0
    if (peak >= limit && limit >= this.target) this.target = Math.max(limit + 1, Math.ceil(2 * helped))
    return this.look(Math.min(limit, Math.max(peak, Math.ceil(helped))), 0)
  }

  private judge(limit: number): "Unsure" | "Unused" | "Helps" | "Waits" {
    const { below } = this
    const { duration, ended, inUse, needed } = this.window
    const isThere = limit >= this.target
    if (ended < limit / 2 || ended < needed) return "Unsure"
    if (below === undefined) return isThere ? "Helps" : "Unsure"
    const enough = Math.max(limit, 2 * needed)
    const more = inUse / below.inUse
    if (more < discernible) return ended < 2 * enough ? "Unsure" : "Unused"
    // 0 where tasks take as long as they did, 1 where all that were added wait.
    const waiting = Math.log(duration / below.duration) / Math.log(Math.min(2, more))
    if (ended < enough) return isThere && waiting < clearly ? "Helps" : "Unsure"
    return waiting < tooMuch ? "Helps" : "Waits"
  }

  private goOn(limit: number, max: number, now: number): number {
    this.isWorthIt = this.below !== undefined
    this.below = { inUse: this.window.inUse, duration: this.window.duration }
    if (limit >= max) return this.rest(limit, now)
    if (limit >= this.target && this.window.peak >= limit) this.target = 2 * limit
    return this.look(limit, 0)
  }

  private goBack(limit: number, min: number, { inUse, now }: Served): number {
    const { below, window } = this
    if (below === undefined) return limit
    const used = limit < this.target ? window.inUse : limit
    const working = Math.ceil(Math.max(below.inUse, used * below.duration / window.duration))
    const next = Math.min(limit, working)
    return this.isWorthIt || next <= min ? this.rest(next, now) : this.beginAnew(next, min, this.beganAt, inUse)
  }

  private rest(limit: number, now: number): number {
    const isSame = limit < similar * this.rested && limit > this.rested / similar
    this.patience = isSame ? Math.min(mostPatience, 2 * this.patience) : leastPatience
    this.rested = limit
    this.isResting = true
    this.restsUntil = now + this.patience * (now - this.beganAt)
    return limit
  }

  private beginAnew(limit: number, min: number, beganAt: number, inUse: number): number {
    const half = Math.max(min, Math.floor(limit / 2))
    this.isResting = false
    this.isWorthIt = false
    this.below = undefined
    this.beganAt = beganAt
    this.target = half
    return this.look(half, inUse + half) // those that run began beside more
  }
}

/** Fewer tell little of a service. */
const first = 8
/** How many times as many must run for their durations to be compared. */
const discernible = 1.3
/** Where durations grow with this power of how many run, or faster, the others wait: by half for twice as many. */
const tooMuch = Math.log2(1.5)
/** Where they grow with less than this power, half as many tasks tell that the service does more. */
const clearly = 0.25
/** Limits that differ by less are the same. */
const similar = 1.3
/** How many times as long as it took to find a limit out it rests: at first, and where it has long been the same. */
const leastPatience = 4
const mostPatience = 16
