/**
 * Who gets the next permit of a budget that several consumers share.
 *
 * Each consumer that waits is owed its share by weight of what the others leave (max-min fairness, found by water-filling).
 * Permits are whole and shares are not, so the whole part of every share is served first, and what is left over goes by
 * turns to whoever has had the least permit-time for its weight. What nobody is owed is lent. A consumer that did not wait
 * saves nothing up: when it comes back, it counts as having had at least as much as the average.
 *
 * A request for several permits that is next by right is not overtaken: free permits are kept until it fits.
 */
import { type Row, ShareRows } from "./shareRows.ts"
import { WeightSum } from "./weightSum.ts"

/**
 * A consumer as the shares see it; only {@link Shares} changes it.
 *
 * - `minimum`: permits that it gets before anyone gets more than this.
 * - `permits`: those in use.
 * - `request`: permits that its next request is for; `size`: how many of them it takes, as there may be fewer.
 * - `state`: `Content` where it wants no permit, `Answering` where it looks for work, and wants a permit as soon as there is some.
 */
export interface Share extends Row {
  weight: number
  minimum: number
  permits: number
  request: number
  size: number
  state: "Content" | "Answering" | "Waiting"
}

/** Differences below this are those of rounding. */
const tiny = 1e-9

export class Shares {
  /** Permits in use, of all. */
  inUse = 0
  private capacity: number
  private readonly rows = new ShareRows<Share>()
  private readonly waitingWeight = new WeightSum()
  private waitingPermits = 0
  /** Requests of those that wait that are for more than one permit. */
  private heavy = 0
  private readonly answeringWeight = new WeightSum()
  private answeringPermits = 0
  /** Consumers that have a minimum. */
  private minimums = 0
  /** Of those that wait or hold permits, with what they have had on average: permit-time over weight. */
  private readonly activeWeight = new WeightSum()
  private average = 0
  private averagedAt = 0
  /** Permits per weight of those that wait, while nothing has changed it. */
  private knownLevel: number | undefined

  constructor(capacity: number) {
    this.capacity = capacity
  }

  join(weight: number, minimum: number): Share {
    const share: Share = { weight, minimum, permits: 0, request: 1, size: 1, state: "Content", row: -1 }
    this.rows.add(share)
    if (minimum > 0) this.minimums++
    return share
  }

  /** Call it when its last permit has been released. */
  leave(share: Share, now: number): void {
    this.turn(share, "Content", now)
    if (share.minimum > 0) this.minimums--
    this.rows.remove(share)
  }

  /** Sets what a consumer is owed. */
  adjust(share: Share, weight: number, minimum: number, now: number): void {
    const { state } = share
    this.turn(share, "Content", now)
    if (share.permits > 0) {
      this.activeWeight.remove(share.weight)
      this.activeWeight.add(weight)
    }
    this.minimums += Number(minimum > 0) - Number(share.minimum > 0)
    share.weight = weight
    share.minimum = minimum
    this.rows.update(share, now)
    this.turn(share, state, now)
  }

  /** Sets how many permits there are. */
  resize(capacity: number): void {
    if (capacity === this.capacity) return
    this.capacity = capacity
    this.knownLevel = undefined
    if (this.heavy === 0) return
    for (let row = 0; row < this.rows.waiting; row++) this.measure(this.rows.at(row))
  }

  /** It waits for so many permits. */
  want(share: Share, request: number, now: number): void {
    if (share.state !== "Waiting") this.turn(share, "Waiting", now)
    if (share.request === request) return
    this.heavy += Number(request > 1) - Number(share.request > 1)
    share.request = request
    this.measure(share)
  }

  /** It waits for no permit any more. */
  pass(share: Share, state: "Content" | "Answering", now: number): void {
    if (share.state !== state) this.turn(share, state, now)
  }

  book(share: Share, permits: number, now: number): void {
    this.change(share, permits, now)
  }

  release(share: Share, permits: number, now: number): void {
    this.change(share, -permits, now)
  }

  /** How many permits a request takes: what is more than there are counts as all of them. */
  sizeOf(request: number): number {
    return request > this.capacity ? Math.max(1, this.capacity) : request
  }

  /** Whether a request fits beside what is in use. */
  fits(request: number): boolean {
    return this.inUse + this.sizeOf(request) <= this.capacity
  }

  /**
   * Whose request is next, while fewer permits are in use than there are; `undefined` where nobody waits. A request that
   * does not fit is waited for.
   */
  next(now: number): Share | undefined {
    const { rows } = this
    if (rows.waiting <= 1) return rows.first
    const owed = this.minimums > 0 ? this.belowMinimum(now) : undefined
    if (owed !== undefined) return owed
    const { level } = this
    if (this.heavy > 0) {
      const first = rows.leastUsed(now, Infinity, Infinity)
      const isBelow = first !== undefined && first.permits / first.weight < level - tiny
      if (isBelow && first.request > 1) return first // it has had least: free permits are kept for it
    }
    return rows.leastNext(level + tiny, now) ?? rows.leastUsed(now, level - tiny, 1) ??
      rows.leastUsed(now, Infinity, this.capacity - this.inUse) ?? rows.leastUsed(now, Infinity, Infinity)
  }

  /** What a consumer is owed, or would be if it waited, in permits. */
  owed(share: Share): number {
    const level = share.state === "Waiting" ? this.level : this.levelWith(share, 0, 0)
    return Math.min(this.capacity, Math.max(share.minimum, level * share.weight))
  }

  /** What it may hold and look for work for, beside all others that wait or look for work; in permits. */
  claim(share: Share): number {
    const level = this.levelWith(share, this.answeringPermits, this.answeringWeight.value)
    return Math.max(share.minimum, Math.ceil(level * share.weight - tiny))
  }

  private get level(): number {
    return this.knownLevel ??= this.fill()
  }

  /** The level of those that wait, with others and, if it is not among them, with this one. */
  private levelWith(share: Share, permits: number, weight: number): number {
    const counts = share.state === "Content" || (share.state === "Answering" && weight === 0) ? 1 : 0
    const held = this.waitingPermits + permits + counts * share.permits
    return Math.max(0, this.capacity - this.inUse + held) / (this.waitingWeight.value + weight + counts * share.weight)
  }

  /** Water-filling over those that wait; whoever is owed more by its minimum than by its weight is owed that. */
  private fill(): number {
    const permits = Math.max(0, this.capacity - this.inUse + this.waitingPermits)
    let level = permits / this.waitingWeight.value
    if (this.minimums === 0) return level
    // Each round leaves out those that the level of the one before gives less than their minimum, so it falls to its place.
    for (let left = this.minimums; left > 0; left--) {
      const next = this.levelBeside(permits, level)
      if (next >= level) break
      level = next
    }
    return level
  }

  /** The level of those whose minimum is no more than `level` gives them, beside the minimums of the others. */
  private levelBeside(permits: number, level: number): number {
    const { rows } = this
    let rest = permits
    let weight = 0
    for (let row = 0; row < rows.waiting; row++) {
      const share = rows.at(row)
      if (share.minimum > level * share.weight) rest -= share.minimum
      else weight += share.weight
    }
    return weight > 0 ? Math.max(0, rest) / weight : 0
  }

  /** Of those that hold less than their minimum, who holds least of it. */
  private belowMinimum(now: number): Share | undefined {
    const { rows } = this
    let least: Share | undefined
    for (let row = 0; row < rows.waiting; row++) {
      const share = rows.at(row)
      if (share.permits >= share.minimum) continue
      const more = least === undefined ? -1 : share.permits / share.minimum - least.permits / least.minimum ||
        rows.used(share, now) - rows.used(least, now)
      if (more < 0) least = share
    }
    return least
  }

  /** What its request takes may have changed. */
  private measure(share: Share): void {
    share.size = this.sizeOf(share.request)
    this.rows.request(share)
  }

  private turn(share: Share, state: Share["state"], now: number): void {
    this.advance(now)
    const wasActive = isActive(share)
    this.leaveState(share)
    share.state = state
    this.enterState(share, now)
    this.activate(share, wasActive)
    this.knownLevel = undefined
  }

  private leaveState(share: Share): void {
    if (share.state === "Waiting") {
      this.rows.rest(share)
      this.waitingWeight.remove(share.weight)
      this.waitingPermits -= share.permits
      if (share.request > 1) this.heavy--
    } else if (share.state === "Answering") {
      this.answeringWeight.remove(share.weight)
      this.answeringPermits -= share.permits
    }
  }

  private enterState(share: Share, now: number): void {
    if (share.state === "Waiting") {
      this.rows.wait(share)
      this.measure(share)
      this.rows.raise(share, this.average, now)
      this.waitingWeight.add(share.weight)
      this.waitingPermits += share.permits
      if (share.request > 1) this.heavy++
    } else if (share.state === "Answering") {
      this.answeringWeight.add(share.weight)
      this.answeringPermits += share.permits
    }
  }

  private change(share: Share, permits: number, now: number): void {
    this.advance(now)
    const wasActive = isActive(share)
    this.inUse += permits
    share.permits += permits
    this.rows.update(share, now)
    if (share.state === "Waiting") this.waitingPermits += permits
    else this.knownLevel = undefined
    if (share.state === "Answering") this.answeringPermits += permits
    this.activate(share, wasActive)
  }

  private activate(share: Share, wasActive: boolean): void {
    if (wasActive === isActive(share)) return
    if (wasActive) this.activeWeight.remove(share.weight)
    else this.activeWeight.add(share.weight)
  }

  /** Charges the time that has passed to the average. */
  private advance(now: number): void {
    const elapsed = now - this.averagedAt
    this.averagedAt = now
    if (elapsed > 0 && this.inUse > 0) this.average += elapsed * this.inUse / this.activeWeight.value
  }
}

const isActive = ({ permits, state }: Share): boolean => permits > 0 || state === "Waiting"
