/**
 * Effects that run under a budget: each waits for its permits in the order in which it asked.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { CurrentTask, type TaskHandle } from "../task/currentTask.ts"
import { Alarm } from "../time/alarm.ts"
import type { TaskOutcome } from "./completionTally.ts"
import type { BudgetConsumer } from "./consumer.ts"
import { type Borrower, Holding, holdingOf } from "./holding.ts"

export interface PermitQueueHost {
  readonly consumer: BudgetConsumer
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  /** Runs something in a later turn of the event loop. */
  readonly later: (turn: () => void) => void
  /** Called before an effect asks for permits, and after it has given them back. */
  readonly begin: Effect.Effect<void>
  readonly end: Effect.Effect<void>
}

export class PermitQueue {
  private readonly host: PermitQueueHost
  private readonly consumer: BudgetConsumer
  private readonly waiting = new Set<Request>()
  /** Of those that wait, the ones inside a task that holds permits. */
  private readonly nested = new Set<Request>()
  private readonly running = new Set<Request>()
  private readonly alarm: Alarm
  /** Effects that run or wait. */
  inUse = 0
  private hasTurn = false
  /** Where it is closed: what becomes of whatever asks for permits. */
  private closed: Cause.Cause<never> | undefined

  constructor(host: PermitQueueHost) {
    this.host = host
    this.consumer = host.consumer
    this.alarm = new Alarm(host.fork, this.pump)
    this.consumer.attachUnsafe({
      wake: () => this.pumpLater(),
      report: () => {},
      waits: () => this.waiting.size,
      ages: (now) => [...this.running].map(({ startedAt }) => now - startedAt).toSorted((a, b) => b - a)
    })
  }

  withPermits<A, E, R>(self: Effect.Effect<A, E, R>, permits: number): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const outer = fiber.getRef(CurrentTask)
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          Effect.andThen(this.host.begin, restore(this.acquire(permits, outer))),
          (request) =>
            Effect.onExit(
              restore(Effect.provideService(self, CurrentTask, request)),
              (exit) => Effect.sync(() => this.release(request, exit))
            )
        ).pipe(Effect.ensuring(this.host.end))
      )
    })
  }

  private acquire(permits: number, outer: TaskHandle | undefined): Effect.Effect<Request> {
    return Effect.callback<Request>((resume) => {
      if (this.closed !== undefined) return resume(Effect.failCause(this.closed))
      const { budget } = this.consumer
      const request = new Request(permits, new Holding(budget, permits), outer, holdingOf(outer, budget))
      request.start = () => resume(Effect.succeed(request))
      request.refuse = (cause) => resume(Effect.failCause(cause))
      this.waiting.add(request)
      this.nest(request)
      this.pump()
      if (this.nested.has(request)) {
        request.enter()
        this.startStuck(budget.now())
      }
      return Effect.sync(() => {
        this.forget(request)
        request.leave()
        this.pump()
      })
    })
  }

  /** A task around it lends its permits, until it ends. */
  private nest(request: Request): void {
    const { lender } = request
    if (lender === undefined) return
    request.stopHearing = lender.tell({
      wake: () => this.pumpLater(),
      orphan: () => {
        request.lender = undefined
        this.nested.delete(request)
        this.pumpLater()
      }
    })
    this.nested.add(request)
  }

  /** Ends whatever waits, now and later. */
  close(cause: Cause.Cause<never>): void {
    this.closed = cause
    for (const request of this.waiting) {
      this.forget(request)
      request.refuse(cause)
    }
    this.pump()
  }

  private release(request: Request, exit: Exit.Exit<unknown, unknown>): void {
    const now = this.consumer.budget.now()
    this.running.delete(request)
    request.leave()
    request.giveBack()
    this.consumer.releaseUnsafe(now, request.startedAt, outcomeOf(exit), request.wasRejected, request.booked)
    request.holding.end(now)
    this.pumpLater()
  }

  private pumpLater(): void {
    if (this.hasTurn) return
    this.hasTurn = true
    this.host.later(() => {
      this.hasTurn = false
      this.pump()
    })
  }

  /** Starts what may start. */
  private readonly pump = (): void => {
    const now = this.consumer.budget.now()
    for (const request of this.nested) {
      if (request.canBorrow && this.consumer.isOpenUnsafe(now, this.restOf(request))) this.begin(request, now)
    }
    this.startStuck(now)
    for (const request of this.waiting) {
      const permits = this.restOf(request)
      if (this.consumer.isOpenUnsafe(now, permits)) this.begin(request, now)
      else return this.waitFor(permits, now)
    }
    this.consumer.passUnsafe(now, "Content")
  }

  /** Starts one where all that is in flight waits for permits. */
  private startStuck(now: number): void {
    if (!this.consumer.budget.isStuck) return
    for (const request of this.nested) {
      if (!request.canBorrow) continue
      if (this.consumer.isOpenUnsafe(now, 0)) return this.begin(request, now)
      const token = this.consumer.tokenAtUnsafe()
      return token > now ? this.alarm.setAt(token, now) : undefined
    }
  }

  private waitFor(permits: number, now: number): void {
    const closed = this.consumer.closedByUnsafe(now, permits)
    if (closed === "RateLimited") this.alarm.setAt(this.consumer.nextTokenAtUnsafe(), now)
  }

  private begin(request: Request, now: number): void {
    request.booked = this.bookedBy(request)
    request.borrow((permits) => this.consumer.inheritUnsafe(this.consumer.budget.now(), permits))
    request.startedAt = now
    this.consumer.bookUnsafe(now, request.booked)
    request.enter()
    this.forget(request)
    this.running.add(request)
    request.start()
  }

  private forget(request: Request): void {
    this.waiting.delete(request)
    this.nested.delete(request)
    request.stopHearing()
  }

  /** Permits that it takes of the budget when it starts; where it is stuck, what there is. */
  private bookedBy(request: Request): number {
    const { gate } = this.consumer.budget
    if (!request.canBorrow) return request.permits
    return gate.fits(this.restOf(request)) ? Math.max(0, request.permits - request.lent) : gate.room
  }

  /** Permits that must be free for it to start, beyond those that are lent to it. */
  private restOf(request: Request): number {
    if (!request.canBorrow) return request.permits
    return Math.max(0, this.consumer.budget.gate.sizeOf(request.permits) - request.lent)
  }
}

/** An effect that waits for permits, and then holds them. */
class Request implements TaskHandle, Borrower {
  readonly permits: number
  readonly holding: Holding
  readonly holdings: ReadonlyArray<Holding>
  readonly runs: ReadonlyArray<object>
  lender: Holding | undefined
  private readonly outer: TaskHandle | undefined
  private onInherited: (permits: number) => void = () => {}
  private isBorrowing = false
  start: () => void = () => {}
  refuse: (cause: Cause.Cause<never>) => void = () => {}
  stopHearing: () => void = () => {}
  /** Permits that are its own. */
  booked = 0
  startedAt = 0
  wasRejected = false

  constructor(permits: number, holding: Holding, outer: TaskHandle | undefined, lender: Holding | undefined) {
    this.permits = permits
    this.holding = holding
    this.outer = outer
    this.lender = lender
    this.runs = outer?.runs ?? []
    this.holdings = [holding, ...outer?.holdings ?? []]
  }

  get canBorrow(): boolean {
    return this.lender !== undefined && !this.lender.isLent
  }

  /** It runs in the task around it, or waits. */
  enter(): void {
    this.lender?.enter(this)
  }

  leave(): void {
    this.lender?.leave(this)
  }

  /** What the task around it lends. */
  get lent(): number {
    return this.canBorrow ? this.lender?.permits ?? 0 : 0
  }

  reject(retryAfter = 0): void {
    this.wasRejected = true
    this.outer?.reject(retryAfter)
  }

  borrow(onInherited: (permits: number) => void): void {
    if (!this.canBorrow) return
    this.onInherited = onInherited
    this.isBorrowing = true
    this.lender?.lend(this)
  }

  giveBack(): void {
    if (this.isBorrowing) this.lender?.giveBack()
    this.isBorrowing = false
  }

  inherit(): void {
    this.isBorrowing = false
    const more = this.permits - this.booked
    this.booked += more
    this.onInherited(more)
  }
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): TaskOutcome => {
  if (Exit.isSuccess(exit)) return "Succeeded"
  return Cause.hasInterruptsOnly(exit.cause) ? "Interrupted" : "Failed"
}
