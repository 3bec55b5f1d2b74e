/**
 * A feed around a feed: no task starts without a token of a rate that several machines share.
 *
 * The token is asked for when an item is there and may start, and it is a reservation: it may say to wait. The item waits
 * here meanwhile and holds no slot. There is one reservation at a time, so no more is reserved than is used.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Delayed, Feed, FeedHost, HeldByKey, Lack, Poke, Pulled, Room, Settled } from "./feed.ts"
import { innerHost } from "./innerHost.ts"

/** Reserves a token, and answers with the time after which it may be used. */
export type Reserve = Effect.Effect<Duration.Duration>

type Reservation =
  | { readonly state: "None" }
  | { readonly state: "Asked"; readonly fiber: Fiber.Fiber<unknown, unknown> | undefined }
  | { readonly state: "Reserved"; readonly usableAt: number }

const none: Reservation = { state: "None" }

export class RateFeed<A> implements Feed<A> {
  item!: A
  lack: Lack = "NoTaskReady"
  private readonly host: FeedHost<A>
  private readonly inner: Feed<A>
  private readonly reserve: Reserve
  /** The item that waits for a token. */
  private held: { readonly item: A } | undefined
  private reservation: Reservation = none
  private isGivenBack = false

  constructor(host: FeedHost<A>, reserve: Reserve, makeInner: (host: FeedHost<A>) => Feed<A>) {
    this.host = host
    this.reserve = reserve
    this.inner = makeInner(innerHost(host, (matches) => this.revoke(matches)))
  }

  get isOpaque(): boolean {
    return this.inner.isOpaque
  }

  pull(room: Room): Pulled {
    if (this.held === undefined) {
      const pulled = this.inner.pull(room)
      if (pulled !== "Item") {
        this.lack = this.inner.lack
        return pulled
      }
      this.held = { item: this.inner.item }
    }
    if (this.reservation.state === "None") this.ask()
    if (this.isUsable()) {
      this.item = this.held.item
      this.held = undefined
      this.reservation = none
      return "Item"
    }
    this.lack = "SharedRateLimited"
    if (this.reservation.state === "Reserved") this.host.wakeAt(this.reservation.usableAt)
    return "Waiting"
  }

  task(item: A): Effect.Effect<unknown, unknown> {
    return this.inner.task(item)
  }

  attemptOf(item: A): number {
    return this.inner.attemptOf(item)
  }

  isRevoked(item: A): boolean {
    return this.inner.isRevoked(item)
  }

  settle(item: A, exit: Exit.Exit<unknown, unknown>, isWithdrawn: boolean, retryAfter: number): Settled {
    return this.inner.settle(item, exit, isWithdrawn, retryAfter)
  }

  refuse(item: A, retryAfter: number): void {
    this.inner.refuse?.(item, retryAfter)
  }

  heldByKeys(): HeldByKey | undefined {
    return this.inner.heldByKeys?.()
  }

  delayed(): Delayed {
    return this.inner.delayed?.() ?? { tasks: 0, next: Infinity }
  }

  mayEnd(): boolean {
    return this.held === undefined && this.inner.mayEnd()
  }

  poke(why: Poke): void {
    this.inner.poke(why)
  }

  giveBack(): void {
    this.isGivenBack = true
    this.release()
    if (this.reservation.state === "Asked") this.reservation.fiber?.interruptUnsafe()
    this.inner.giveBack()
  }

  keep(room: Room): void {
    this.inner.keep?.(this.held === undefined ? room : "None") // there is no room for another one beside it
  }

  private isUsable(): boolean {
    return this.reservation.state === "Reserved" && this.reservation.usableAt <= this.host.now()
  }

  private ask(): void {
    this.reservation = { state: "Asked", fiber: undefined }
    const fiber = this.host.fork(this.reserve, this.onAnswer)
    if (fiber !== undefined) this.reservation = { state: "Asked", fiber }
  }

  private readonly onAnswer = (exit: Exit.Exit<Duration.Duration>): void => {
    if (Exit.isFailure(exit)) {
      this.reservation = none
      if (!this.isGivenBack || !Cause.hasInterruptsOnly(exit.cause)) this.host.fail(exit.cause)
      return
    }
    this.reservation = { state: "Reserved", usableAt: this.host.now() + Duration.toMillis(exit.value) }
    this.host.wakeLater()
  }

  private revoke(matches: (item: A) => boolean): void {
    if (this.held === undefined || !matches(this.held.item)) return this.host.revoke(matches)
    this.release()
    this.host.wakeLater()
  }

  /** Gives the item that waits back to its source. A reservation is kept for the next one. */
  private release(): void {
    const held = this.held
    this.held = undefined
    if (held !== undefined) this.inner.settle(held.item, Exit.interrupt(), true, 0)
  }
}
