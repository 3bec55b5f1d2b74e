/**
 * Measuring a level of concurrency.
 */
import { assert, describe, it } from "@effect/vitest"
import * as reading from "../../../../packages/core/src/internal/adaptive/model/reading.ts"
import { planOfGrowth, planOfProbe } from "../../../../packages/core/src/internal/adaptive/stages/measure.ts"
import { observation, readingAt, stats, viewOf } from "../support.ts"

describe("measurement", () => {
  const plan: reading.Plan = {
    settle: 0,
    least: 1000,
    most: 3000,
    enough: 30
  }
  const seen = observation({ meanConcurrency: 10, completions: stats(10, { meanDuration: 400 }) })
  const after = (times: number, from = reading.begin) =>
    Array.from({ length: times }).reduce<reading.Measurement>((sum) => reading.add(sum, seen, 500), from)

  it("ends when it is long enough and rests on enough tasks", () => {
    assert.isUndefined(reading.finish(after(1), plan))
    assert.isUndefined(reading.finish(after(2), plan))
    // Those that ended took 400 ms on average; by Little's law it is 500.
    const duration = Math.sqrt(400 * 500)
    assert.deepStrictEqual(reading.finish(after(3), plan), { concurrency: 10, duration, count: 30 })
  })

  it("ends with few tasks when it lasts too long, but not with next to none", () => {
    const idle = observation({ meanConcurrency: 10, completions: stats(1, { meanDuration: 400 }) })
    const slow = Array.from({ length: 6 }).reduce<reading.Measurement>(
      (sum) => reading.add(sum, idle, 500),
      reading.begin
    )
    assert.strictEqual(reading.finish(slow, plan)?.count, 6)
    assert.isUndefined(reading.finish({ ...slow, count: 5 }, plan))
  })

  it("does not count tasks that were not served", () => {
    const lost = observation({ completions: stats(10, { rejections: 10 }) })
    assert.strictEqual(reading.add(reading.begin, lost, 500).count, 0)
  })

  it("waits in units of a task's duration", () => {
    const growth = (time: number, hidden = 0) => planOfGrowth(viewOf({ time, hidden }), false)
    const [short, long] = [100, 20_000].map((time) => growth(time))
    assert.isAtMost(short.settle + short.least, 1000)
    assert.isAtLeast(long.settle + long.least, 20_000)
    assert.deepStrictEqual(growth(100, 2000), { ...short, settle: 2000 })
    assert.deepStrictEqual(growth(20_000, 2000), long)
    const probe = (variation: number) => planOfProbe(viewOf({ variation }))
    assert.isAtLeast(probe(2).enough, probe(0.5).enough)
  })

  it("knows how duration answers to concurrency", () => {
    assert.approximately(reading.elasticity(readingAt(10, 40), readingAt(20, 40), 1).value, 0, 1e-9)
    assert.approximately(reading.elasticity(readingAt(40, 40), readingAt(80, 40), 1).value, 1, 1e-9)
    const [few, many] = [5, 500].map((count) =>
      reading.elasticity(readingAt(10, 40, count), readingAt(20, 40, count), 1).error
    )
    assert.isAbove(few, 9 * many)
  })
})
