/**
 * The beats of a pace, the same for all: whatever keeps one pace, or a multiple of it, wakes in the same turn of the event
 * loop, and a process with nothing to do is woken once instead of once for each.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { monotonicMillis, nowOf } from "./monotonic.ts"

/**
 * The next beat after a moment, in monotonic milliseconds. A beat that is nearer than `apart` is left out, which by default
 * is by how much a timer may be early: such a beat is taken for the one that was waited for. Who wakes late, as after a
 * blocked event loop, does not leave out the beat that is next.
 */
export const beatAfter = (at: number, interval: number, apart: number = Math.min(early, interval / 2)): number => {
  const rest = interval - at % interval
  return at + (rest < apart ? rest + interval : rest)
}

/** Whether a moment is on a beat, or as near as makes no difference. */
export const isOnBeat = (at: number, interval: number): boolean => {
  const past = at % interval
  return Math.min(past, interval - past) < 1
}

/** How long it is until the next beat. */
export const untilBeat = (every: Duration.Duration): Effect.Effect<Duration.Duration> => {
  const interval = Duration.toMillis(every)
  return Effect.map(monotonicMillis, (now) => Duration.millis(beatAfter(now, interval) - now))
}

/**
 * Acts on each beat, for ever. A process that does nothing else is woken with cold caches each time, so that a beat costs by
 * how much code it runs: a third of what it does as a `Schedule`.
 */
export const eachBeat = (every: Duration.Duration, act: () => void): Effect.Effect<void> => {
  const interval = Duration.toMillis(every)
  return Clock.clockWith((clock) =>
    Effect.whileLoop({
      while: () => true,
      body: () => {
        const now = nowOf(clock)
        return clock.sleep(Duration.millis(beatAfter(now, interval) - now))
      },
      step: act
    })
  )
}

/**
 * Recurs shortly after each beat, when whatever samples on the beat has done so. After a blocked event loop both are late,
 * and wake in any order: what recurs must yield first, so that the samples go before it.
 */
export const afterBeats = (every: Duration.Duration): Schedule.Schedule<void> => {
  const interval = Duration.toMillis(every)
  const next = Effect.map(monotonicMillis, (now): [void, Duration.Duration] => [
    undefined,
    Duration.millis(beatAfter(now - sampling, interval) + sampling - now)
  ])
  return Schedule.fromStep(Effect.succeed(() => next))
}

/** Milliseconds that taking the samples of a beat may last. */
const sampling = 5

/** By how many milliseconds a timer may be early. */
const early = 20
