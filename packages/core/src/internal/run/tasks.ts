/**
 * The tasks of a run, from their start to what becomes of their end.
 *
 * Everything here is synchronous. A task has one fiber and nothing else: no second fork, no timer, no record that is not
 * used again. Its slot is how the `FiberSet` of the run knows of it.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { TaskOutcome } from "../budget/completionTally.ts"
import type { BudgetConsumer } from "../budget/consumer.ts"
import type { Feed } from "../feeds/feed.ts"
import { CurrentAttempt } from "../sources/currentAttempt.ts"
import { isEnded } from "../task/ended.ts"
import { taskOf } from "../task/taskOf.ts"
import type { Alarm } from "../time/alarm.ts"
import type { TurnClock } from "../time/turnClock.ts"
import type { RunCourse } from "./runCourse.ts"
import type { RunLedger } from "./runLedger.ts"
import type { TaskSurroundings } from "./runningTask.ts"
import type { Supervision } from "./supervision.ts"
import { TaskSlot } from "./taskSlot.ts"
import { TaskSlots } from "./taskSlots.ts"
import { type Limits, TimeLimits } from "./timeLimits.ts"

/** What the tasks of a run share with it. */
export interface TaskHost<A> {
  readonly governor: BudgetConsumer
  readonly supervision: Supervision
  readonly context: Context.Context<never>
  readonly surroundings: TaskSurroundings
  readonly course: RunCourse
  readonly ledger: RunLedger<string>
  readonly clock: TurnClock
  readonly limits: Limits
  /** What a task that reached its time limit becomes. */
  readonly onTimeLimit: (item: A) => Effect.Effect<unknown, unknown>
  readonly makeAlarm: (ring: () => void) => Alarm
  /** Ends the run with this failure. */
  readonly fail: (cause: Cause.Cause<unknown>) => void
  /** Tasks have ended or were interrupted, which may have opened the gate, or changed why it is closed. */
  readonly onEnd: () => void
  /** The finalizers of interrupted tasks take long. */
  readonly warn: (finalizing: Finalizing) => void
}

/** Tasks that were interrupted and run their finalizers; `oldest` are milliseconds since the first interruption. */
export interface Finalizing {
  readonly tasks: number
  readonly oldest: number
}

export class Tasks<A> {
  private readonly host: TaskHost<A>
  private readonly feed: Feed<A>
  private readonly slots: TaskSlots<A>
  private readonly limits: TimeLimits<A>
  private readonly makeTask: (item: A) => Effect.Effect<unknown, unknown>
  /** How many were interrupted and run their finalizers. */
  finalizing = 0

  constructor(host: TaskHost<A>, feed: Feed<A>) {
    this.host = host
    this.feed = feed
    this.makeTask = (item) => feed.task(item)
    const refuse = feed.refuse && ((item: A, retryAfter: number) => feed.refuse?.(item, retryAfter))
    const context = withoutLayers(host.context)
    this.slots = new TaskSlots(() => new TaskSlot(host.surroundings, context, this.onExit, refuse))
    host.supervision.includeTasks(() => this.slots.fibers())
    const enforcement = {
      timeOut: this.timeOut,
      abandon: this.abandon,
      warn: (now: number) => host.warn(this.finalizingAt(now))
    }
    const makeAlarm = (ring: () => void) =>
      host.makeAlarm(() => {
        ring()
        host.onEnd()
      })
    this.limits = new TimeLimits(this.slots, host.limits, enforcement, makeAlarm, () => host.clock.read())
  }

  get inFlight(): number {
    return this.slots.count
  }

  /** Milliseconds since the start of each task that runs, oldest first. */
  ages(now: number): ReadonlyArray<number> {
    return this.slots.running().map((slot) => now - slot.startedAt).toSorted((a, b) => b - a)
  }

  finalizingAt(now: number): Finalizing {
    const since = this.slots.running().map(({ interruptedAt }) => interruptedAt).filter((at) => at < Infinity)
    return { tasks: since.length, oldest: since.reduce((oldest, at) => Math.max(oldest, now - at), 0) }
  }

  /** Starts the task of an item that takes so many permits, for which the gate is open. */
  start(item: A, permits: number): void {
    const { clock, governor, ledger } = this.host
    const now = clock.catchUp()
    const slot = this.slots.occupy(item, permits, now)
    governor.bookUnsafe(now, permits)
    ledger.started++
    const attempt = this.feed.attemptOf(item)
    const task = taskOf(this.makeTask, item)
    if (attempt === 1) return this.launch(slot, task)
    ledger.retried++
    this.launch(slot, Effect.provideService(task, CurrentAttempt, attempt))
  }

  /** Interrupts every task. From now on only finalizers have a time limit. */
  interruptAll(): void {
    this.limits.clear()
    for (const slot of this.slots.running()) {
      if (slot.interruptedAt < Infinity) this.limits.watchFinalizer(slot, this.host.clock.time)
      else this.interrupt(slot, this.host.clock.time)
    }
  }

  /** Interrupts the task of the item that matches, if it runs. */
  revoke(matches: (item: A) => boolean): void {
    const slot = this.slots.running().find(({ item }) => matches(item as A)) // a slot that runs has its item
    if (slot !== undefined && slot.interruptedAt === Infinity) this.interrupt(slot, this.host.clock.read())
  }

  /** Nothing is left that a time limit could be for. */
  close(): void {
    this.limits.clear()
  }

  private launch(slot: TaskSlot<A>, task: Effect.Effect<unknown, unknown>): void {
    if (isEnded(task)) return this.settle(slot, task)
    const { clock, course, supervision } = this.host
    const fiber = slot.fork(task)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) {
      clock.read()
      return this.settle(slot, exit)
    }
    clock.fallBehind()
    slot.fiber = fiber
    fiber.addObserver(slot.observe)
    const isUnwanted = supervision.isOver || course.ending !== undefined ||
      this.feed.isRevoked(slot.item as A)
    if (isUnwanted) return this.interrupt(slot, clock.time)
    if (this.limits.areOnTasks) this.limits.watchTask(slot, clock.time)
  }

  private interrupt(slot: TaskSlot<A>, now: number): void {
    slot.interruptedAt = now
    this.finalizing++
    slot.fiber?.interruptUnsafe()
    if (slot.interruptedAt < Infinity) this.limits.watchFinalizer(slot, now)
  }

  private readonly timeOut = (slot: TaskSlot<A>, now: number): void => {
    slot.stage = "TimedOut"
    this.interrupt(slot, now)
  }

  /** Gives up the slot of a task whose finalizers do not return. Its fiber is no longer the run's. */
  private readonly abandon = (slot: TaskSlot<A>, now: number): void => {
    const { course, ledger } = this.host
    const isTimeout = slot.stage === "TimedOut" && course.ending === undefined
    const item = slot.item as A // an occupied slot has its item
    ledger.abandoned++
    this.finalizing--
    this.slots.abandon(slot)
    if (isTimeout) {
      const standIn = this.slots.replace(slot)
      slot.endInside(now)
      this.absorb(standIn)
    } else this.conclude(slot, item, Exit.interrupt(), "Abandoned", now)
  }

  private readonly onExit = (slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>): void => {
    if (slot.stage === "Abandoned") return // it has been settled
    this.host.clock.read()
    this.settle(slot, exit)
    this.host.onEnd()
  }

  private settle(slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>): void {
    const { clock, course } = this.host
    if (slot.interruptedAt < Infinity) this.endFinalizers(slot)
    if (slot.stage === "TimedOut" && course.ending === undefined && !isOwnFailure(exit)) return this.absorb(slot)
    const item = slot.item as A // an occupied slot has its item
    const hasSucceeded = slot.stage === "Running" && Exit.isSuccess(exit)
    const outcome = hasSucceeded ? "Succeeded" : this.outcomeOf(slot, item, exit)
    this.slots.vacate(slot)
    this.conclude(slot, item, exit, outcome, clock.time)
  }

  private endFinalizers(slot: TaskSlot<A>): void {
    slot.interruptedAt = Infinity
    this.finalizing--
  }

  private conclude(
    slot: TaskSlot<A>,
    item: A,
    exit: Exit.Exit<unknown, unknown>,
    outcome: TaskOutcome,
    now: number
  ): void {
    const { governor, ledger } = this.host
    const { absorbedAs, permits, retryAfter, startedAt, wasRejected } = slot
    governor.releaseUnsafe(now, startedAt, outcome, wasRejected, permits)
    slot.endInside(now)
    if (wasRejected) ledger.rejected++
    const isWithdrawn = outcome === "Interrupted" || outcome === "Abandoned"
    const settled = this.feed.settle(item, exit, isWithdrawn && Exit.isFailure(exit), retryAfter)
    ledger.end(absorbedAs === "Abandoned" ? absorbedAs : outcome, now - startedAt)
    if (settled === "FailsRun" && Exit.isFailure(exit)) this.host.fail(exit.cause)
    this.slots.counted() // last: what a source does with the end of its lease must not end the run before its failure counts
  }

  private outcomeOf(slot: TaskSlot<A>, item: A, exit: Exit.Exit<unknown, unknown>): TaskOutcome {
    if (Exit.isSuccess(exit)) return slot.stage === "Absorbing" ? slot.absorbedAs : "Succeeded"
    const isWanted = this.host.course.ending !== undefined || this.feed.isRevoked(item)
    return isWanted && Cause.hasInterruptsOnly(exit.cause) ? "Interrupted" : "Failed"
  }

  private absorb(slot: TaskSlot<A>): void {
    const item = slot.item as A // an occupied slot has its item
    slot.stage = "Absorbing"
    slot.fiber = undefined
    slot.endInside(this.host.clock.time) // the permits are those of what stands in for it
    this.launch(slot, taskOf(this.host.onTimeLimit, item))
  }
}

/** To add to a context of many layers is to copy it, which each task would do. */
const withoutLayers = (context: Context.Context<never>): Context.Context<never> =>
  Context.makeUnsafe(new Map(context.mapUnsafe))

const isOwnFailure = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
