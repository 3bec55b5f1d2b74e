/**
 * Effect's store over commands that are guarded: what its two kinds of callers send fails or is repeated accordingly.
 */
import * as Effect from "effect/Effect"
import type * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { CommandKind, within } from "./availability.ts"
import type { Lease } from "./lease.ts"

type Store = PersistedQueue.PersistedQueueStore["Service"]

/** Builds the store so that it closes in time, whether the commands that it then sends are answered or not. */
export const make = Effect.fnUntraced(function*<E, R>(
  build: Effect.Effect<Store, E, R | Scope.Scope>,
  availability: { readonly close: Effect.Effect<void> },
  lease: Lease
) {
  const inner = yield* Scope.make()
  const store = yield* quietly(build).pipe(Scope.provide(inner))
  yield* Effect.addFinalizer((exit) =>
    Effect.andThen(
      availability.close,
      within(Effect.ignoreCause(Scope.close(inner, exit)), lease.settleTimeout, () => Effect.void)
    )
  )
  return guarded(store)
})

/** The store's own fibers warn at each failure; an outage is told of once instead. */
export const quietly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, References.MinimumLogLevel, "Error")

const guarded = (store: Store): Store => ({
  offer: (options) => Effect.provideService(store.offer(options), CommandKind, "Request"),
  take: (options) => Effect.provideService(store.take(options), CommandKind, "Settlement"),
  cleanup: (options) => Effect.provideService(store.cleanup(options), CommandKind, "Request")
})
