/**
 * Whether a store answers, and what becomes of commands while it does not.
 *
 * Every command has a time limit. When one is not answered, an outage begins: one warning is logged, nothing is sent but
 * a probe, and what may be sent again is sent again when the probe has been answered. A command that is answered by a
 * refusal is sent again too, and does not hold up the others.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import type * as Scope from "effect/Scope"
import type { Lease } from "./lease.ts"

/**
 * What becomes of a command that fails.
 *
 * - `Upkeep`: it is sent again until it succeeds.
 * - `Claim`: it waits for the end of an outage that it finds, and is not sent again: whoever sent it asks anew.
 * - `Request`: it fails; where it finds an outage, after the time limit of a command at most.
 * - `Settlement`: it is sent again for as long as the outage lasts. Once its fiber has been interrupted it is given up
 *   after `settleTimeout`, and the lease lapses.
 */
export type Kind = "Upkeep" | "Claim" | "Request" | "Settlement"

/** The kind of the commands that a fiber sends. Fibers of the store itself do its upkeep. */
export const CommandKind = Context.Reference<Kind>("@autoscaled-pool/platform-node/QueueStore/CommandKind", {
  defaultValue: () => "Upkeep"
})

export interface Availability<E> {
  readonly run: <A>(command: Effect.Effect<A, E>, kind?: Kind) => Effect.Effect<A, E>
  /** From now on nothing is sent again, and in an outage nothing is sent at all. */
  readonly close: Effect.Effect<void>
}

export interface AvailabilityOptions<E> {
  /** The store's name, as a sentence about it begins. */
  readonly name: string
  readonly lease: Lease
  /** The smallest command, which does not take longer than one may. */
  readonly probe: Effect.Effect<unknown, E>
  readonly timedOut: () => E
  /** Whether a failure is an answer of the store, which is there then. */
  readonly isRefusal: (error: E) => boolean
}

/** Milliseconds between two tries, and between two probes. */
const retryInterval = 500

export const make = Effect.fnUntraced(function*<E>(
  options: AvailabilityOptions<E>
): Effect.fn.Return<Availability<E>, never, Scope.Scope> {
  const { isRefusal, lease, name, probe, timedOut } = options
  const scope = yield* Effect.scope
  // Outages show in fibers of the store itself, which are told to be quiet, and in those of its callers.
  const log = new OutageLog(name, Effect.provideContext(yield* Effect.context<never>()))
  const answering = Latch.makeUnsafe(true)
  let isClosing = false
  let isGone = false
  let lapsed = 0

  const watch = Effect.gen(function*() {
    do {
      yield* Effect.sleep(retryInterval)
    } while (Exit.isFailure(yield* Effect.exit(probe)))
    answering.openUnsafe()
  })

  const begin = (cause: Cause.Cause<E>): Effect.Effect<void> => {
    const isFirst = answering.isOpen()
    answering.closeUnsafe()
    return Effect.andThen(log.failed("does not answer", cause), isFirst ? Effect.forkIn(watch, scope) : Effect.void)
  }

  const note = (kind: Kind, cause: Cause.Cause<E>): Effect.Effect<void> => {
    const failure = cause.reasons.find(Cause.isFailReason)
    if (isClosing || failure === undefined) return Effect.void
    if (!isRefusal(failure.error)) return begin(cause)
    return kind === "Request" ? Effect.void : log.failed("refuses a command", cause) // a request fails, and tells itself
  }

  const attempt = <A>(command: Effect.Effect<A, E>, kind: Kind): Effect.Effect<A, E> =>
    isGone
      ? Effect.fail(timedOut())
      : within(command, lease.commandTimeout, () => Effect.fail(timedOut())).pipe(
        Effect.onExit((exit) => Exit.isFailure(exit) ? note(kind, exit.cause) : log.succeeded)
      )

  const afterOutage = <A>(command: Effect.Effect<A, E>, kind: Kind): Effect.Effect<A, E> =>
    Effect.suspend(() =>
      answering.isOpen()
        ? attempt(command, kind)
        : Effect.andThen(answering.await, Effect.suspend(() => attempt(command, kind)))
    )

  const request = <A>(command: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    if (answering.isOpen()) return attempt(command, "Request")
    const wait = within(answering.await, lease.commandTimeout, () => Effect.fail(timedOut()))
    return Effect.andThen(wait, Effect.suspend(() => attempt(command, "Request")))
  }

  const repeat = <A>(command: Effect.Effect<A, E>, kind: Kind, refusals: number): Effect.Effect<A, E> =>
    afterOutage(command, kind).pipe(
      Effect.catch((error: E) => {
        if (isClosing) return Effect.fail(error)
        if (!isRefusal(error)) return repeat(command, kind, refusals)
        if (refusals <= 0) return Effect.fail(error)
        return Effect.andThen(Effect.sleep(retryInterval), repeat(command, kind, refusals - 1))
      })
    )

  // A store that refuses one acknowledgement for as long as a lease lasts will not take it.
  const refusalsPerLease = Math.ceil(lease.lockExpiration / retryInterval)

  const settle = <A>(command: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const acknowledge = repeat(command, "Settlement", refusalsPerLease).pipe(Effect.catch(failAcknowledgement))
    const lapse = Effect.sync(() => {
      lapsed++
      return undefined as A // nobody reads what an acknowledgement answers
    })
    return Effect.flatMap(
      Effect.exit(Effect.interruptible(acknowledge)),
      (exit) => wasInterrupted(exit) ? within(acknowledge, lease.settleTimeout, () => lapse) : exit
    )
  }

  const runAs: { readonly [K in Kind]: <A>(command: Effect.Effect<A, E>) => Effect.Effect<A, E> } = {
    Upkeep: (command) => repeat(command, "Upkeep", Infinity),
    Claim: (command) => afterOutage(command, "Claim"),
    Request: request,
    Settlement: settle
  }

  return {
    run: (command, kind) => Effect.withFiber((fiber) => runAs[kind ?? fiber.getRef(CommandKind)](command)),
    close: Effect.suspend(() => {
      isGone = !answering.isOpen()
      isClosing = true
      answering.openUnsafe()
      return lapsed === 0 ? Effect.void : Effect.logWarning(
        `${lapsed} items could not be given back, as ${name} does not answer. They are taken again when their leases ` +
          `have run out, in ${lease.lockExpiration / 1000} s at most.`
      )
    })
  }
})

const wasInterrupted = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)

// A defect, because Effect's stores would try a failure again for as long as a lease lasts.
const failAcknowledgement = (error: unknown): Effect.Effect<never> =>
  Effect.die(new PersistedQueue.PersistedQueueError({ message: "Failed to acknowledge an element", cause: error }))

/** Gives up after a time without waiting for what was given up, which may not be interrupted at once. */
export const within = <A, E, B, E2>(
  effect: Effect.Effect<A, E>,
  millis: number,
  orElse: () => Effect.Effect<B, E2>
): Effect.Effect<A | B, E | E2> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) => {
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return exit
    return Effect.timeoutOrElse(Fiber.join(fiber), { duration: millis, orElse }).pipe(
      Effect.onExit(() => Effect.sync(() => fiber.interruptUnsafe()))
    )
  })

/** A failure that repeats within this many milliseconds is not told again. */
const quietTime = 10_000

/** Tells of the begin and the end of an outage, once each. */
class OutageLog {
  private readonly name: string
  private readonly aloud: (log: Effect.Effect<void>) => Effect.Effect<void>
  private since: number | undefined
  private isTold = false
  private lastMessage: string | undefined
  private lastAt = -Infinity

  constructor(name: string, aloud: (log: Effect.Effect<void>) => Effect.Effect<void>) {
    this.name = name
    this.aloud = aloud
  }

  failed(what: "does not answer" | "refuses a command", cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const message = reasonOf(cause)
      const isNews = this.since === undefined && (message !== this.lastMessage || now - this.lastAt > quietTime)
      this.since ??= now
      this.lastMessage = message
      this.lastAt = now
      if (!isNews) return Effect.void
      this.isTold = true
      return this.aloud(Effect.logWarning(
        `${this.name} ${what} (${message}). Tasks that run go on; what needs the store waits until it is back.`
      ))
    })
  }

  readonly succeeded: Effect.Effect<void> = Effect.suspend(() => {
    const since = this.since
    if (since === undefined) return Effect.void
    this.since = undefined
    if (!this.isTold) return Effect.void
    this.isTold = false
    return Effect.flatMap(
      Clock.currentTimeMillis,
      (now) => Effect.logInfo(`${this.name} answers again as it should, after ${((now - since) / 1000).toFixed(1)} s.`)
    )
  })
}

/** The innermost reason of a failure, on one line. */
export const reasonOf = (cause: Cause.Cause<unknown>): string => {
  let error = Cause.squash(cause)
  while (error instanceof Error && error.cause instanceof Error) error = error.cause
  if (error instanceof AggregateError && error.errors.length > 0) error = error.errors[0]
  return (error instanceof Error && error.message !== "" ? error.message : String(error)).split("\n")[0]
}
