/**
 * A budget for everything in a program that joins it: asks its policy for as long as anything takes part.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberHandle from "effect/FiberHandle"
import * as Latch from "effect/Latch"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { ScalingPolicy } from "../../ScalingPolicy.ts"
import { SystemStatus } from "../../SystemStatus.ts"
import { reader as monotonicReader } from "../time/monotonic.ts"
import { Budget } from "./budget.ts"
import { BudgetConsumer, type Regulation } from "./consumer.ts"
import { OwnBounds, type OwnSettings } from "./ownBounds.ts"
import { PermitQueue } from "./permitQueue.ts"

/** What a consumer is called, what it is owed, and what it bounds by itself. */
export interface ConsumerPlan {
  readonly name: string
  readonly weight: number
  readonly own: OwnSettings
}

export class SharedBudget {
  readonly budget: Budget
  private readonly every: number
  private readonly regulator: FiberHandle.FiberHandle
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly later: (turn: () => void) => void
  private readonly active: ActiveCount
  /** Where it is no budget any more: what ends whatever runs or waits under it. */
  private ended: Cause.Cause<never> | undefined
  private readonly failure = Deferred.makeUnsafe<void>()
  private readonly queues = new Set<PermitQueue>()

  constructor(options: {
    readonly budget: Budget
    readonly every: number
    readonly regulator: FiberHandle.FiberHandle
    readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
    readonly later: (turn: () => void) => void
    readonly active: ActiveCount
  }) {
    this.budget = options.budget
    this.every = options.every
    this.regulator = options.regulator
    this.fork = options.fork
    this.later = options.later
    this.active = options.active
  }

  /** What takes part for the length of a run. */
  poolConsumer({ name, own, weight }: ConsumerPlan): BudgetConsumer {
    const regulation: Regulation = {
      prepare: Effect.suspend(() => {
        const state = this.active.begin()
        if (this.ended !== undefined) return Effect.failCause(this.ended)
        return state === "First" ? this.restart : this.goOn
      }),
      regulate: Deferred.await(this.failure),
      retire: Effect.sync(() => {
        if (this.active.end(this.budget.now()) === "Last") this.stopUnsafe()
      })
    }
    return new BudgetConsumer(this.budget, regulation, new OwnBounds(own), { name, weight })
  }

  /** What takes part for as long as effects run under it, or wait to. */
  effectConsumer(plan: ConsumerPlan): { readonly consumer: BudgetConsumer; readonly queue: PermitQueue } {
    const consumer = this.poolConsumer(plan)
    const queue = new PermitQueue({
      consumer,
      fork: this.fork,
      later: this.later,
      begin: Effect.suspend(() => {
        if (queue.inUse === 0) {
          consumer.joinUnsafe(undefined)
          this.queues.add(queue)
        }
        queue.inUse++
        const state = this.active.begin()
        if (this.ended !== undefined) return Effect.failCause(this.ended)
        const unused = this.budget.now() - this.active.unusedSince
        return state === "First" && unused >= this.every ? this.restart : this.goOn
      }),
      end: Effect.suspend(() => {
        queue.inUse--
        if (queue.inUse === 0) {
          consumer.leaveUnsafe(this.budget.now())
          this.queues.delete(queue)
        }
        // The policy keeps its pace: effects may come one by one.
        this.active.end(this.budget.now())
        return Effect.void
      })
    })
    return { consumer, queue }
  }

  private readonly goOn: Effect.Effect<void> = Effect.sync(() => this.active.openUnsafe())

  /** Begins to observe, and asks the policy at its pace from now on. */
  private readonly restart: Effect.Effect<void> = Effect.suspend(() => {
    this.stopUnsafe()
    return this.budget.regulator.prepare.pipe(
      Effect.andThen(FiberHandle.run(this.regulator, Effect.catchCause(this.budget.regulator.regulate, this.fail))),
      Effect.andThen(this.goOn)
    )
  })

  private stopUnsafe(): void {
    const { state } = this.regulator
    if (state._tag === "Open") state.fiber?.interruptUnsafe()
  }

  private readonly fail = (cause: Cause.Cause<never>): Effect.Effect<void> => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.void
    this.endUnsafe(cause)
    return Effect.logError("The policy of a ConcurrencyGovernor failed: what runs or waits under it fails too", cause)
  }

  /** Ends runs under it and effects that wait for it: nothing would open its gate again. Effects that run may end. */
  endUnsafe(cause: Cause.Cause<never>): void {
    if (this.ended !== undefined) return
    this.ended = cause
    Deferred.doneUnsafe(this.failure, Effect.failCause(cause))
    for (const queue of this.queues) queue.close(cause)
  }
}

const closed = Cause.die(
  new Error(
    "the scope of the ConcurrencyGovernor has closed: keep it open for as long as pools and effects run under it"
  )
)

/** How many runs and effects take part, and since when none does. */
export class ActiveCount {
  unusedSince = -Infinity
  private count = 0
  private readonly latch = Latch.makeUnsafe(false)

  begin(): "First" | "Another" {
    return this.count++ === 0 ? "First" : "Another"
  }

  end(now: number): "Last" | "NotLast" {
    if (--this.count > 0) return "NotLast"
    this.unusedSince = now
    this.latch.closeUnsafe()
    return "Last"
  }

  /** Lets go on whoever waits until something takes part. */
  openUnsafe(): void {
    this.latch.openUnsafe()
  }

  /** Waits until something takes part. */
  readonly whenActive: Effect.Effect<void> = this.latch.await
}

export const make = Effect.fnUntraced(function*(settings: ConcurrencySettings, policy: ScalingPolicy) {
  const status = yield* SystemStatus
  const now = yield* monotonicReader
  const active = new ActiveCount()
  const budget = new Budget(settings, policy, status, yield* status.current, now, active.whenActive)
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const later = yield* Effect.withFiber((fiber) => {
    const turns = fiber.currentDispatcher
    return Effect.succeed((turn: () => void) => turns.scheduleTask(turn, 0))
  })
  const regulator = yield* FiberHandle.make<void>()
  const every = Duration.toMillis(policy.every)
  return yield* Effect.acquireRelease(
    Effect.sync(() => new SharedBudget({ budget, every, regulator, fork, later, active })),
    (shared) => Effect.sync(() => shared.endUnsafe(closed))
  )
})
