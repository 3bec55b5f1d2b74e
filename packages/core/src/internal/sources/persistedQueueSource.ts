/**
 * The elements of a persisted queue, each under the lease that the queue gives.
 *
 * The store of a queue claims as many elements at a time as takes wait, and puts them into a mailbox of this process. What
 * arrives there after the takes were withdrawn would stay claimed, for no one; so it is handed back.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as monotonic from "../time/monotonic.ts"
import { CurrentAttempt } from "./currentAttempt.ts"
import { ownReasons } from "./ownReasons.ts"

/**
 * An element of a persisted queue.
 *
 * **Details**
 *
 * - `value`: what was offered.
 * - `id`: the id under which it was offered.
 * - `attempts`: how many times it was handed out, this time included; 1 at first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery<out A> {
  readonly value: A
  readonly id: string
  readonly attempts: number
}

/** Milliseconds for which a statement that claims elements may still be under way after the takes were withdrawn. */
const claimMillis = 1000

export class PersistedQueueSource<A, R> {
  private readonly queue: PersistedQueue.PersistedQueue<A, R>
  /** Milliseconds without work after which the source is done. */
  private readonly idleMillis: number
  /** Takes whose element has not arrived. */
  private waiting = 0
  /** Takes that ended without an element since others waited no more; each may have had one claimed for it. */
  private withdrawn = 0
  /** Elements that are being worked on. */
  private handling = 0
  private idleSince = -Infinity
  private handingBack: Fiber.Fiber<void> | undefined

  constructor(queue: PersistedQueue.PersistedQueue<A, R>, idleMillis: number) {
    this.queue = queue
    this.idleMillis = idleMillis
  }

  readonly take = <X, E2, R2>(
    handle: (delivery: Delivery<A>) => Effect.Effect<X, E2, R2>
  ): Effect.Effect<"Taken" | "Done", PersistedQueue.PersistedQueueError | E2, R | R2> =>
    Clock.clockWith((clock) => {
      const state: TakeState = { hasArrived: false, failure: Cause.empty }
      this.beginWait(clock)
      const taken = this.queue.take((value, { attempts, id }) => {
        this.beginWork(state)
        const work = Effect.suspend(() => handle({ value, id, attempts }))
        return Effect.onExit(Effect.provideService(work, CurrentAttempt, attempts), (exit) => {
          this.endWork(clock)
          if (Exit.isFailure(exit)) state.failure = exit.cause
          return Effect.void
        })
      })
      const settled = Effect.matchCauseEffect(taken, {
        onSuccess: () => Effect.succeed("Taken" as const),
        onFailure: (cause): Effect.Effect<never, PersistedQueue.PersistedQueueError | E2> => {
          const own = ownReasons(cause, state.failure)
          return own.length === 0 ? Effect.failCause(cause) : Effect.flatMap(errorOf(own), Effect.fail)
        }
      })
      const bounded: Effect.Effect<"Taken" | "Done", PersistedQueue.PersistedQueueError | E2, R | R2> =
        this.idleMillis === Infinity ? settled : Effect.raceFirst(settled, this.idled(clock, state))
      return Effect.onExit(bounded, () => state.hasArrived ? Effect.void : this.endWait)
    })

  private beginWait(clock: Clock.Clock): void {
    this.handingBack?.interruptUnsafe() // what it would hand back is what this take waits for
    this.handingBack = undefined
    if (this.waiting + this.handling === 0) this.idleSince = monotonic.nowOf(clock)
    this.waiting++
  }

  private beginWork(state: TakeState): void {
    state.hasArrived = true
    this.waiting--
    this.handling++
  }

  private endWork(clock: Clock.Clock): void {
    this.handling--
    this.idleSince = monotonic.nowOf(clock)
  }

  /** A take has ended without an element. */
  private readonly endWait: Effect.Effect<void, never, R> = Effect.suspend(() => {
    this.waiting--
    this.withdrawn++
    if (this.waiting > 0) return Effect.void
    const claims = this.withdrawn
    this.withdrawn = 0
    return Effect.map(Effect.forkDetach(this.handBack(claims)), (fiber) => {
      this.handingBack = fiber
    })
  })

  /** Becomes `Done` when there has been no work for long enough, and never while the take has an element. */
  private idled(clock: Clock.Clock, state: TakeState): Effect.Effect<"Done"> {
    return Effect.suspend(() => {
      const left = this.handling > 0 ? this.idleMillis : this.idleSince + this.idleMillis - monotonic.nowOf(clock)
      if (left > 0) return Effect.andThen(Effect.sleep(left), this.idled(clock, state))
      return state.hasArrived ? Effect.never : Effect.succeed("Done" as const)
    })
  }

  /** Takes what was claimed for so many takes that are gone, and gives it back. */
  private readonly handBack = Effect.fnUntraced(
    { self: this },
    function*(this: PersistedQueueSource<A, R>, claims: number) {
      const first = yield* this.giveOneBack
      yield* Effect.raceFirst(Fiber.await(first.fiber), Effect.sleep(claimMillis))
      let last = first
      for (let given = 1; given < claims && last.hasArrived; given++) last = yield* this.giveOneBack
      // What is in the mailbox is handed out at once; a take that waits would make the store claim more.
      if (!last.hasArrived) yield* Fiber.interrupt(last.fiber)
    }
  )

  private readonly giveOneBack = Effect.suspend(() => {
    const state = { hasArrived: false }
    const take = this.queue.take(() => {
      state.hasArrived = true
      return Effect.interrupt
    })
    return Effect.map(
      Effect.forkChild(Effect.exit(take), { startImmediately: true }),
      (fiber) => Object.assign(state, { fiber })
    )
  })
}

interface TakeState {
  hasArrived: boolean
  /** What the handler of the element failed with. */
  failure: Cause.Cause<unknown>
}

/** A queue dies of an acknowledgement that failed. Its module is loaded by whoever made the queue, and not by this one. */
const errorOf = (own: ReadonlyArray<Cause.Reason<unknown>>): Effect.Effect<PersistedQueue.PersistedQueueError> =>
  Effect.map(Effect.promise(() => import("effect/persistence/PersistedQueue")), ({ PersistedQueueError }) => {
    const cause = Cause.squash(Cause.fromReasons(own))
    if (cause instanceof PersistedQueueError) return cause
    return new PersistedQueueError({ message: "Failed to acknowledge an element of a persisted queue", cause })
  })
