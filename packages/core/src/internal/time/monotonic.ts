/**
 * Monotonic time as milliseconds in a plain number, read from the `Clock` so that tests can drive it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

export const millisOf = (nanos: bigint): number => Number(nanos) / 1e6

export const monotonicMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, millisOf)

export const nowOf = (clock: Clock.Clock): number => millisOf(clock.monotonicTimeNanosUnsafe())

/** A synchronous reader of the clock that is in force where it is made. */
export const reader: Effect.Effect<() => number> = Clock.clockWith((clock) => Effect.succeed(() => nowOf(clock)))
