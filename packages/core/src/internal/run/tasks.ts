/**
 * The tasks of a run, from their start to what becomes of their end.
 *
 * Everything here is synchronous. A task has one fiber and nothing else: no second fork, no timer, no record that is not
 * used again. Its fiber is supervised in the run's `FiberSet`, unless it has ended when it comes back from its start.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import type { TaskOutcome } from "../budget/completionTally.ts"
import type { BudgetConsumer } from "../budget/consumer.ts"
import type { Feed } from "../feeds/feed.ts"
import type { Alarm } from "../time/alarm.ts"
import type { TurnClock } from "../time/turnClock.ts"
import { isEnded } from "./ended.ts"
import type { RunCourse } from "./runCourse.ts"
import type { RunLedger } from "./runLedger.ts"
import { TaskSlot } from "./taskSlot.ts"
import { TaskSlots } from "./taskSlots.ts"
import { TimeLimits } from "./timeLimits.ts"

/** What the tasks of a run share with it. */
export interface TaskHost<A> {
  readonly governor: BudgetConsumer
  readonly fibers: FiberSet.FiberSet
  readonly context: Context.Context<never>
  readonly runs: ReadonlyArray<object>
  readonly course: RunCourse
  readonly ledger: RunLedger<string>
  readonly clock: TurnClock
  readonly taskTimeout: number
  /** What a task that reached its time limit becomes. */
  readonly onTimeLimit: (item: A) => Effect.Effect<unknown, unknown>
  readonly makeAlarm: (ring: () => void) => Alarm
  /** Ends the run with this failure. */
  readonly fail: (cause: Cause.Cause<unknown>) => void
  /** A task has ended by itself, which may have opened the gate. */
  readonly onEnd: () => void
}

export class Tasks<A> {
  private readonly host: TaskHost<A>
  private readonly feed: Feed<A>
  private readonly slots: TaskSlots<A>
  private readonly limits: TimeLimits<A>

  constructor(host: TaskHost<A>, feed: Feed<A>) {
    this.host = host
    this.feed = feed
    this.slots = new TaskSlots(() => new TaskSlot(host.runs, host.context, this.onExit))
    this.limits = new TimeLimits(this.slots, host.taskTimeout, host.makeAlarm, () => host.clock.read())
  }

  get inFlight(): number {
    return this.slots.count
  }

  /** Milliseconds since the start of each task that runs, oldest first. */
  ages(now: number): ReadonlyArray<number> {
    return this.slots.running().map((slot) => now - slot.startedAt).toSorted((a, b) => b - a)
  }

  /** Starts the task of an item, for which the gate is open. */
  start(item: A): void {
    const now = this.host.clock.catchUp()
    const slot = this.slots.occupy(item, now)
    this.host.governor.bookUnsafe(now)
    if (this.feed.attemptOf(item) > 1) this.host.ledger.retried++
    this.launch(slot, orDie(() => this.feed.task(item)))
  }

  /** No time limit counts any more. */
  stopClocks(): void {
    this.limits.clear()
  }

  private launch(slot: TaskSlot<A>, task: Effect.Effect<unknown, unknown>): void {
    if (isEnded(task)) return this.settle(slot, task)
    const { clock, course, fibers } = this.host
    const fiber = slot.fork(task)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) {
      clock.read()
      return this.settle(slot, exit)
    }
    clock.fallBehind()
    slot.fiber = fiber
    FiberSet.addUnsafe(fibers, fiber)
    fiber.addObserver(slot.observe)
    if (course.stage !== "Running") return fiber.interruptUnsafe()
    this.limits.watch(slot, clock.time)
  }

  private readonly onExit = (slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>): void => {
    this.host.clock.read()
    this.settle(slot, exit)
    this.host.onEnd()
  }

  private settle(slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>): void {
    const { clock, course, governor, ledger } = this.host
    if (slot.stage === "TimedOut" && course.stage === "Running" && !isOwnFailure(exit)) return this.absorb(slot)
    const item = slot.item as A // an occupied slot has its item
    const { retryAfter, startedAt, wasRejected } = slot
    const outcome = this.outcomeOf(slot, item, exit)
    governor.releaseUnsafe(clock.time, startedAt, outcome, wasRejected)
    if (wasRejected) ledger.rejected++
    this.slots.vacate(slot)
    const settled = this.feed.settle(item, exit, outcome === "Interrupted", retryAfter)
    ledger.end(outcome, clock.time - startedAt)
    if (settled === "FailsRun" && Exit.isFailure(exit)) this.host.fail(exit.cause)
    this.slots.counted() // last: what a source does with the end of its lease must not end the run before its failure counts
  }

  private outcomeOf(slot: TaskSlot<A>, item: A, exit: Exit.Exit<unknown, unknown>): TaskOutcome {
    if (Exit.isSuccess(exit)) return slot.stage === "Absorbing" ? "TimedOut" : "Succeeded"
    const isWanted = this.host.course.stage !== "Running" || this.feed.isRevoked(item)
    return isWanted && Cause.hasInterruptsOnly(exit.cause) ? "Interrupted" : "Failed"
  }

  private absorb(slot: TaskSlot<A>): void {
    const item = slot.item as A // an occupied slot has its item
    slot.stage = "Absorbing"
    this.launch(slot, orDie(() => this.host.onTimeLimit(item)))
  }
}

const orDie = (make: () => Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> => {
  try {
    return make()
  } catch (defect) {
    return Effect.die(defect)
  }
}

const isOwnFailure = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
