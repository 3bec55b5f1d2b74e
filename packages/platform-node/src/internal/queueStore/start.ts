/**
 * What happens at the start where a store cannot be had.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { reasonOf, within } from "./availability.ts"
import type { Lease } from "./lease.ts"

const retryInterval = 500

/** Tries of a store that is there: several workers that start at once may stand in each other's way. */
const triesInContention = 10

/** Makes `error` of whatever goes wrong while a store is opened, defects included. */
export const asError = (message: string) =>
<A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, PersistedQueue.PersistedQueueError, R> =>
  Effect.catchCause(effect, (cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.interrupt
      : Effect.fail(
        new PersistedQueue.PersistedQueueError({
          message: `${message}: ${reasonOf(cause)}`,
          cause: Cause.squash(cause)
        })
      ))

/** Opens a store, or waits until it can be opened, as the user chose. `connect` is one try, `prepare` what follows. */
export const open = Effect.fnUntraced(function*<A, E, R, E2, R2>(
  name: string,
  lease: Lease,
  connect: Effect.Effect<A, E, R | Scope.Scope>,
  prepare: (connected: A) => Effect.Effect<unknown, E2, R2>
) {
  const attempt = inOwnScope(
    connect.pipe(
      asError(`${name} cannot be reached`),
      Effect.tap((connected) =>
        prepare(connected).pipe(
          asError(`${name} cannot be prepared`),
          Effect.retry({ schedule: Schedule.spaced(retryInterval), times: triesInContention })
        )
      )
    ),
    lease
  )
  if (lease.onUnavailable === "fail") return yield* attempt
  let isTold = false
  return yield* attempt.pipe(
    Effect.tapError((error) => {
      if (isTold) return Effect.void
      isTold = true
      return Effect.logWarning(`${error.message}. Waiting for it.`)
    }),
    Effect.retry(Schedule.spaced(retryInterval))
  )
})

/** What a try that fails has opened is closed again; closing what is open at the end takes a limited time. */
const inOwnScope = <A, E, R>(effect: Effect.Effect<A, E, R>, lease: Lease): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.make(), (scope) => {
      const close = (exit: Exit.Exit<unknown, unknown>) =>
        within(Effect.ignoreCause(Scope.close(scope, exit)), lease.settleTimeout, () => Effect.void)
      return restore(Scope.provide(effect, scope)).pipe(
        Effect.onError((cause) => close(Exit.failCause(cause))),
        Effect.tap(() => Effect.addFinalizer(close))
      )
    })
  )
