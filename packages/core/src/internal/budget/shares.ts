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
 * - `request`: permits that its next request is for.
 * - `state`: `Content` where it wants no permit, `Answering` where it looks for work, and wants a permit as soon as there is some.
 */
export interface Share extends Row {
  weight: number
  minimum: number
  permits: number
  request: number
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
    const share: Share = { weight, minimum, permits: 0, request: 1, state: "Content", row: -1 }
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
  }

  /** It waits for so many permits. */
  want(share: Share, request: number, now: number): void {
    if (share.state !== "Waiting") this.turn(share, "Waiting", now)
    if (share.request === request) return
    this.heavy += Number(request > 1) - Number(share.request > 1)
    share.request = request
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
    if (this.rows.waiting <= 1) return this.rows.first
    const owed = this.minimums > 0 ? this.belowMinimum(now) : undefined
    if (owed !== undefined) return owed
    if (this.heavy > 0) return this.nextOfSizes(now)
    const { level, rows } = this
    return rows.leastNext(level + tiny) ?? rows.leastUsed(now, level - tiny) ?? rows.leastUsed(now, Infinity)
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
    let permits = Math.max(0, this.capacity - this.inUse + this.waitingPermits)
    let weight = this.waitingWeight.value
    if (this.minimums === 0) return permits / weight
    const byMinimum = this.rows.listWaiting().filter(({ minimum }) => minimum > 0)
      .toSorted((a, b) => b.minimum / b.weight - a.minimum / a.weight)
    for (const share of byMinimum) {
      if (share.minimum * weight <= permits * share.weight) break
      permits = Math.max(0, permits - share.minimum)
      weight -= share.weight
    }
    return weight > tiny * this.waitingWeight.value ? permits / weight : 0
  }

  private belowMinimum(now: number): Share | undefined {
    const below = this.rows.listWaiting().filter(({ minimum, permits }) => permits < minimum)
    if (below.length === 0) return undefined
    const served = ({ minimum, permits }: Share) => permits / minimum
    return below.reduce((least, share) => {
      const more = served(share) - served(least) || this.rows.used(share, now) - this.rows.used(least, now)
      return more < 0 ? share : least
    })
  }

  /** The same rule where some requests are for several permits. */
  private nextOfSizes(now: number): Share | undefined {
    const { level, rows } = this
    const waiting = rows.listWaiting().toSorted((a, b) => rows.used(a, now) - rows.used(b, now))
    const isBelow = ({ permits, weight }: Share) => permits / weight < level - tiny
    const [first] = waiting
    if (first.request > 1 && isBelow(first)) return first // it has had least: free permits are kept for it
    const whole = waiting.reduce((least, share) => this.levelAfter(share) < this.levelAfter(least) ? share : least)
    if (this.levelAfter(whole) <= level + tiny) return whole
    return waiting.find((share) => share.request === 1 && isBelow(share)) ??
      waiting.find(({ request }) => this.fits(request)) ?? first
  }

  /** Permits per weight that it would hold. */
  private levelAfter({ permits, request, weight }: Share): number {
    return (permits + this.sizeOf(request)) / weight
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
