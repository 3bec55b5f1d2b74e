/**
 * Waits for the next beat of a pace: whatever keeps the same pace, or a multiple of it, wakes in the same turn of the event
 * loop, and an idle process is woken once instead of once for each.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { monotonicMillis } from "./monotonic.ts"

/** Answers with the moment it waited for, in monotonic milliseconds: what is later is the event loop's delay. */
export const nextBeat = (every: Duration.Duration): Effect.Effect<number> => {
  const interval = Duration.toMillis(every)
  return Effect.flatMap(monotonicMillis, (now) => {
    const wait = untilBeat(now, interval)
    return Effect.as(Effect.sleep(wait), now + wait)
  })
}

/**
 * Recurs shortly after each beat, when whatever samples on the beat has done so. After a blocked event loop both are late,
 * and wake in any order: what recurs must yield first, so that the samples go before it.
 */
export const afterBeats = (every: Duration.Duration): Schedule.Schedule<void> => {
  const interval = Duration.toMillis(every)
  const next = Effect.map(monotonicMillis, (now): [void, Duration.Duration] => [
    undefined,
    Duration.millis(untilBeat(now - sampling, interval))
  ])
  return Schedule.fromStep(Effect.succeed(() => next))
}

/** Milliseconds that taking the samples of a beat may last. */
const sampling = 5

/** By how many milliseconds a timer may be early: a beat that is so near is taken for the one that was waited for. */
const early = 20

/** Who wakes late, as after a blocked event loop, does not leave out the beat that is next. */
const untilBeat = (now: number, interval: number): number => {
  const rest = interval - now % interval
  return rest < Math.min(early, interval / 2) ? rest + interval : rest
}
