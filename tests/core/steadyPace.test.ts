/**
 * A pace that many keep together.
 */
import { assert, describe, it } from "@effect/vitest"
import { beatAfter } from "../../packages/core/src/internal/time/steadyPace.ts"

describe("steadyPace", () => {
  const waits: ReadonlyArray<readonly [name: string, from: number, beat: number]> = [
    ["on the beat", 1000, 1250],
    ["after it", 1010, 1250],
    ["so late that the next is near, as after a blocked event loop", 1225, 1250],
    ["a little too early, as timers may wake", 1235, 1500]
  ]
  for (const [name, from, beat] of waits) {
    it(`waits for the beat after the one that woke: ${name}`, () => assert.strictEqual(beatAfter(from, 250), beat))
  }
})
