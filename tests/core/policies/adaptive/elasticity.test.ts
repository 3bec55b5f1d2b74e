/**
 * How durations answer to concurrency around a level.
 */
import { assert, describe, it } from "@effect/vitest"
import * as elasticity from "../../../../packages/core/src/internal/adaptive/model/elasticity.ts"
import { readingAt } from "../support.ts"

describe("elasticity fit", () => {
  const fitAt = (level: number, knee: number, levels: ReadonlyArray<number>) =>
    elasticity.fit(levels.map((each) => elasticity.sampleOf(readingAt(each, knee))), level, 0.5)

  it("finds the slope around a level, and how sure it is", () => {
    assert.isBelow(Math.abs(fitAt(20, 40, [17, 20, 24]).slope), 0.01)
    assert.isAbove(fitAt(60, 40, [50, 60, 72]).slope, 0.8)
    assert.isBelow(fitAt(60, 40, [50, 60, 72]).error, fitAt(60, 40, [50, 60]).error)
  })

  it("takes one sample for no slope", () => {
    assert.strictEqual(fitAt(60, 40, [60]).slope, 0)
  })

  it("hardly minds what is far away, and forgets", () => {
    const [near, far] = [
      [30, 36],
      [30, 36, 200]
    ].map((levels) => fitAt(33, 40, levels).slope)
    assert.approximately(near, far, 0.05)
    let samples: ReadonlyArray<elasticity.Sample> = []
    for (let i = 0; i < 100; i++) samples = elasticity.remember(samples, elasticity.sampleOf(readingAt(10, 40)), 0.8)
    assert.isAtMost(samples.length, 24)
    assert.isBelow(samples[0].weight, 0.05 * samples[samples.length - 1].weight)
  })
})
