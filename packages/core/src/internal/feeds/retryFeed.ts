/**
 * A feed around a feed: an item whose task failed is tried again, after a pause that holds no slot.
 *
 * A schedule says of each failure whether and when there is another try. Until then the item waits here, among others by
 * the time at which they are due; what is due goes before what the inner feed has. So that memory stays bounded, the
 * inner feed is not asked while as many items wait as may.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { Delayed, Feed, FeedHost, Lack, Poke, Pulled, Room, Settled } from "./feed.ts"
import { innerHost } from "./innerHost.ts"

/** An item with its tries. */
export interface Tried<A> {
  readonly item: A
  /** The number of the try that runs or comes next. */
  number: number
  /** Where its schedule stands; none before the first failure. */
  step: Step | undefined
  /** When the next try is due, in monotonic milliseconds. */
  dueAt: number
}

type Step = (error: unknown) => Pull.Pull<readonly [unknown, Duration.Duration], unknown, unknown, unknown>

/** Which failures are tried again, and when. */
export type RetrySchedule = Schedule.Schedule<unknown, unknown, unknown, unknown>

/** How many items may wait for their next try before no others are looked for. */
const mostDelayed = 1_000

export class RetryFeed<A> implements Feed<Tried<A>> {
  item!: Tried<A>
  lack: Lack = "NoTaskReady"
  private readonly host: FeedHost<Tried<A>>
  private readonly inner: Feed<A>
  private readonly schedule: RetrySchedule
  /** Items that wait for their next try, the one that is due first at the end. */
  private readonly waiting: Array<Tried<A>> = []
  /** Failures of which the schedule has not said what becomes of them. */
  private undecided = 0
  private isGivenBack = false

  constructor(host: FeedHost<Tried<A>>, schedule: RetrySchedule, makeInner: (host: FeedHost<A>) => Feed<A>) {
    this.host = host
    this.schedule = schedule
    this.inner = makeInner(innerHost(host, (matches) => this.revoke(matches)))
  }

  get isOpaque(): boolean {
    return this.inner.isOpaque
  }

  delayed(): Delayed {
    const now = this.host.now()
    const pausing = this.waiting.filter(({ dueAt }) => dueAt > now)
    return { tasks: pausing.length, next: pausing.at(-1)?.dueAt ?? now }
  }

  pull(room: Room): Pulled {
    const next = this.waiting.at(-1)
    if (next !== undefined && next.dueAt <= this.host.now()) {
      this.waiting.pop()
      this.item = next
      return "Item"
    }
    if (this.waiting.length + this.undecided < mostDelayed) {
      const pulled = this.inner.pull(room)
      if (pulled === "Item") {
        this.item = { item: this.inner.item, number: 1, step: undefined, dueAt: 0 }
        return pulled
      }
      this.lack = this.inner.lack
      if (next === undefined && this.undecided === 0) return pulled
    }
    if (next === undefined) return "Waiting"
    this.lack = "Delayed"
    this.host.wakeAt(next.dueAt)
    return "Waiting"
  }

  task({ item }: Tried<A>): Effect.Effect<unknown, unknown> {
    return this.inner.task(item)
  }

  attemptOf({ item, number }: Tried<A>): number {
    return this.inner.attemptOf(item) + number - 1
  }

  isRevoked({ item }: Tried<A>): boolean {
    return this.inner.isRevoked(item)
  }

  settle(tried: Tried<A>, exit: Exit.Exit<unknown, unknown>, isWithdrawn: boolean, retryAfter: number): Settled {
    const error = Exit.isFailure(exit) && !isWithdrawn ? recoverable(exit.cause) : undefined
    if (error === undefined) return this.inner.settle(tried.item, exit, isWithdrawn, retryAfter)
    this.undecided++
    // What the schedule itself ends with, an interruption too; the run's interruption is not caught.
    this.host.fork(Effect.exit(this.delayAfter(tried, error.value)), (decision) => {
      this.undecided--
      if (Exit.isSuccess(decision)) this.decide(tried, exit, decision.value, retryAfter)
      else this.delay(tried, 0) // and the end of the run gives it back
    })
    return "Ended" // the failure is the run's only if there is no other try
  }

  mayEnd(): boolean {
    return this.waiting.length === 0 && this.undecided === 0 && this.inner.mayEnd()
  }

  poke(why: Poke): void {
    this.inner.poke(why)
  }

  giveBack(): void {
    this.isGivenBack = true
    for (const { item } of this.waiting.splice(0)) this.inner.settle(item, Exit.interrupt(), true, 0)
    this.inner.giveBack()
  }

  keep(room: Room): void {
    this.inner.keep?.(room)
  }

  /** The pause before the next try, or a failure with `Done` where there is none. */
  private delayAfter(tried: Tried<A>, error: unknown): Effect.Effect<number, unknown> {
    const stepped = Effect.flatMap(this.stepOf(tried), (step) => step(error))
    // The host forks in the pool's context, which has what the schedule requires.
    return Effect.map(stepped, ([, delay]) => Duration.toMillis(delay)) as Effect.Effect<number, unknown>
  }

  /** Schedules are told the time of day: it is read once, so that a clock which is set meanwhile changes no pause. */
  private stepOf(tried: Tried<A>): Effect.Effect<Step, never, unknown> {
    if (tried.step !== undefined) return Effect.succeed(tried.step)
    return Effect.zipWith(Schedule.toStep(this.schedule), Clock.currentTimeMillis, (step, wallTime) => {
      const since = this.host.now()
      return (tried.step = (error) => step(Math.round(wallTime + this.host.now() - since), error))
    })
  }

  private decide(
    tried: Tried<A>,
    failure: Exit.Exit<unknown, unknown>,
    decision: Exit.Exit<number, unknown>,
    retryAfter: number
  ): void {
    if (Exit.isSuccess(decision)) return this.delay(tried, Math.max(decision.value, retryAfter))
    const isOver = decision.cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))
    const exit = isOver ? failure : decision // a schedule may fail too
    const settled = this.inner.settle(tried.item, exit, false, retryAfter)
    if (settled === "FailsRun" && Exit.isFailure(exit)) this.host.fail(exit.cause)
  }

  private delay(tried: Tried<A>, millis: number): void {
    if (this.isGivenBack) return void this.inner.settle(tried.item, Exit.interrupt(), true, 0)
    tried.number++
    tried.dueAt = this.host.now() + millis
    const index = this.waiting.findLastIndex(({ dueAt }) => dueAt > tried.dueAt)
    this.waiting.splice(index + 1, 0, tried)
    this.inner.poke("TaskEnded") // a task has ended, if not the last of its tries
    this.host.wakeLater()
  }

  /** A source that takes back an item which waits here has it at once. */
  private revoke(matches: (item: A) => boolean): void {
    const index = this.waiting.findIndex(({ item }) => matches(item))
    if (index < 0) return this.host.revoke(({ item }) => matches(item))
    const [{ item }] = this.waiting.splice(index, 1)
    this.inner.settle(item, Exit.interrupt(), true, 0)
    this.host.wakeLater()
  }
}

/** The error that a failure can be retried for; a defect or an interruption cannot be. */
const recoverable = (cause: Cause.Cause<unknown>): { readonly value: unknown } | undefined => {
  if (cause.reasons.some(Cause.isDieReason)) return undefined
  const error = Cause.findError(cause)
  return Result.isSuccess(error) ? { value: error.success } : undefined
}
