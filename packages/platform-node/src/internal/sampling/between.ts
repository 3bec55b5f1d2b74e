/**
 * Samples of what happened between two readings of something that only ever grows.
 */
import type { Sample } from "@autoscaled-pool/core/LoadSignal"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Warnings } from "../host/warnings.ts"

/** A reading and when it was taken, in monotonic milliseconds. */
export interface At<A> {
  readonly at: number
  readonly value: A
}

export const now: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * The first sample takes a reading, pauses for `every`, but at most a second, and measures then: there is nothing to
 * compare a single reading with, and what was used since boot or since the start of the process is no load.
 * `measure` learns when `after` was due.
 */
export const make = <A>(options: {
  readonly every: Duration.Input
  readonly warnings: Warnings
  readonly read: (at: number) => A
  readonly measure: (before: At<A>, after: At<A>, due: number) => Sample
}): (due: number) => Effect.Effect<Sample> => {
  let before: At<A> | undefined
  const reading = Effect.map(now, (at): At<A> => ({ at, value: options.read(at) }))

  return Effect.fnUntraced(function*(due: number) {
    let dueAt = due
    if (before === undefined) {
      before = yield* reading
      const pause = Duration.min(Duration.fromInputUnsafe(options.every), Duration.seconds(1))
      yield* Effect.sleep(pause)
      dueAt = before.at + Duration.toMillis(pause)
    }
    const after = yield* reading
    const sample = options.measure(before, after, dueAt)
    before = after
    yield* options.warnings.flush
    return sample
  })
}
