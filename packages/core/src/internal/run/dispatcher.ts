/**
 * One run of a pool: starts tasks while the gate is open and the feed has items, and ends when nothing is left.
 *
 * Everything here is synchronous. Fibers are the tasks themselves and the questions a feed asks; whatever happens to them
 * comes back as a call, and a call that may have opened the gate ends in a round: it starts what may start, and closes a
 * run of which nothing is left.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Closed } from "../../ConcurrencyGovernor.ts"
import type { ConcurrencyTotals } from "../budget/concurrencyMeter.ts"
import type { BudgetConsumer } from "../budget/consumer.ts"
import type { Delayed, Feed, FeedHost, HeldByKey, Lack, Poke, Pulled, Room } from "../feeds/feed.ts"
import { CurrentAttempt } from "../sources/currentAttempt.ts"
import { CurrentTask } from "../task/currentTask.ts"
import { Alarm } from "../time/alarm.ts"
import { TurnClock } from "../time/turnClock.ts"
import type { Hold } from "./hold.ts"
import { Patience } from "./patience.ts"
import { Questions } from "./questions.ts"
import { Rounds } from "./rounds.ts"
import { type Ending, RunCourse } from "./runCourse.ts"
import { RunLedger } from "./runLedger.ts"
import type { Supervision } from "./supervision.ts"
import { type Finalizing, Tasks } from "./tasks.ts"
import type { Limits } from "./timeLimits.ts"

/** Why nothing starts at the moment; `undefined` while tasks start. */
export type BlockerTag = Closed | Lack | "Paused" | "Draining" | "Finalizing" | undefined

/** How many tasks may start before timers and input get their turn, and for how many milliseconds. */
const startsPerTurn = 512
const millisPerTurn = 5

/** No item is held; an item may itself be `undefined`. */
const nothing: unique symbol = Symbol()

export interface DispatcherOptions<A> {
  readonly governor: BudgetConsumer
  readonly makeFeed: (host: FeedHost<A>) => Feed<A>
  readonly supervision: Supervision
  readonly context: Context.Context<never>
  readonly now: () => number
  /** Runs something in a later turn of the event loop. */
  readonly later: (turn: () => void) => void
  readonly limits: Limits
  /** What a task that reached its limit becomes. */
  readonly onTimeLimit: (item: A) => Effect.Effect<unknown, unknown>
  readonly hold: Hold
  /** The finalizers of interrupted tasks take long. */
  readonly warn: (finalizing: Finalizing) => Effect.Effect<void>
  /** What was asked and interrupted takes long, so many milliseconds until now, and no task is left. */
  readonly warnOfQuestions: (waited: number) => Effect.Effect<void>
  /** Permits that the task of an item takes, where it is not one. */
  readonly weightOf: ((item: A) => number) | undefined
}

export class Dispatcher<A> implements FeedHost<A> {
  readonly ledger: RunLedger<NonNullable<BlockerTag>>
  readonly course = new RunCourse()
  private readonly governor: BudgetConsumer
  private readonly clock: TurnClock
  private readonly rounds: Rounds
  private readonly feed: Feed<A>
  private readonly tasks: Tasks<A>
  private readonly questions: Questions
  /** Rings when something may start because of the time alone. */
  private readonly alarm: Alarm
  private readonly concurrencyAtStart: ConcurrencyTotals
  /** An item that was pulled and has not started: it waits for the gate. */
  private held: A | typeof nothing = nothing
  /** What the next start takes, as far as is known: the item that is held, or one that is still to be found. */
  private permits = 1
  private readonly hold: Hold
  private readonly weightOf: ((item: A) => number) | undefined
  /** Rings when the answers of questions that were interrupted with the run are no longer waited for. */
  readonly patience: Patience

  constructor(options: DispatcherOptions<A>) {
    const { governor, later, makeFeed, supervision } = options
    // The run of a task that is tried again has tries of its own.
    const context = Context.add(options.context, CurrentAttempt, 1)
    this.governor = governor
    this.hold = options.hold
    this.weightOf = options.weightOf
    this.clock = new TurnClock(options.now, later)
    this.rounds = new Rounds(this.round, later)
    this.ledger = new RunLedger(this.clock.time)
    this.concurrencyAtStart = governor.meter.totals(this.clock.time)
    const around = Context.get(context, CurrentTask)
    const runs = [this, ...around?.runs ?? []]
    const holdings = around?.holdings ?? []
    const forkOutsideTasks = Effect.runForkWith(Context.add(context, CurrentTask, { runs, holdings, reject: () => {} }))
    const makeAlarm = (ring: () => void) => new Alarm(forkOutsideTasks, ring)
    this.alarm = makeAlarm(() => this.wake())
    this.questions = new Questions(supervision, forkOutsideTasks, () => this.wake())
    this.feed = makeFeed(this)
    const { clock, course, ledger } = this
    const surroundings = { runs, holdings, budget: governor.budget }
    const shared = { ...options, context, surroundings, clock, course, ledger, makeAlarm }
    this.tasks = new Tasks({
      ...shared,
      fail: (cause) => this.fail(cause),
      onEnd: this.advance,
      warn: (finalizing) => void forkOutsideTasks(options.warn(finalizing))
    }, this.feed)
    this.patience = new Patience({
      limit: options.limits.finalizerTimeout,
      makeAlarm,
      now: () => clock.read(),
      warn: (waited) => this.tasks.inFlight === 0 && void forkOutsideTasks(options.warnOfQuestions(waited)),
      giveUp: () => {
        this.questions.abandon()
        this.wake()
      }
    })
  }

  /** Begins the run; `onOver` is called once, when it has ended and nothing of it is left. */
  begin(onOver: () => void): void {
    this.course.begin(onOver)
    this.governor.meter.peak = this.governor.current
    this.wake()
  }

  /** From now on nothing starts, and the run ends with what is in flight. Without effect on a run that is ending already. */
  drain(): void {
    if (!this.course.drain()) return
    this.alarm.clear()
    this.governor.passUnsafe(this.clock.read(), "Retired")
    this.wakeLater()
  }

  /** Ends the run and interrupts everything. Without effect on a run that is ending already. */
  end(ending: Ending): void {
    if (this.course.end(ending)) this.interruptAll()
  }

  /** Ends the run where it has not ended yet, and calls `onOver` when nothing of it is left. */
  interrupt(onOver: () => void): void {
    this.course.awaitEnd(onOver)
    this.end("Interrupted")
  }

  /** Ends the run with a failure; the first one wins, further ones are kept. */
  fail(cause: Cause.Cause<unknown>): void {
    if (this.course.fail(cause)) this.interruptAll()
  }

  /** The source takes back an item: one that waits for the gate does not start, one that has started is interrupted. */
  revoke(matches: (item: A) => boolean): void {
    if (this.held !== nothing && matches(this.held)) this.feed.settle(this.releaseItem(), Exit.interrupt(), true, 0)
    else this.tasks.revoke(matches)
  }

  /** Something may have made a task ready. */
  poke(why: Poke): void {
    this.feed.poke(why)
    this.wakeLater()
  }

  /** An interval has passed, in a turn in which nothing else is done. */
  pass(): void {
    this.feed.poke("Interval")
    if (this.isAwake()) this.wake()
  }

  /** Looks at the gate again in a later turn, so that no task starts on the stack of whoever says so. */
  wakeLater(): void {
    if (this.isAwake()) this.rounds.runLater(() => this.wake())
  }

  wake(): void {
    this.clock.read()
    this.advance()
  }

  ages(now: number): ReadonlyArray<number> {
    return this.tasks.ages(now)
  }

  finalizingAt(now: number): Finalizing {
    return this.tasks.finalizingAt(now)
  }

  heldByKeys(): HeldByKey | undefined {
    return this.feed.heldByKeys?.()
  }

  delayed(): Delayed | undefined {
    return this.feed.delayed?.()
  }

  now(): number {
    return this.clock.read()
  }

  time(): number {
    return this.clock.time
  }

  wakeAt(at: number): void {
    this.alarm.setAt(at, this.clock.time)
  }

  desired(): number {
    return this.governor.desired
  }

  free(): number {
    return this.governor.freeUnsafe(this.clock.time)
  }

  get started(): number {
    return this.ledger.started
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
    const fiber = this.questions.ask(effect, onExit)
    if (this.course.ending !== undefined) fiber?.interruptUnsafe()
    return fiber
  }

  private isAwake(): boolean {
    return this.course.stage !== "Ready" && this.course.stage !== "Over"
  }

  private readonly advance = (): void => {
    if (this.course.stage === "Ready") return
    this.rounds.run()
    if (this.course.stage !== "Running") this.closeIfNothingIsLeft()
  }

  private readonly round = (): void => {
    try {
      if (this.course.stage === "Running") this.startWhatMay()
    } catch (defect) {
      this.fail(Cause.die(defect))
    }
    try {
      if (this.course.stage !== "Running") this.giveBack()
    } catch (defect) {
      this.fail(Cause.die(defect))
    }
  }

  private startWhatMay(): void {
    const { clock, course } = this
    const turnEnd = clock.time + millisPerTurn
    for (let starts = 0; course.stage === "Running"; starts++) {
      if (starts >= startsPerTurn || clock.time > turnEnd) return this.yieldTurn()
      if (this.held === nothing && !this.pullItem()) return
      // Looking for an item may run code of the caller, which may have closed the gate or ended the run.
      if (course.stage !== "Running") return
      const closed = this.closedBy()
      if (closed !== undefined) return this.rest(closed)
      const { permits } = this
      this.tasks.start(this.releaseItem(), permits)
      if (this.ledger.blocker === "AtDesired" && this.isFullAgain()) return
    }
  }

  /** One task has taken the place of another, so that nothing starts for the reason for which nothing did before. */
  private isFullAgain(): boolean {
    return this.governor.isFull && this.tasks.finalizing === 0 && this.feed.keep === undefined &&
      !this.hold.closes(this.clock.time)
  }

  /** Holds the next item, where one may be looked for and there is one. */
  private pullItem(): boolean {
    const closed = this.closedBy()
    if (closed !== undefined && !this.mayLookAhead(closed)) {
      this.rest(closed)
      return false
    }
    const room = closed === undefined ? "Free" : "LookAhead"
    if (closed !== undefined) this.awaitTime(closed)
    const pulled = this.feed.pull(room)
    if (pulled === "Item") {
      this.held = this.feed.item
      if (this.weightOf !== undefined) this.permits = this.weightOf(this.held)
      return true
    }
    this.restWithout(pulled, room)
    return false
  }

  private closedBy(): NonNullable<BlockerTag> | undefined {
    const now = this.clock.time
    if (this.hold.closes(now)) return "Paused"
    const { governor, permits } = this
    return governor.isOpenUnsafe(now, permits) ? undefined : governor.closedByUnsafe(now, permits)
  }

  /** A run with nothing left must not wait for a token, or for the end of a hold, to find out. */
  private mayLookAhead(closed: NonNullable<BlockerTag>): boolean {
    if (this.tasks.inFlight > 0) return false
    return closed === "RateLimited" || (closed === "Paused" && !this.hold.isPaused)
  }

  private releaseItem(): A {
    const item = this.held as A // asked only while an item is held
    this.held = nothing
    this.permits = 1
    return item
  }

  private rest(blocker: NonNullable<BlockerTag>): void {
    this.ledger.rest(this.clock.time, this.blameFinalizers(blocker))
    this.feed.keep?.("None")
    if (blocker === "Paused") this.stepBack()
    this.awaitTime(blocker)
  }

  /** Nobody is to wait for a pool that is paused. */
  private stepBack(): void {
    this.governor.passUnsafe(this.clock.time, "Content")
    if (this.held !== nothing && this.feed.takeBack !== undefined) this.feed.takeBack(this.releaseItem())
  }

  /** Wakes when the time alone has opened the gate. */
  private awaitTime(closed: NonNullable<BlockerTag>): void {
    const now = this.clock.time
    if (closed === "RateLimited") this.alarm.setAt(this.governor.nextTokenAtUnsafe(), now)
    if (closed === "Paused" && !this.hold.isPaused) this.alarm.setAt(this.hold.until, now)
  }

  private restWithout(pulled: Exclude<Pulled, "Item">, room: Room): void {
    if (pulled !== "Waiting" && this.tasks.inFlight === 0 && this.feed.mayEnd()) return this.end("Finished")
    this.ledger.rest(this.clock.time, this.blameFinalizers(this.feed.lack))
    this.feed.keep?.(room)
    this.governor.passUnsafe(this.clock.time, pulled === "Waiting" ? "Answering" : "Content")
  }

  /** Where all that is in flight are finalizers, it is they that nothing starts for, or ends. */
  private blameFinalizers(blocker: NonNullable<BlockerTag>): NonNullable<BlockerTag> {
    const { finalizing, inFlight } = this.tasks
    const mayBeTheirs = blocker !== "Paused" && blocker !== "RateLimited"
    return mayBeTheirs && finalizing > 0 && finalizing === inFlight ? "Finalizing" : blocker
  }

  private yieldTurn(): void {
    this.ledger.rest(this.clock.time, undefined)
    this.wakeLater()
  }

  /** Gives back what has not started, because nothing does any more. */
  private giveBack(): void {
    if (this.held !== nothing) this.feed.settle(this.releaseItem(), Exit.interrupt(), true, 0)
    this.feed.giveBack()
    if (this.isEmpty()) return
    if (this.tasks.inFlight === 0) this.limitQuestions()
    const isDraining = this.course.ending === undefined
    this.ledger.rest(this.clock.time, isDraining ? this.blameFinalizers("Draining") : "Finalizing")
  }

  private interruptAll(): void {
    this.clock.read()
    this.governor.passUnsafe(this.clock.time, "Retired")
    this.alarm.clear()
    this.questions.interruptAll() // first: to its source, a lease is interrupted and has not failed
    this.tasks.interruptAll()
    this.limitQuestions()
    if (!this.rounds.isWorking) this.giveBack()
    this.closeIfNothingIsLeft()
  }

  /** What is asked was interrupted, and is waited for no longer than finalizers are. */
  private limitQuestions(): void {
    if (this.questions.count > 0) this.patience.begin(this.clock.time)
  }

  private closeIfNothingIsLeft(): void {
    const { stage } = this.course
    if (stage !== "Draining" && stage !== "Ending") return
    if (this.rounds.isWorking || !this.isEmpty()) return
    this.tasks.close()
    this.patience.end()
    this.course.close()
  }

  private isEmpty(): boolean {
    return this.tasks.inFlight === 0 && this.questions.count === 0
  }
}
