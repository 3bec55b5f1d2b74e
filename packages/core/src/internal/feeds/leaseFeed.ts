/**
 * A feed of items from a source that leases them: each free slot takes for itself, and the item's lease lasts until the
 * handler ends.
 *
 * A take that is still waiting holds no slot and is withdrawn when its slot is gone; one whose item has arrived waits
 * for a slot instead, so that no item is lost.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { TaskSource } from "../../TaskSource.ts"
import { CurrentAttempt } from "../sources/currentAttempt.ts"
import { isInterruptible } from "../sources/interruptible.ts"
import { type KeptItems, keptOf } from "../sources/keptItems.ts"
import { ownReasons } from "../sources/ownReasons.ts"
import { type Withdrawal, withdrawalOf } from "../sources/withdrawal.ts"
import { CurrentTask } from "../task/currentTask.ts"
import { isEnded } from "../task/ended.ts"
import { taskOf } from "../task/taskOf.ts"
import { AskingWindow } from "./askingWindow.ts"
import { failsRun, type Feed, type FeedHost, type Poke, type Pulled, type Room, type Settled } from "./feed.ts"

/** An item whose lease is held: what its source provides to the handler, and whom to tell how the task ended. */
export interface Lease<A> {
  readonly item: A
  readonly context: Context.Context<never>
  settle: (exit: Exit.Exit<unknown, unknown>) => void
  readonly take: Take
  isRevoked: boolean
}

interface Take {
  /** What was known when it began; what came since then may be news to it. */
  readonly news: number
  readonly notices: number
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  isWithdrawn: boolean
  /** The task of its item has ended, and the source is told so. */
  isAcknowledging: boolean
  /** What the task of its item failed with. */
  failure: Cause.Cause<unknown>
}

/** How many takes may begin before others get their turn: a source that passes items over may end each of them at once. */
const takesPerTurn = 512

export class LeaseFeed<A> implements Feed<Lease<A>> {
  readonly isOpaque = true
  readonly lack = "NoTaskReady"
  private readonly host: FeedHost<Lease<A>>
  private readonly source: TaskSource<A, unknown, unknown>
  private readonly handler: (item: A) => Effect.Effect<unknown, unknown>
  private readonly withdrawal: Withdrawal
  private readonly settlesFailures: boolean
  /** Takes that have not ended, of whatever stage. */
  private takes = 0
  /** Takes whose item has not arrived, oldest first. */
  private readonly waiting = new Set<Take>()
  /** Leases that wait for a slot, oldest first. */
  private readonly arrived: Array<Lease<A>> = []
  item!: Lease<A>
  /** Takes that acknowledge. They hold no slot, but where they pile up nothing is taken. */
  private acknowledging = 0
  private saidEmpty = false
  private saidDone = false
  private readonly window = new AskingWindow()
  /** Counts whatever may have made an item ready, and of that what the user told. */
  private news = 0
  private notices = 0
  private readonly kept: KeptItems<unknown> | undefined
  readonly leave: () => void

  constructor(
    host: FeedHost<Lease<A>>,
    source: TaskSource<A, unknown, unknown>,
    handler: (item: A) => Effect.Effect<unknown, unknown>
  ) {
    this.host = host
    this.source = source
    this.handler = handler
    this.withdrawal = withdrawalOf(source)
    this.settlesFailures = source.settlesFailures === true
    this.kept = keptOf(source)
    this.leave = this.kept?.join(() => this.host.wakeLater()) ?? (() => {})
  }

  pull(room: Room): Pulled {
    const slots = this.slotsOf(room)
    for (let takes = 0; this.waiting.size + this.arrived.length < slots; takes++) {
      if (this.saidEmpty || this.saidDone || this.acknowledging > this.host.desired()) break
      if (this.waiting.size >= this.window.width) break
      if (takes >= takesPerTurn) {
        this.host.wakeLater()
        break
      }
      this.take()
    }
    if (this.kept !== undefined) this.takeKept(this.kept, slots)
    const lease = this.arrived.shift()
    if (lease !== undefined) {
      this.item = lease
      return "Item"
    }
    if (this.waiting.size > 0 || this.acknowledging > 0) return "Waiting"
    if (!this.saidDone) return "Empty"
    return this.takes > 0 ? "Waiting" : "Done"
  }

  /** What another run has given back is there at once, and need not wait until takes that are out are answered. */
  private takeKept(kept: KeptItems<unknown>, slots: number): void {
    for (let most = slots - this.arrived.length; most > 0 && kept.count > 0; most--) this.take()
  }

  task(lease: Lease<A>): Effect.Effect<unknown, unknown> {
    const task = taskOf(this.handler, lease.item)
    return isEnded(task) ? task : Effect.updateContext(task, (own) => ofTask(lease.context, own))
  }

  attemptOf(lease: Lease<A>): number {
    return Context.get(lease.context, CurrentAttempt)
  }

  isRevoked(lease: Lease<A>): boolean {
    return lease.isRevoked
  }

  settle(lease: Lease<A>, exit: Exit.Exit<unknown, unknown>, isWithdrawn: boolean): Settled {
    lease.take.isAcknowledging = true
    this.acknowledging++
    this.poke("TaskEnded") // first: the end of the lease may begin a take, which is not behind the news
    if (Exit.isFailure(exit)) lease.take.failure = exit.cause
    if (isWithdrawn) this.withdraw(lease.take) // so that to its source the lease is interrupted, and has not failed
    lease.settle(exit)
    return this.settlesFailures ? "Ended" : failsRun(exit, isWithdrawn)
  }

  mayEnd(): boolean {
    return this.saidDone && this.takes === 0
  }

  poke(why: Poke): void {
    this.saidEmpty = false
    if (why === "Interval") return this.window.pass(this.waiting.size > 0)
    this.news++
    if (why === "Notified") this.notices++
  }

  keep(room: Room): void {
    if (this.withdrawal === "Nothing" || this.waiting.size + this.arrived.length === 0) return
    const surplus = this.waiting.size + this.arrived.length - this.slotsOf(room)
    if (surplus <= 0) return
    const takes = [...this.waiting].toReversed().slice(0, surplus)
    // A take that cannot be interrupted may have an item already, which would be lost on its way here.
    for (const take of takes) if (take.fiber === undefined || isInterruptible(take.fiber)) this.withdraw(take)
    if (this.withdrawal === "Takes") return
    for (const lease of this.arrived.toReversed().slice(0, surplus - takes.length)) this.withdraw(lease.take)
  }

  giveBack(): void {
    for (const take of [...this.waiting, ...this.arrived.map(({ take }) => take)]) this.withdraw(take)
    // What is left are leases that their source does not let anyone interrupt.
    for (const lease of this.arrived.splice(0)) this.settle(lease, Exit.interrupt(), true)
  }

  private withdraw(take: Take): void {
    this.waiting.delete(take)
    take.isWithdrawn = true
    take.fiber?.interruptUnsafe()
  }

  private slotsOf(room: Room): number {
    if (room === "Free") return this.host.free()
    return room === "LookAhead" ? 1 : 0
  }

  private take(): void {
    const take: Take = {
      news: this.news,
      notices: this.notices,
      fiber: undefined,
      isWithdrawn: false,
      isAcknowledging: false,
      failure: Cause.empty
    }
    this.takes++
    this.waiting.add(take)
    take.fiber = this.host.fork(
      // The host forks in the pool's context, which has what the source requires.
      this.source.take((item) => this.hold(take, item)) as Effect.Effect<"Taken" | "Empty" | "Done", unknown>,
      (exit) => this.end(take, exit)
    )
  }

  /** What the source runs as the handler of an item: waits for a slot, then for the task to end. */
  private hold(take: Take, item: A): Effect.Effect<unknown, unknown> {
    return Effect.contextWith((context: Context.Context<never>) =>
      Effect.callback<unknown, unknown>((resume) => {
        const lease: Lease<A> = {
          item,
          context,
          settle: resume,
          take,
          isRevoked: false
        }
        this.waiting.delete(take)
        this.arrived.push(lease)
        this.window.found()
        this.saidEmpty = false
        this.host.wakeLater() // not now: a task that ended at once could not tell a lease that is still being made
        return this.revoke(lease)
      })
    )
  }

  private revoke(lease: Lease<A>): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (lease.take.isAcknowledging) return resume(Effect.void)
      const index = this.arrived.indexOf(lease)
      if (index >= 0) {
        this.arrived.splice(index, 1)
        return resume(Effect.void)
      }
      lease.isRevoked = true
      lease.settle = () => resume(Effect.void)
      this.host.revoke((other) => other === lease)
    })
  }

  private end(take: Take, exit: Exit.Exit<"Taken" | "Empty" | "Done", unknown>): void {
    this.takes--
    if (take.isAcknowledging) this.acknowledging--
    this.waiting.delete(take)
    if (Exit.isFailure(exit)) {
      const own = this.ownFailure(take, exit.cause)
      if (own === undefined) return
      this.saidDone = true // a source that has failed is not asked again
      this.host.fail(own)
    } else if (exit.value === "Empty") {
      if (take.notices === this.notices) this.window.missed()
      if (take.news === this.news) this.saidEmpty = true
    } else if (exit.value === "Done") {
      this.saidDone = true
    }
  }

  /** What a take failed with that is the run's, where it is more than that it was withdrawn, or than what its task failed with. */
  private ownFailure(take: Take, cause: Cause.Cause<unknown>): Cause.Cause<unknown> | undefined {
    if (take.isWithdrawn && Cause.hasInterruptsOnly(cause)) return undefined
    if (!this.settlesFailures || !take.isAcknowledging) return cause
    const own = ownReasons(cause, take.failure)
    return own.length === 0 ? undefined : Cause.fromReasons(own)
  }
}

/**
 * What a source provides to its handler, for the task of the item: which slot and which try that is tells the context of
 * the task itself. Two services are added, because to merge two contexts is to copy both.
 */
const ofTask = (provided: Context.Context<never>, own: Context.Context<never>): Context.Context<never> =>
  Context.add(
    Context.add(provided, CurrentTask, Context.get(own, CurrentTask)),
    CurrentAttempt,
    Context.get(own, CurrentAttempt)
  )
