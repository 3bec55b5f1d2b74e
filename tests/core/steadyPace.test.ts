/**
 * A pace that many keep together.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { nextBeat } from "../../packages/core/src/internal/time/steadyPace.ts"

/** When the next beat of a quarter of a second comes, for who begins to wait at this time. */
const beatAfter = (millis: number) =>
  Effect.gen(function*() {
    yield* TestClock.adjust(millis)
    let at = 0
    yield* Effect.forkChild(
      Effect.andThen(nextBeat(Duration.millis(250)), Effect.map(Clock.currentTimeMillis, (now) => (at = now)))
    )
    for (let i = 0; i < 600; i++) yield* TestClock.adjust(1)
    return at
  })

describe("steadyPace", () => {
  const waits: ReadonlyArray<readonly [name: string, from: number, beat: number]> = [
    ["on the beat", 1000, 1250],
    ["after it", 1010, 1250],
    ["so late that the next is near, as after a blocked event loop", 1225, 1250],
    ["a little too early, as timers may wake", 1235, 1500]
  ]
  for (const [name, from, beat] of waits) {
    it.effect(`waits for the beat after the one that woke: ${name}`, () =>
      Effect.map(beatAfter(from), (at) => assert.strictEqual(at, beat)))
  }
})
