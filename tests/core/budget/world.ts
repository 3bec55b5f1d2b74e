/**
 * Consumers of shares in virtual time: each has tasks of its own weight and durations, joins, leaves, rests and waits, and
 * what must always hold is looked at after each grant.
 */
import { assert } from "@effect/vitest"
import { type Share, Shares } from "../../../packages/core/src/internal/budget/shares.ts"

export interface Consumer {
  readonly name: string
  readonly share: Share
  readonly durations: () => number
  request: number
  isBacklogged: boolean
  /** Permits times milliseconds that it has had. */
  had: number
  waitingSince: number
  longestWait: number
}

interface Running {
  readonly consumer: Consumer
  readonly permits: number
  readonly until: number
}

/** Numbers from 0 to 1 that a seed decides. */
export const randomFrom = (seed: number) => {
  let state = seed * 2_654_435_761 % 4_294_967_296
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What a consumer is owed: as much as its weight and its minimum say, found by halving. */
export const waterFilling = (
  available: number,
  consumers: ReadonlyArray<{ readonly weight: number; readonly minimum: number }>
): ReadonlyArray<number> => {
  const owedAt = (level: number) => consumers.map(({ minimum, weight }) => Math.max(minimum, level * weight))
  const sum = (owed: ReadonlyArray<number>) => owed.reduce((sum, each) => sum + each, 0)
  let low = 0
  let high = available / Math.min(...consumers.map(({ weight }) => weight))
  for (let n = 0; n < 120; n++) {
    const middle = (low + high) / 2
    if (sum(owedAt(middle)) > available) high = middle
    else low = middle
  }
  return owedAt(low)
}

export class World {
  readonly shares: Shares
  readonly consumers: Array<Consumer> = []
  now = 0
  desired: number
  /** Whether all that must hold is looked at after each grant; a long time is passed without. */
  isWatched = true
  private running: Array<Running> = []

  constructor(desired: number) {
    this.desired = desired
    this.shares = new Shares(desired)
  }

  join(
    name: string,
    weight: number,
    options: { readonly minimum?: number; readonly durations?: () => number; readonly request?: number } = {}
  ): Consumer {
    const consumer: Consumer = {
      name,
      share: this.shares.join(weight, options.minimum ?? 0),
      durations: options.durations ?? (() => 1),
      request: options.request ?? 1,
      isBacklogged: true,
      had: 0,
      waitingSince: this.now,
      longestWait: 0
    }
    this.consumers.push(consumer)
    this.shares.want(consumer.share, consumer.request, this.now)
    this.grant()
    return consumer
  }

  rest(consumer: Consumer): void {
    consumer.isBacklogged = false
    this.shares.pass(consumer.share, "Content", this.now)
    this.grant()
  }

  want(consumer: Consumer): void {
    consumer.isBacklogged = true
    consumer.waitingSince = this.now
    this.shares.want(consumer.share, consumer.request, this.now)
    this.grant()
  }

  /** Leaves as soon as it holds nothing. */
  leave(consumer: Consumer): void {
    this.rest(consumer)
    while (consumer.share.permits > 0) this.step()
    this.shares.leave(consumer.share, this.now)
    this.consumers.splice(this.consumers.indexOf(consumer), 1)
  }

  resize(desired: number): void {
    this.desired = desired
    this.shares.resize(desired)
    this.grant()
  }

  /** Lets the next task end, and gives what it held to whoever is next. */
  step(): void {
    const next = this.running.reduce((first, task) => task.until < first.until ? task : first)
    this.pass(next.until)
    this.running.splice(this.running.indexOf(next), 1)
    this.shares.release(next.consumer.share, next.permits, this.now)
    this.grant()
  }

  run(until: number): void {
    this.isWatched = false
    while (this.running.some((task) => task.until <= until)) this.step()
    this.pass(until)
    this.isWatched = true
  }

  drain(): void {
    for (const consumer of this.consumers) if (consumer.isBacklogged) this.rest(consumer)
    while (this.running.length > 0) this.step()
  }

  /** What each that waits is owed, worked out another way. */
  owed(): ReadonlyMap<Consumer, number> {
    const waiting = this.consumers.filter(({ isBacklogged }) => isBacklogged)
    const others = this.consumers.filter(({ isBacklogged }) => !isBacklogged)
    const available = Math.max(0, this.desired - others.reduce((sum, { share }) => sum + share.permits, 0))
    const owed = waiting.length === 0 ? [] : waterFilling(available, waiting.map(({ share }) => share))
    return new Map(waiting.map((consumer, index) => [consumer, owed[index]]))
  }

  resetFigures(): void {
    for (const consumer of this.consumers) {
      consumer.had = 0
      consumer.longestWait = 0
      consumer.waitingSince = this.now
    }
  }

  private pass(until: number): void {
    for (const consumer of this.consumers) consumer.had += consumer.share.permits * (until - this.now)
    this.now = until
  }

  private grant(): void {
    while (this.shares.inUse < this.desired) {
      const share = this.shares.next(this.now)
      if (share === undefined) break
      const consumer = this.consumers.find((consumer) => consumer.share === share)
      if (consumer === undefined) throw new Error("who is next has left")
      if (!this.shares.fits(share.request)) break
      this.shares.book(share, consumer.request, this.now)
      this.running.push({ consumer, permits: consumer.request, until: this.now + consumer.durations() })
      consumer.longestWait = Math.max(consumer.longestWait, this.now - consumer.waitingSince)
      consumer.waitingSince = this.now
      if (this.isWatched) this.checkGrant(consumer)
    }
    if (this.isWatched) this.check()
  }

  private checkGrant(consumer: Consumer): void {
    if (this.consumers.some(({ request }) => request > 1)) return
    const owed = this.owed().get(consumer) ?? NaN
    const most = Math.max(consumer.share.minimum, owed + 1)
    assert.isAtMost(consumer.share.permits, most + 1e-6, `${consumer.name} is owed ${owed}`)
  }

  private check(): void {
    const held = this.consumers.reduce((sum, { share }) => sum + share.permits, 0)
    assert.strictEqual(this.shares.inUse, held)
    const waiting = this.consumers.filter(({ isBacklogged }) => isBacklogged)
    if (waiting.length > 0 && waiting.every(({ request }) => request === 1)) {
      assert.isAtLeast(held, this.desired, "a permit is idle while someone waits")
    }
    for (const [{ share }, owed] of this.owed()) {
      assert.approximately(this.shares.owed(share), Math.min(this.desired, owed), 1e-6)
    }
  }
}
