/**
 * One look at all pools a second, for however many pages: it is kept, and told to whoever listens.
 */
import type { PoolRegistry, RegisteredPool } from "@autoscaled-pool/core/PoolRegistry"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as PubSub from "effect/PubSub"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { PoolHistory } from "./history.ts"
import * as messages from "./messages.ts"

export interface Recorder {
  /** Everything so far as one message, then a message a second; a reader that falls behind misses the oldest. */
  readonly messages: Stream.Stream<Uint8Array>
  /** Says goodbye to all readers, and waits for a moment until they have heard it. */
  readonly close: Effect.Effect<void>
}

const every = "1 second"

export const make = Effect.fnUntraced(function*(registry: PoolRegistry, options: { readonly isReadOnly: boolean }) {
  const wall = yield* Clock.currentTimeMillis
  const monotonic = Number(yield* Clock.monotonicTimeNanos) / 1e6
  const histories = new Map<string, PoolHistory>()
  const published = yield* PubSub.sliding<Uint8Array>({ capacity: 2 })

  const historyOf = (name: string): PoolHistory => {
    const known = histories.get(name) ?? new PoolHistory()
    histories.set(name, known)
    return known
  }

  const isRunning = ({ controls }: RegisteredPool) => controls !== undefined

  const look = (): ReadonlyArray<messages.Seen> => {
    const pools = registry.pools()
    const names = new Set(pools.map(({ name }) => name))
    for (const name of histories.keys()) if (!names.has(name)) histories.delete(name)
    return pools.map((pool) => {
      const snapshot = pool.snapshot()
      return { snapshot, point: isRunning(pool) ? historyOf(pool.name).record(snapshot) : undefined }
    })
  }

  const hello = (): Uint8Array =>
    messages.encode("hello", {
      // What is to be added to a monotonic time to get milliseconds of the calendar.
      epoch: wall - monotonic,
      isReadOnly: options.isReadOnly,
      pools: registry.pools().map((pool) => ({ snapshot: pool.snapshot(), ...historyOf(pool.name).read() }))
    })

  yield* Effect.forkScoped(
    Effect.schedule(
      Effect.suspend(() => PubSub.publish(published, messages.encode("tick", { pools: look() }))),
      Schedule.spaced(every)
    )
  )
  yield* Effect.forkScoped(
    Stream.runForEach(registry.events, (event) =>
      Effect.suspend(() => {
        if (event._tag !== "Told" || event.event._tag !== "DesiredChanged") return Effect.void
        historyOf(event.pool).decide(event.event)
        return PubSub.publish(published, messages.encode("decision", { pool: event.pool, decision: event.event }))
      }))
  )

  const bye = messages.encode("bye", {})
  let readers = 0
  const allGone = yield* Latch.make(true)
  const enter = Effect.suspend(() => {
    readers++
    return allGone.close
  })
  const leave = Effect.suspend(() => --readers === 0 ? allGone.open : Effect.void)

  return {
    messages: Stream.unwrap(
      Effect.map(PubSub.subscribe(published), (subscription) =>
        Stream.fromEffectDrain(enter).pipe(
          Stream.concat(Stream.sync(hello)),
          Stream.concat(Stream.takeUntil(Stream.fromSubscription(subscription), (message) => message === bye)),
          Stream.ensuring(leave)
        ))
    ),
    close: Effect.andThen(PubSub.publish(published, bye), Effect.ignore(Effect.timeout(allGone.await, "1 second")))
  } satisfies Recorder
})
