/**
 * Samples of what happened between two readings of something that only ever grows.
 */
import type { Sample } from "@autoscaled-pool/core/LoadSignal"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Warnings } from "./warnings.ts"

/** A reading and when it was taken, in monotonic milliseconds. */
export interface At<A> {
  readonly at: number
  readonly value: A
}

export const now: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * The first sample takes a reading, pauses for `every`, but at most a second, and measures then: there is nothing to
 * compare a single reading with, and what was used since boot or since the start of the process is no load.
 * `measure` learns how long the pause before `after` was meant to be.
 */
export const make = <A>(options: {
  readonly every: Duration.Input
  readonly warnings: Warnings
  readonly read: (at: number) => A
  readonly measure: (before: At<A>, after: At<A>, pause: number) => Sample
}): Effect.Effect<Sample> => {
  let before: At<A> | undefined
  const reading = Effect.map(now, (at): At<A> => ({ at, value: options.read(at) }))
  const measureFrom = (before: At<A>, pause: number) =>
    Effect.map(reading, (after) => [after, options.measure(before, after, pause)] as const)

  return Effect.gen(function*() {
    const every = Duration.fromInputUnsafe(options.every)
    const pause = before === undefined ? Duration.min(every, Duration.seconds(1)) : every
    if (before === undefined) {
      before = yield* reading
      yield* Effect.sleep(pause)
    }
    const [after, sample] = yield* measureFrom(before, Duration.toMillis(pause))
    before = after
    yield* options.warnings.flush
    return sample
  })
}
