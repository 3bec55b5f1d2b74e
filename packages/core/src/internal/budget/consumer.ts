/**
 * One consumer of a budget: what a pool asks before it starts a task, and tells when one has ended.
 *
 * The members whose names end in `Unsafe` are synchronous. `now` is always monotonic milliseconds of the `Clock`.
 *
 * What a task takes is *held*; what is held beyond the permits that the task around it lends is *booked* on the budget.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Closed, GovernorEvent } from "../../ConcurrencyGovernor.ts"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { DecisionCounts, DecisionRecord, ScalingPolicy } from "../../ScalingPolicy.ts"
import { type SystemInfo, SystemStatus } from "../../SystemStatus.ts"
import { CurrentTask } from "../task/currentTask.ts"
import { reader as monotonicReader } from "../time/monotonic.ts"
import { Budget, type Member } from "./budget.ts"
import type { TaskOutcome } from "./completionTally.ts"
import { ConcurrencyMeter } from "./concurrencyMeter.ts"
import { type Dispatching, nobody } from "./dispatching.ts"
import { type Borrower, type Holding, holdingOf, type Nested } from "./holding.ts"
import type { Ends } from "./observationWindow.ts"
import { type OwnBounds, readOwn } from "./ownBounds.ts"
import { overloadedIn } from "./regulator.ts"
import type { Share } from "./shares.ts"

/**
 * What asks the policy of the budget.
 *
 * - `prepare`: called before the first start of a run.
 * - `regulate`: runs beside the tasks of a run; a defect of the policy is one of the run.
 * - `retire`: called when a run has ended.
 */
export interface Regulation {
  readonly prepare: Effect.Effect<void>
  readonly regulate: Effect.Effect<void>
  readonly retire: Effect.Effect<void>
}

export class BudgetConsumer implements Member, Borrower, Nested {
  readonly budget: Budget
  readonly regulate: Effect.Effect<void>
  private readonly regulation: Regulation
  readonly name: string
  readonly weight: number
  /** Its tasks in flight over time. */
  readonly meter: ConcurrencyMeter
  share: Share | undefined
  /** How many of its tasks are in flight. */
  current = 0
  booked = 0
  private held = 0
  private readonly own: OwnBounds | undefined
  private readonly ends: Ends
  private dispatching: Dispatching = nobody
  /** Permits of the task in which it runs, and how many of them it has borrowed. */
  private lender: Holding | undefined
  private borrowed = 0
  private isAtOwnMaximum = false
  private isRetired = false
  private stopHearing: () => void = () => {}

  /** Without bounds of its own it is the only consumer of its budget. */
  constructor(
    budget: Budget,
    regulation: Regulation,
    own: OwnBounds | undefined,
    { name, weight }: { readonly name: string; readonly weight: number }
  ) {
    this.budget = budget
    this.regulation = regulation
    this.regulate = regulation.regulate
    this.name = name
    this.weight = weight
    this.own = own
    this.ends = budget.window.makeEnds()
    this.meter = own === undefined ? budget.window.meter : new ConcurrencyMeter(budget.now())
    if (own === undefined) this.takePart()
  }

  /** Takes part for as long as a run does. */
  readonly enter: Effect.Effect<void, never, Scope.Scope> = Effect.suspend(() =>
    Effect.andThen(
      Effect.acquireRelease(
        Effect.withFiber((fiber) =>
          Effect.sync(() => this.joinUnsafe(holdingOf(fiber.getRef(CurrentTask), this.budget)))
        ),
        () => Effect.andThen(Effect.sync(() => this.leaveUnsafe(this.budget.now())), this.regulation.retire)
      ),
      this.regulation.prepare
    )
  )

  get minimum(): number {
    return this.own?.settings.minConcurrency ?? 0
  }

  /** How many tasks should be in flight. */
  get desired(): number {
    const { desired } = this.budget.gate
    return this.own === undefined ? desired : Math.min(desired, this.own.settings.maxConcurrency)
  }

  /** Permits that are its share of what is desired, where it may have to share. */
  get due(): number | undefined {
    return this.own === undefined ? undefined : Math.min(this.budget.claim(this), this.budget.gate.desired)
  }

  /** The settings in force. */
  get settings(): ConcurrencySettings {
    const { settings } = this.budget.gate
    if (this.own === undefined) return settings
    const { maxTasksPerMinute, ...own } = this.own.settings
    const maxConcurrency = Math.min(own.maxConcurrency, settings.maxConcurrency)
    const minConcurrency = Math.min(own.minConcurrency, maxConcurrency)
    return { minConcurrency, maxConcurrency, desiredConcurrency: this.desired, maxTasksPerMinute }
  }

  /** What the policy decided last. */
  get lastDecision(): DecisionRecord | undefined {
    return this.budget.regulator.lastDecision
  }

  /** The name of the policy. */
  get policy(): string {
    return this.budget.regulator.policy.name
  }

  /** All decisions of the policy so far. */
  decisionsUnsafe(): DecisionCounts {
    return this.budget.regulator.decisions.read()
  }

  /** How many starts wait for permits, as far as is known. */
  get waits(): number {
    return this.dispatching.waits?.() ?? Number(this.share?.state === "Waiting")
  }

  /** Whether one more task may start, which takes so many permits. */
  isOpenUnsafe(now: number, permits = 1): boolean {
    if (this.isAlone) return this.budget.gate.isOpen(now, permits)
    if (this.own?.closedBy(now, this.held, permits) !== undefined) return false
    const { budget } = this
    const more = this.needFor(permits)
    if (more === 0) return budget.gate.hasToken(now)
    return budget.gate.isOpen(now, more) && budget.isTurnOf(this, more, now) ||
      this.isStuck && budget.gate.hasToken(now)
  }

  /** Whether as many permits are in use as are desired, and nobody else has a say in that. */
  get isFull(): boolean {
    return this.isAlone && this.budget.gate.current >= this.budget.gate.desired
  }

  /** Why one more task may not start, or `undefined` where it may. */
  closedByUnsafe(now: number, permits = 1): Closed | undefined {
    const { budget } = this
    if (this.isAlone) return budget.gate.closedBy(now, permits)
    const ofOwn = this.own?.closedBy(now, this.held, permits)
    this.isAtOwnMaximum = ofOwn === "AtOwnMaximum"
    if (ofOwn !== undefined) {
      budget.pass(this, "Content", now)
      return this.rested(ofOwn)
    }
    const more = this.needFor(permits)
    if (more === 0) return budget.gate.hasToken(now) ? undefined : "RateLimited"
    budget.want(this, more, now)
    if (this.lender !== undefined) {
      if (!budget.gate.hasToken(now)) return this.rested("RateLimited")
      this.lender.enter(this)
      if (this.isStuck) return undefined
    }
    const closed = budget.gate.closedBy(now, more)
    if (closed !== undefined || budget.isTurnOf(this, more, now)) return closed
    return budget.isKeptForHeavier(now) ? "HeldForHeavier" : "AtDesired"
  }

  /** How many tasks may start now, as far as is known now. */
  freeUnsafe(now: number): number {
    const free = Math.max(this.budget.gate.free(now), this.lendable)
    const { own } = this
    if (own === undefined || free <= 0) return free
    if (own.closedBy(now, this.held, 1) !== undefined) return 0
    if (own.settings.maxTasksPerMinute !== Infinity) return 1
    return Math.max(1, Math.min(free, own.settings.maxConcurrency - this.held, this.budget.claim(this) - this.booked))
  }

  /** Books a start. Call it in the same step in which the gate was seen open. */
  bookUnsafe(now: number, permits = 1): void {
    if (!this.isAlone) return this.bookAmongOthers(now, permits)
    this.held += permits
    this.booked += permits
    this.current++
    this.budget.book(this, permits, now)
  }

  private bookAmongOthers(now: number, permits: number): void {
    if (this.lender !== undefined) this.borrow(this.lender, permits)
    this.held += permits
    const more = Math.max(0, this.held - this.borrowed - this.booked)
    this.booked += more
    this.current++
    this.own?.take(now)
    this.budget.book(this, more, now)
    this.lender?.enter(this)
    if (this.own !== undefined) this.meter.change(now, this.current)
  }

  /** Ends what `bookUnsafe` began. */
  releaseUnsafe(now: number, startedAt: number, outcome: TaskOutcome, wasRejected: boolean, permits = 1): void {
    this.ends.add(now, startedAt, outcome, wasRejected)
    if (!this.isAlone) return this.releaseAmongOthers(now, permits)
    this.held -= permits
    this.booked -= permits
    this.current--
    this.budget.release(this, permits, now)
  }

  private releaseAmongOthers(now: number, permits: number): void {
    this.held -= permits
    this.current--
    if (this.own !== undefined) this.meter.change(now, this.current)
    if (this.held === 0 && this.borrowed > 0) this.giveBack()
    const less = this.booked - Math.max(0, this.held - this.borrowed)
    this.booked -= less
    // What it waits for may have been this, and it will look for itself.
    if (this.isAtOwnMaximum && !this.isRetired) this.budget.want(this, 1, now)
    this.budget.release(this, less, now)
  }

  /** It wants no permit: it has nothing to start, or will know soon (`Answering`), or is `Retired` for this run. */
  passUnsafe(now: number, why: "Content" | "Answering" | "Retired"): void {
    if (why === "Retired") this.isRetired = true
    if (this.current === 0) this.lender?.leave(this)
    this.budget.pass(this, why === "Answering" ? why : "Content", now)
  }

  /** When to look again where the rate cap is against a start; Infinity where another consumer is to look first. */
  nextTokenAtUnsafe(): number {
    const { budget, own } = this
    if (this.lender !== undefined || own !== undefined && own.nextToken > budget.gate.nextToken) {
      return this.tokenAtUnsafe()
    }
    return this.share === undefined || budget.isNext(this) ? budget.gate.nextToken : Infinity
  }

  /** When it has a token, as far as rate caps decide that. */
  tokenAtUnsafe(): number {
    return Math.max(this.own?.nextToken ?? -Infinity, this.budget.gate.nextToken)
  }

  /** The signals that are overloaded by the verdict in force. */
  overloadedUnsafe(): ReadonlyArray<string> {
    return overloadedIn(this.budget.regulator.verdict)
  }

  /** The verdict in force. */
  verdictUnsafe(): SystemInfo {
    return this.budget.regulator.verdict
  }

  /**
   * Applies a change of settings at once, or refuses it and changes nothing: of its own bounds, or of its budget's where it
   * has none. No running task is interrupted.
   */
  configure(change: Partial<ConcurrencySettings>): Effect.Effect<void, InvalidOptionsError> {
    const { budget, own } = this
    if (own === undefined) return budget.regulator.configure(change)
    return Effect.map(readOwn({ ...own.settings, ...change }), (settings) => {
      own.configure(settings)
      budget.adjust(this, budget.now())
      this.report({ _tag: "SettingsChanged", settings: this.settings })
      this.wake()
    })
  }

  /** Makes `dispatching` the one to wake and to tell; gives back how to end that. */
  attachUnsafe(dispatching: Dispatching): () => void {
    this.dispatching = dispatching
    return () => {
      this.dispatching = nobody
    }
  }

  /** Readies the budget for a run. */
  get prepare(): Effect.Effect<void> {
    return this.regulation.prepare
  }

  /** Takes part from now on; `lender` holds the permits of the task in which it runs. */
  joinUnsafe(lender: Holding | undefined): void {
    this.isRetired = this.isAtOwnMaximum = false
    this.lender = lender
    this.stopHearing = lender?.tell(this) ?? (() => {})
    if (this.own !== undefined) this.takePart()
  }

  private takePart(): void {
    this.budget.join(this)
    this.budget.window.join(this.ends)
  }

  /** Takes part no longer. Call it when nothing is held. */
  leaveUnsafe(now: number): void {
    this.stopHearing()
    this.lender?.leave(this)
    this.lender = undefined
    if (this.own === undefined) return
    this.budget.leave(this, now)
    this.budget.window.leave(this.ends)
  }

  readonly wake = (): void => this.dispatching.wake()

  readonly orphan = (): void => {
    this.lender = undefined
    this.wake()
  }

  report(event: GovernorEvent): void {
    this.dispatching.report(event)
  }

  ages(now: number): ReadonlyArray<number> {
    return this.dispatching.ages(now)
  }

  inherit(now: number): void {
    this.lender = undefined
    this.borrowed = 0
    this.inheritUnsafe(now, this.held - this.booked)
  }

  /** Books permits that are in use already, and that somebody else has released. */
  inheritUnsafe(now: number, permits: number): void {
    this.held = Math.max(this.held, this.booked + permits)
    this.booked += permits
    this.budget.inherit(this, permits, now)
  }

  /** Whether nobody else has a say in its starts: it shares the budget with nobody, and borrows of nobody. */
  private get isAlone(): boolean {
    return this.own === undefined && this.lender === undefined
  }

  /** Permits that must be free for a start, beyond those that are lent. */
  private needFor(permits: number): number {
    if (this.lender === undefined) return permits
    return Math.max(0, this.held + this.budget.gate.sizeOf(permits) - this.borrowed - this.lendable - this.booked)
  }

  /** Whether what it waits for can come from nobody but itself. */
  private get isStuck(): boolean {
    const { budget, current, lender } = this
    return lender !== undefined && !lender.isLent && current === 0 && budget.isStuckWith(lender)
  }

  /** Time will let it go on, or a task of its own. */
  private rested(closed: Closed): Closed {
    if (this.current === 0) this.lender?.leave(this)
    return closed
  }

  private get lendable(): number {
    const { lender } = this
    return lender === undefined || lender.isLent ? 0 : lender.permits
  }

  private borrow(lender: Holding, permits: number): void {
    if (lender.isLent) return
    const { gate } = this.budget
    const idle = gate.fits(this.needFor(permits)) ? 0 : permits - gate.room // where it is stuck, those of all the others
    lender.lend(this)
    this.borrowed = Math.max(lender.permits, idle)
  }

  private giveBack(): void {
    this.borrowed = 0
    this.lender?.giveBack()
  }
}

/** The only consumer of a budget of its own. */
export const makePrivate = Effect.fnUntraced(function*(settings: ConcurrencySettings, policy: ScalingPolicy) {
  const budget = yield* makeBudget(settings, policy)
  const { prepare, regulate } = budget.regulator
  const regulation: Regulation = { prepare, regulate, retire: Effect.void }
  return new BudgetConsumer(budget, regulation, undefined, { name: "pool", weight: 1 })
})

export const makeBudget = Effect.fnUntraced(function*(settings: ConcurrencySettings, policy: ScalingPolicy) {
  const status = yield* SystemStatus
  const now = yield* monotonicReader
  return new Budget(settings, policy, status, yield* status.current, now)
})
