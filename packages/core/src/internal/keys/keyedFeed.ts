/**
 * A feed that holds back the items of keys which are closed, so that they take no permit and are in nobody's way.
 *
 * An item whose key is closed is parked in the order of its key, and the next one is looked for, until so many are parked
 * that looking further would only make memory grow. What is parked keeps its lease. When a key opens, its first item goes
 * before any new one. Where several pools hold items of a key back they start them by turns.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as MutableList from "effect/MutableList"
import type { Delayed, Feed, FeedHost, HeldByKey, Lack, Poke, Pulled, Room, Settled } from "../feeds/feed.ts"
import { innerHost } from "../feeds/innerHost.ts"
import { closedUntil, type KeyEntry, type KeyListener, type KeyTable, textOf } from "./keyTable.ts"

/** An item with what is known of its key. */
export interface Keyed<A, K> {
  readonly item: A
  readonly entry: KeyEntry<K>
  /** When its task started, or was booked. */
  startedAt: number
  /** How many tasks of its key ran when it started, itself among them. */
  readonly startedAs: number
  hasStarted: boolean
  wasRefused: boolean
}

interface Parked<A, K> {
  readonly entry: KeyEntry<K>
  readonly items: MutableList.MutableList<A>
  /** Whether it waits to see what another pool does with its turn. */
  givesWay: boolean
}

export class KeyedFeed<A, K> implements Feed<Keyed<A, K>>, KeyListener<K> {
  item!: Keyed<A, K>
  lack: Lack = "NoTaskReady"
  private readonly host: FeedHost<Keyed<A, K>>
  private readonly inner: Feed<A>
  private readonly table: KeyTable<K>
  private readonly keyOf: (item: A) => K
  private readonly parked = new Map<KeyEntry<K>, Parked<A, K>>()
  /** Of those that have items parked, the keys that may be open. */
  private readonly ready = new Set<Parked<A, K>>()
  private count = 0
  /** When the next key opens by itself. */
  private nextOpening = Infinity
  private hasWarned = false

  constructor(
    host: FeedHost<Keyed<A, K>>,
    table: KeyTable<K>,
    keyOf: (item: A) => K,
    makeInner: (host: FeedHost<A>) => Feed<A>
  ) {
    this.host = host
    this.table = table
    this.keyOf = keyOf
    this.inner = makeInner(innerHost(host, (matches) => this.revoke(matches)))
  }

  get isOpaque(): boolean {
    return this.inner.isOpaque
  }

  heldByKeys(): HeldByKey | undefined {
    let most: Parked<A, K> | undefined
    for (const parked of this.parked.values()) {
      if (most === undefined || parked.items.length > most.items.length) most = parked
    }
    if (most === undefined) return undefined
    return { key: textOf(most.entry.key), tasks: most.items.length, until: closedUntil(most.entry, this.host.now()) }
  }

  delayed(): Delayed {
    return this.inner.delayed?.() ?? { tasks: 0, next: Infinity }
  }

  pull(room: Room): Pulled {
    const now = this.host.time()
    if (this.ready.size > 0 || this.nextOpening <= now) {
      const opened = this.pullParked(now)
      if (opened !== undefined) return this.give(opened, now)
    }
    while (this.count < this.table.plan.lookAhead) {
      const pulled = this.inner.pull(room)
      if (pulled !== "Item") return this.lackOf(pulled)
      const item = this.inner.item
      if (this.place(item, now) === "Started") return "Item"
    }
    this.warn()
    this.lack = "KeysFull"
    return "Waiting"
  }

  task(keyed: Keyed<A, K>): Effect.Effect<unknown, unknown> {
    const now = this.host.time()
    this.table.begin(keyed.entry, keyed.startedAt, now)
    keyed.startedAt = now
    keyed.hasStarted = true
    return this.inner.task(keyed.item)
  }

  /** Its pool is paused: the key is open to others, and it is the first of its own when the pool goes on. */
  takeBack({ entry, item }: Keyed<A, K>): void {
    const now = this.host.time()
    this.table.cancel(entry)
    this.park(item, entry, MutableList.prepend)
    this.table.release(entry, now)
  }

  attemptOf({ item }: Keyed<A, K>): number {
    return this.inner.attemptOf(item)
  }

  isRevoked({ item }: Keyed<A, K>): boolean {
    return this.inner.isRevoked(item)
  }

  /** The service has refused the task while it runs: the key closes at once. */
  refuse(keyed: Keyed<A, K>, retryAfter: number): void {
    keyed.wasRefused = true
    this.table.refuse(keyed.entry, this.host.now(), keyed.startedAt, keyed.startedAs, retryAfter)
  }

  settle(keyed: Keyed<A, K>, exit: Exit.Exit<unknown, unknown>, isWithdrawn: boolean, retryAfter: number): Settled {
    const { entry, hasStarted, item, startedAt, wasRefused } = keyed
    const now = this.host.time()
    if (!hasStarted) this.table.cancel(entry)
    if (Exit.isSuccess(exit) && !wasRefused) this.table.succeed(entry, now, startedAt)
    this.table.release(entry, now)
    return this.inner.settle(item, exit, isWithdrawn, retryAfter)
  }

  mayEnd(): boolean {
    return this.count === 0 && this.inner.mayEnd()
  }

  poke(why: Poke): void {
    this.inner.poke(why)
  }

  giveBack(): void {
    for (const parked of [...this.parked.values()]) {
      for (const item of MutableList.takeAll(parked.items)) {
        this.forget(parked)
        this.inner.settle(item, Exit.interrupt(), true, 0)
      }
    }
    this.inner.giveBack()
  }

  keep(room: Room): void {
    this.inner.keep?.(room)
  }

  open(entry: KeyEntry<K>): void {
    const parked = this.parked.get(entry)
    if (parked === undefined) return
    this.ready.add(parked)
    this.host.wakeLater()
  }

  /** Parked items of a key that is open, if there are any. */
  private pullParked(now: number): Parked<A, K> | undefined {
    if (this.nextOpening <= now) {
      this.nextOpening = Infinity
      for (const parked of this.parked.values()) this.ready.add(parked)
    }
    for (const parked of this.ready) {
      this.ready.delete(parked)
      const opensAt = this.table.opensAt(parked.entry, now)
      if (opensAt > now) this.await(opensAt)
      else if (this.mayTake(parked)) {
        this.ready.add(parked) // behind the others
        return parked
      }
    }
    return undefined
  }

  /** Whether it is its turn to start an item of a key; if not, it looks again when the one before it has had its turn. */
  private mayTake(parked: Parked<A, K>): boolean {
    const { entry } = parked
    const next = this.table.nextOf(entry)
    if (next === this || next === undefined) return true
    if (parked.givesWay) return false
    parked.givesWay = true
    next.open(entry)
    this.host.fork(Effect.yieldNow, () => {
      parked.givesWay = false
      // It may be paused, or full: it has its turn another time.
      if (this.table.nextOf(entry) === next) this.table.endTurn(entry, next)
      this.open(entry)
    })
    return false
  }

  private give(parked: Parked<A, K>, now: number): Pulled {
    this.table.book(parked.entry, now) // which throws, and leaves it parked, where its key turns out to have no valid limit
    this.hand(MutableList.take(parked.items) as A, parked.entry, now) // what is parked has an item
    this.table.endTurn(parked.entry, this)
    this.forget(parked)
    return "Item"
  }

  private hand(item: A, entry: KeyEntry<K>, now: number): void {
    this.item = { item, entry, startedAt: now, startedAs: entry.inFlight, hasStarted: false, wasRefused: false }
  }

  /** Starts or parks an item; a function of the caller that throws, or gives no valid limit, leaves it to its source. */
  private place(item: A, now: number): "Started" | "Parked" {
    let entry: KeyEntry<K> | undefined
    try {
      entry = this.table.entryOf(this.keyOf(item))
      const opensAt = this.table.opensAt(entry, now)
      if (opensAt <= now && entry.parked === 0) {
        this.table.book(entry, now)
        this.hand(item, entry, now)
        return "Started"
      }
      this.park(item, entry, MutableList.append)
      if (opensAt <= now) this.open(entry)
      else this.await(opensAt)
      return "Parked"
    } catch (defect) {
      if (entry !== undefined) this.table.letGo(entry, now)
      this.inner.settle(item, Exit.interrupt(), true, 0)
      throw defect
    }
  }

  private park(item: A, entry: KeyEntry<K>, add: typeof MutableList.append): void {
    const parked = this.parked.get(entry) ?? { entry, items: MutableList.make<A>(), givesWay: false }
    this.parked.set(entry, parked)
    add(parked.items, item)
    entry.parked++
    entry.listeners = (entry.listeners ?? new Set()).add(this)
    this.count++
  }

  /** One item fewer is parked. */
  private forget(parked: Parked<A, K>): void {
    const { entry, items } = parked
    this.count--
    entry.parked--
    if (items.length > 0) return
    this.parked.delete(entry)
    this.ready.delete(parked)
    entry.listeners?.delete(this)
    this.table.letGo(entry, this.host.time())
  }

  private await(opensAt: number): void {
    if (opensAt === Infinity) return // the end of a task opens it
    this.nextOpening = Math.min(this.nextOpening, opensAt)
    this.host.wakeAt(this.nextOpening)
  }

  private lackOf(pulled: Exclude<Pulled, "Item">): Pulled {
    this.lack = this.count > 0 ? "KeysFull" : this.inner.lack
    if (this.count === 0) return pulled
    if (this.nextOpening < Infinity) this.host.wakeAt(this.nextOpening)
    return "Waiting"
  }

  private warn(): void {
    if (this.nextOpening < Infinity) this.host.wakeAt(this.nextOpening)
    if (this.hasWarned) return
    this.hasWarned = true
    const held = this.heldByKeys()
    this.host.fork(
      Effect.logWarning(
        `As many items wait for their keys as lookAhead allows (${this.count}), ${held?.tasks} of them for ` +
          `"${held?.key}": no others are looked for before some have started. Raise lookAhead, or give a key that has so ` +
          "many a source of its own."
      ),
      () => {}
    )
  }

  /** A source that takes back an item which is parked has it at once. */
  private revoke(matches: (item: A) => boolean): void {
    for (const parked of this.parked.values()) {
      const items = MutableList.toArray(parked.items)
      const index = items.findIndex(matches)
      if (index < 0) continue
      MutableList.filter(parked.items, (_, at) => at !== index)
      this.forget(parked)
      this.inner.settle(items[index], Exit.interrupt(), true, 0)
      return this.host.wakeLater()
    }
    this.host.revoke(({ item }) => matches(item))
  }
}
