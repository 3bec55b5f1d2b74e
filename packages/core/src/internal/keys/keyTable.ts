/**
 * What is known of each key. A key has an entry while something of it runs or is held back, and after that for as long as
 * there is something to remember, up to a number of keys.
 */
import * as Result from "effect/Result"
import { KeyLimit } from "./keyLimit.ts"
import type { KeyPlan } from "./keyPlan.ts"

/** Who holds items of a key back, and is told when it may have opened. */
export interface KeyListener<K> {
  readonly open: (entry: KeyEntry<K>) => void
}

export interface KeyEntry<K> {
  readonly key: K
  readonly limit: KeyLimit
  inFlight: number
  /** How many of those are booked, and wait for a permit. */
  pending: number
  /** Items that are held back, in all pools. */
  parked: number
  /** When the last task started, by its pace, and when that lets the next one start. */
  lastStart: number
  nextStart: number
  /** Whether it is remembered beyond its use, and has been used since that was last looked at. */
  memory: "None" | "Kept" | "Used"
  /** Those that hold items back, whose turn it is first; none where there was never one. */
  listeners: Set<KeyListener<K>> | undefined
}

export class KeyTable<K> {
  private current: KeyPlan<K>
  private readonly random: () => number
  private readonly entries = new Map<K, KeyEntry<K>>()
  /** Entries that are remembered beyond their use: those that were used again go behind the others when one must go. */
  private readonly kept = new Set<KeyEntry<K>>()

  constructor(plan: KeyPlan<K>, random: () => number) {
    this.current = plan
    this.random = random
  }

  get plan(): KeyPlan<K> {
    return this.current
  }

  /** What holds from now on, for whoever waits too: the pace of a key is counted from its last start. */
  change(plan: KeyPlan<K>): void {
    this.current = plan
    for (const entry of [...this.entries.values()]) {
      // A function of the caller that throws ends the runs that start something of the key, and nobody else.
      const interval = Result.getOrElse(Result.try(() => plan.interval(entry.key)), () => 0)
      entry.nextStart = entry.lastStart + interval
      this.tell(entry)
    }
  }

  /** How many keys there are entries for. */
  get size(): number {
    return this.entries.size
  }

  all(): Iterable<KeyEntry<K>> {
    return this.entries.values()
  }

  entryOf(key: K): KeyEntry<K> {
    const known = this.entries.get(key)
    if (known !== undefined) return known
    const entry: KeyEntry<K> = {
      key,
      limit: new KeyLimit(),
      inFlight: 0,
      pending: 0,
      parked: 0,
      lastStart: -Infinity,
      nextStart: -Infinity,
      memory: "None",
      listeners: undefined
    }
    this.entries.set(key, entry)
    return entry
  }

  /** How many tasks of a key may run at once. */
  limitOf({ key, limit }: KeyEntry<K>): number {
    return Math.min(this.plan.concurrency(key), limit.value(this.plan.adapt))
  }

  /**
   * When a task that could start now may, as far as time decides that: `Infinity` where one that runs must end first, which
   * the limit is told.
   */
  opensAt(entry: KeyEntry<K>, now: number): number {
    const { inFlight, limit } = entry
    if (inFlight >= this.limitOf(entry)) {
      if (inFlight >= limit.value(this.plan.adapt)) limit.holdBack(now)
      return Infinity
    }
    // The next one starts an interval after that one has started, and nobody knows yet when that is.
    if (entry.pending > 0 && entry.nextStart > entry.lastStart) return Infinity
    return Math.max(entry.nextStart, limit.closedUntil)
  }

  /** Books a start, which may have to wait for a permit. */
  book(entry: KeyEntry<K>, now: number): void {
    const { limit } = entry
    // `plan.interval` may be a function of the caller, which may throw: nothing is booked then.
    const interval = Math.max(this.plan.interval(entry.key), limit.interval)
    limit.start(now, entry.inFlight++)
    entry.pending++
    this.pace(entry, Math.max(entry.nextStart, now - Math.max(0, slack - interval)), interval)
  }

  /** A start that was booked at `bookedAt` happens. */
  begin(entry: KeyEntry<K>, bookedAt: number, now: number): void {
    entry.pending--
    if (now <= bookedAt) return
    const interval = entry.nextStart - entry.lastStart
    this.pace(entry, Math.max(entry.lastStart, now - Math.max(0, slack - interval)), interval)
    this.tell(entry)
  }

  /** It never will. */
  cancel(entry: KeyEntry<K>): void {
    entry.pending--
  }

  private pace(entry: KeyEntry<K>, start: number, interval: number): void {
    entry.lastStart = start
    entry.nextStart = start + interval
  }

  /** A task of the key has been served. */
  succeed({ inFlight, limit }: KeyEntry<K>, now: number, startedAt: number): void {
    limit.succeed(now, startedAt, inFlight, this.plan.adapt)
  }

  /** The service has refused a task of the key: it is closed at once, and who waits for it learns until when. */
  refuse(entry: KeyEntry<K>, now: number, startedAt: number, startedAs: number, retryAfter: number): void {
    entry.limit.refuse(now, startedAt, startedAs, retryAfter, this.plan.adapt, this.random)
    if (entry.parked > 0) this.tell(entry)
  }

  /** Ends what `book` began, and tells who holds items of the key back. */
  release(entry: KeyEntry<K>, now: number): void {
    entry.inFlight--
    this.tell(entry)
    this.letGo(entry, now)
  }

  /** The key may have opened: whoever holds items back looks. */
  tell(entry: KeyEntry<K>): void {
    const { listeners } = entry
    if (listeners === undefined || listeners.size === 0) return
    for (const listener of [...listeners]) listener.open(entry)
  }

  /** Of those that hold items of a key back, whose turn it is: who has started one least lately. */
  nextOf({ listeners }: KeyEntry<K>): KeyListener<K> | undefined {
    return listeners?.values().next().value
  }

  /** It has had its turn, or does not take it. */
  endTurn({ listeners }: KeyEntry<K>, listener: KeyListener<K>): void {
    if (listeners === undefined || listeners.size < 2) return
    if (listeners.delete(listener)) listeners.add(listener)
  }

  /** Remembers no more of an entry than is needed. */
  letGo(entry: KeyEntry<K>, now: number): void {
    if (entry.inFlight > 0 || entry.parked > 0) return
    // A pace that began anew before would let as many start at once as `slack` allows, again.
    if (entry.nextStart <= now - slack && !entry.limit.hasMemory) {
      this.entries.delete(entry.key)
      if (entry.memory !== "None") this.kept.delete(entry)
      return
    }
    if (entry.memory !== "None") {
      entry.memory = "Used"
      return
    }
    entry.memory = "Kept"
    this.kept.add(entry)
    if (this.kept.size > this.plan.maxKeys) this.dropOldest()
  }

  /** Forgets the entry that was used least lately, of those that are not in use. */
  private dropOldest(): void {
    for (const entry of this.kept) {
      this.kept.delete(entry)
      const isInUse = entry.inFlight > 0 || entry.parked > 0
      if (!isInUse && entry.memory === "Kept") return void this.entries.delete(entry.key)
      entry.memory = isInUse ? "None" : "Kept"
      if (!isInUse) this.kept.add(entry)
    }
  }
}

/** Until when nothing of a key starts because of the time alone; `undefined` where that is not what keeps it closed. */
export const closedUntil = (
  { limit, nextStart }: Pick<KeyEntry<never>, "limit" | "nextStart">,
  now: number
): number | undefined => {
  const until = Math.max(nextStart, limit.closedUntil)
  return until > now ? until : undefined
}

/** A key in words. A key may be anything, an object that refuses to be a string too. */
export const textOf = (key: unknown): string => {
  try {
    return String(key)
  } catch {
    return Object.prototype.toString.call(key)
  }
}

/** Timers are no finer than this many milliseconds: starts that are due within so many may be made at once. */
const slack = 20
