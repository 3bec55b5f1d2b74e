/**
 * One run of a pool: starts tasks while the gate is open and the feed has items, and ends when nothing is left.
 *
 * Everything here is synchronous. Fibers are the tasks themselves and the questions a feed asks; whatever happens to them
 * comes back as a call, and a call that may have opened the gate ends in `pump`. A task has one fiber and nothing else:
 * no second fork, no timer, no record that is not used again.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type { Closed } from "../../ConcurrencyGovernor.ts"
import type { TaskOutcome } from "../budget/completionTally.ts"
import type { ConcurrencyTotals } from "../budget/concurrencyMeter.ts"
import type { BudgetConsumer } from "../budget/consumer.ts"
import type { Feed, FeedHost, Poke, Room } from "../feeds/feed.ts"
import { Alarm } from "../time/alarm.ts"
import { TurnClock } from "../time/turnClock.ts"
import { CurrentTask } from "./currentTask.ts"
import { RunLedger } from "./runLedger.ts"
import { TaskSlot } from "./taskSlot.ts"

/** Why nothing starts at the moment; `undefined` while tasks start. */
export type Idle = Closed | "Paused" | "NoTaskReady" | undefined

type Phase = "Running" | "Finished" | "Failing" | "Aborting" | "Interrupting"

/** How many tasks may start before timers and input get their turn, and for how many milliseconds. */
const startsPerTurn = 512
const millisPerTurn = 5

export interface DispatcherOptions<A> {
  readonly governor: BudgetConsumer
  readonly makeFeed: (host: FeedHost) => Feed<A>
  readonly fibers: FiberSet.FiberSet
  readonly context: Context.Context<never>
  readonly now: () => number
  /** Runs something in a later turn of the event loop. */
  readonly later: (turn: () => void) => void
  /** Milliseconds a task may take; Infinity for no limit. */
  readonly timeLimit: number
  /** What a task that reached its limit becomes. */
  readonly onTimeLimit: (item: A) => Effect.Effect<unknown, unknown>
  readonly isPaused: boolean
}

export class Dispatcher<A> implements FeedHost {
  readonly ledger: RunLedger<NonNullable<Idle>>
  /** Failures that did not decide the outcome: they came after the run was told to end. */
  suppressed: Cause.Cause<unknown> | undefined
  failure: Cause.Cause<unknown> | undefined
  phase: Phase = "Running"
  private readonly options: DispatcherOptions<A>
  private readonly governor: BudgetConsumer
  private readonly feed: Feed<A>
  /** As many as there ever were tasks in flight; those that have a fiber run a task. */
  private readonly slots: Array<TaskSlot<A>> = []
  private readonly freeSlots: Array<TaskSlot<A>> = []
  private readonly questions = new Set<Fiber.Fiber<unknown, unknown>>()
  private readonly runs: ReadonlyArray<object>
  private readonly forkOutsideTasks: <B, E>(effect: Effect.Effect<B, E>) => Fiber.Fiber<B, E>
  private readonly deadline: Alarm
  private readonly token: Alarm
  /** An item that was pulled and has not started: it waits for the gate. */
  private heldItem: A | undefined
  private holdsItem = false
  private inFlight = 0
  private questionsInFlight = 0
  private isPaused: boolean
  private isPumping = false
  private pumpsAgain = false
  private hasTurn = false
  private time: number
  private readonly clock: TurnClock
  private readonly hasTimeLimit: boolean
  private readonly concurrencyAtStart: ConcurrencyTotals
  private isTimeOld = false
  private onDrained: (() => void) | undefined
  private isDrained = false

  constructor(options: DispatcherOptions<A>) {
    this.options = options
    this.governor = options.governor
    this.hasTimeLimit = options.timeLimit !== Infinity
    this.time = options.now()
    this.clock = new TurnClock(options.now, options.later)
    this.isPaused = options.isPaused
    this.ledger = new RunLedger(this.time)
    this.concurrencyAtStart = this.governor.meter.totals(this.time)
    this.runs = [this, ...Context.get(options.context, CurrentTask)?.runs ?? []]
    this.forkOutsideTasks = Effect.runForkWith(
      Context.add(options.context, CurrentTask, { runs: this.runs, reject: () => {} })
    )
    this.deadline = new Alarm(this.forkOutsideTasks, () => this.reachDeadlines())
    this.token = new Alarm(this.forkOutsideTasks, () => this.wake())
    this.feed = options.makeFeed(this)
  }

  /** Begins the run; `onDrained` is called once, when it has ended and nothing of it is left. */
  begin(onDrained: () => void): void {
    this.onDrained = onDrained
    this.governor.meter.peak = this.governor.current
    this.wake()
  }

  /** Ends the run from outside: interrupts everything. Without effect on a run that is ending already. */
  stop(phase: "Aborting" | "Interrupting"): void {
    if (this.phase === "Running") this.end(phase)
  }

  /** Ends the run where it has not ended yet, and calls `onDrained` when nothing of it is left. */
  interrupt(onDrained: () => void): void {
    if (this.isDrained) return onDrained()
    this.onDrained = onDrained
    this.stop("Interrupting")
  }

  /** Ends the run with a failure; the first one wins, further ones are kept. */
  fail(cause: Cause.Cause<unknown>): void {
    if (this.phase === "Running") {
      this.failure = cause
      return this.end("Failing")
    }
    if (Cause.hasInterruptsOnly(cause)) return
    if (this.failure !== undefined) this.failure = Cause.combine(this.failure, cause)
    else this.suppressed = this.suppressed === undefined ? cause : Cause.combine(this.suppressed, cause)
  }

  pause(): void {
    this.isPaused = true
    this.wakeLater()
  }

  resume(): void {
    this.isPaused = false
    this.poke("Notified")
  }

  /** Something may have made a task ready. */
  poke(why: Poke): void {
    this.feed.poke(why)
    this.wakeLater()
  }

  /** Looks at the gate again in a later turn, so that no task starts on the stack of whoever says so. */
  wakeLater(): void {
    if (this.hasTurn || this.phase !== "Running") return
    this.hasTurn = true
    this.options.later(() => {
      this.hasTurn = false
      this.wake()
    })
  }

  wake(): void {
    this.readClock()
    this.pump()
  }

  ages(now: number): ReadonlyArray<number> {
    const running = this.slots.filter((slot) => slot.fiber !== undefined)
    return running.map((slot) => now - slot.startedAt).toSorted((a, b) => b - a)
  }

  desired(): number {
    return this.governor.desired
  }

  free(): number {
    return this.governor.freeUnsafe(this.time)
  }

  get started(): number {
    return this.ledger.ended + this.inFlight
  }

  meanConcurrency(now: number): number {
    return this.governor.meter.meanSince(this.concurrencyAtStart, now)
  }

  get peakConcurrency(): number {
    return this.governor.meter.peak
  }

  get isOpaque(): boolean {
    return this.feed.isOpaque
  }

  fork<B, E>(effect: Effect.Effect<B, E>, onExit: (exit: Exit.Exit<B, E>) => void): Fiber.Fiber<B, E> | undefined {
    if (isEnded(effect)) {
      onExit(effect as Exit.Exit<B, E>) // an effect that is an exit is its own exit
      return undefined
    }
    this.questionsInFlight++
    const fiber = this.forkOutsideTasks(effect)
    const answer = fiber.pollUnsafe()
    if (answer !== undefined) {
      this.questionsInFlight--
      onExit(answer)
      return undefined
    }
    this.questions.add(fiber)
    FiberSet.addUnsafe(this.options.fibers, fiber)
    fiber.addObserver((exit) => {
      this.questions.delete(fiber)
      this.questionsInFlight--
      onExit(exit)
      this.wake()
    })
    if (this.phase !== "Running") fiber.interruptUnsafe()
    return fiber
  }

  private pump(): void {
    if (this.onDrained === undefined) return // the run has not begun
    if (this.isPumping) {
      this.pumpsAgain = true
      return
    }
    this.isPumping = true
    try {
      do {
        this.pumpsAgain = false
        this.startWhatMay()
      } while (this.pumpsAgain && !this.hasTurn)
    } catch (defect) {
      this.fail(Cause.die(defect))
    }
    this.isPumping = false
    this.drain()
  }

  private startWhatMay(): void {
    const turnEnd = this.time + millisPerTurn
    for (let starts = 0; this.phase === "Running"; starts++) {
      if (starts >= startsPerTurn || this.time > turnEnd) return this.yieldTurn()
      if (!this.holdsItem && !this.pullItem()) return
      // Looking for an item may run code of the caller, which may have closed the gate or ended the run.
      if (this.phase !== "Running") return
      const closed = this.closedBy()
      if (closed !== undefined) return this.rest(closed)
      this.start(this.releaseItem())
    }
  }

  /** Holds the next item, where one may be looked for and there is one. */
  private pullItem(): boolean {
    const closed = this.closedBy()
    if (closed !== undefined && !this.mayLookAhead(closed)) {
      this.rest(closed)
      return false
    }
    const room = closed === undefined ? "Free" : "LookAhead"
    const pulled = this.feed.pull(room)
    if (pulled === "Item") {
      this.holdItem(this.feed.item)
      return true
    }
    this.restWithout(pulled, room)
    return false
  }

  private closedBy(): NonNullable<Idle> | undefined {
    if (this.isPaused) return "Paused"
    return this.governor.isOpenUnsafe(this.time) ? undefined : this.governor.closedByUnsafe(this.time)
  }

  /** A run with nothing left must not wait for a token to find out. */
  private mayLookAhead(closed: NonNullable<Idle>): boolean {
    return closed === "RateLimited" && this.inFlight === 0
  }

  private holdItem(item: A): void {
    this.heldItem = item
    this.holdsItem = true
  }

  private releaseItem(): A {
    const item = this.heldItem as A // asked only while an item is held
    this.heldItem = undefined
    this.holdsItem = false
    return item
  }

  private rest(idle: NonNullable<Idle>): void {
    this.ledger.rest(this.time, idle)
    this.feed.keep("None")
    if (idle === "RateLimited") this.token.setAt(this.governor.nextTokenAtUnsafe(), this.time)
  }

  private restWithout(pulled: "Empty" | "Waiting" | "Done", room: Room): void {
    if (pulled !== "Waiting" && this.inFlight === 0 && this.feed.mayEnd()) return this.end("Finished")
    this.ledger.rest(this.time, "NoTaskReady")
    this.feed.keep(room)
  }

  private yieldTurn(): void {
    this.ledger.rest(this.time, undefined)
    this.wakeLater()
  }

  private start(item: A): void {
    if (this.isTimeOld) this.readClock()
    const slot = this.freeSlots.pop() ?? this.addSlot()
    slot.item = item
    slot.startedAt = this.time
    slot.wasRejected = false
    slot.retryAfter = 0
    slot.timeLimit = "Ahead"
    this.inFlight++
    this.governor.bookUnsafe(this.time)
    this.launch(slot, this.taskOf(item))
  }

  private addSlot(): TaskSlot<A> {
    const slot = new TaskSlot(this.runs, this.options.context, this.onTaskEnd)
    this.slots.push(slot)
    return slot
  }

  private launch(slot: TaskSlot<A>, task: Effect.Effect<unknown, unknown>): void {
    if (isEnded(task)) return this.settle(slot, task)
    const fiber = slot.fork(task)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) {
      this.readClock()
      return this.settle(slot, exit)
    }
    this.isTimeOld = true
    slot.fiber = fiber
    fiber.addObserver(slot.observe)
    if (this.phase !== "Running") return fiber.interruptUnsafe()
    if (!this.hasTimeLimit || slot.timeLimit !== "Ahead") return
    this.deadline.setAt(slot.startedAt + this.options.timeLimit, this.time)
  }

  private readonly onTaskEnd = (slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>): void => {
    this.readClock()
    this.settle(slot, exit)
    this.pump()
  }

  private settle(slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>): void {
    if (slot.timeLimit === "Reached" && this.phase === "Running" && !isOwnFailure(exit)) return this.absorb(slot)
    const item = slot.item as A // a launched slot has its item
    const outcome = this.outcomeOf(slot, item, exit)
    this.governor.releaseUnsafe(this.time, slot.startedAt, outcome, slot.wasRejected)
    this.ledger.end(outcome)
    if (slot.wasRejected) this.ledger.rejected++
    slot.item = undefined
    slot.fiber = undefined
    this.freeSlots.push(slot)
    this.feed.settle(item, exit, outcome === "Interrupted")
    if (outcome === "Failed" && Exit.isFailure(exit)) this.fail(exit.cause)
    this.inFlight-- // last: what a source does with the end of its lease must not end the run before its failure counts
  }

  private outcomeOf(slot: TaskSlot<A>, item: A, exit: Exit.Exit<unknown, unknown>): TaskOutcome {
    if (Exit.isSuccess(exit)) return slot.timeLimit === "Absorbing" ? "TimedOut" : "Succeeded"
    const isWanted = this.phase !== "Running" || this.feed.isRevoked(item)
    return isWanted && Cause.hasInterruptsOnly(exit.cause) ? "Interrupted" : "Failed"
  }

  private absorb(slot: TaskSlot<A>): void {
    const item = slot.item as A // a launched slot has its item
    slot.timeLimit = "Absorbing"
    this.launch(slot, this.afterTimeLimit(item))
  }

  private reachDeadlines(): void {
    this.readClock()
    for (const slot of this.slots) {
      if (slot.fiber === undefined || slot.timeLimit !== "Ahead") continue
      const deadline = slot.startedAt + this.options.timeLimit
      if (deadline > this.time) {
        this.deadline.setAt(deadline, this.time)
        continue
      }
      slot.timeLimit = "Reached"
      slot.fiber.interruptUnsafe()
    }
  }

  private end(phase: Exclude<Phase, "Running">): void {
    if (this.phase !== "Running") return
    this.phase = phase
    this.deadline.clear()
    this.token.clear()
    for (const slot of this.slots) slot.fiber?.interruptUnsafe()
    for (const fiber of [...this.questions]) fiber.interruptUnsafe()
    this.drain()
  }

  private drain(): void {
    if (this.phase === "Running") return
    if (this.holdsItem) this.feed.settle(this.releaseItem(), Exit.interrupt(), true)
    if (this.isPumping || this.inFlight > 0 || this.questionsInFlight > 0) return
    const onDrained = this.onDrained
    if (onDrained === undefined || this.isDrained) return
    this.isDrained = true
    onDrained()
  }

  private taskOf(item: A): Effect.Effect<unknown, unknown> {
    try {
      return this.feed.task(item)
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  private afterTimeLimit(item: A): Effect.Effect<unknown, unknown> {
    try {
      return this.options.onTimeLimit(item)
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  private readClock(): void {
    this.time = this.clock.read()
    this.isTimeOld = false
  }
}

/** Whether an effect is an exit already, and needs no fiber. The tag comes first because reading it is cheap. */
const isEnded = (task: Effect.Effect<unknown, unknown>): task is Exit.Exit<unknown, unknown> => {
  const tag = (task as { readonly _tag?: unknown })._tag // effects of other kinds may have a tag, or none
  return (tag === "Success" || tag === "Failure") && Exit.isExit(task)
}

const isOwnFailure = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
