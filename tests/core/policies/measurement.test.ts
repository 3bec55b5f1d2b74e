/**
 * A level of concurrency, measured.
 */
import { assert, describe, it } from "@effect/vitest"
import * as measuring from "../../../packages/core/src/internal/adaptive/measurement.ts"
import { observation, readingAt, stats } from "./support.ts"

describe("measurement", () => {
  const plan: measuring.Plan = {
    settle: 0,
    least: 1000,
    most: 3000,
    enough: 30,
    durationOf: ({ count, durations }) => durations / count
  }
  const seen = observation({ meanConcurrency: 10, completions: stats(10, { meanDuration: 400 }) })
  const after = (times: number, from = measuring.begin) =>
    Array.from({ length: times }).reduce<measuring.Measurement>((sum) => measuring.add(sum, seen, 500), from)

  it("ends when it is long enough and rests on enough tasks", () => {
    assert.isUndefined(measuring.finish(after(1), plan))
    assert.isUndefined(measuring.finish(after(2), plan))
    assert.deepStrictEqual(measuring.finish(after(3), plan), { concurrency: 10, duration: 400, count: 30 })
  })

  it("ends with few tasks when it lasts too long, but not with next to none", () => {
    const idle = observation({ meanConcurrency: 10, completions: stats(1, { meanDuration: 400 }) })
    const slow = Array.from({ length: 6 }).reduce<measuring.Measurement>(
      (sum) => measuring.add(sum, idle, 500),
      measuring.begin
    )
    assert.strictEqual(measuring.finish(slow, plan)?.count, 6)
    assert.isUndefined(measuring.finish({ ...slow, count: 5 }, plan))
  })

  it("does not count tasks that were not served", () => {
    const lost = observation({ completions: stats(10, { rejections: 10 }) })
    assert.strictEqual(measuring.add(measuring.begin, lost, 500).count, 0)
  })

  it("is void where the limit was not binding", () => {
    const unused = observation({ ...seen, saturatedShare: 0 })
    assert.isFalse(measuring.isVoid(after(4)))
    assert.isTrue(measuring.isVoid(measuring.add(measuring.add(measuring.begin, unused, 1000), unused, 1000)))
    assert.isFalse(measuring.isVoid(measuring.add(after(10), unused, 1000)))
  })

  it("waits in units of a task's duration", () => {
    const [short, long] = [100, 20_000].map((time) => measuring.planOfGrowth(time, 0.5, false))
    assert.isAtMost(short.settle + short.least, 1000)
    assert.isAtLeast(long.settle + long.least, 20_000)
    assert.deepStrictEqual(measuring.planOfGrowth(100, 0.5, false, 2000), { ...short, settle: 2000 })
    assert.deepStrictEqual(measuring.planOfGrowth(20_000, 0.5, false, 2000), long)
    // Tasks that end together are as many in a whole task time as in any other, but not in half of one.
    for (const [time, least] of [[100, 1000], [1600, 1600], [20_000, 20_000]]) {
      assert.strictEqual(measuring.planOfGrowth(time, 0.5, false, 0, true).least, least)
    }
    assert.isAtLeast(measuring.planOfProbe(300, 2).enough, measuring.planOfProbe(300, 0.5).enough)
  })

  it("knows how duration answers to concurrency", () => {
    assert.approximately(measuring.elasticity(readingAt(10, 40), readingAt(20, 40), 1).value, 0, 1e-9)
    assert.approximately(measuring.elasticity(readingAt(40, 40), readingAt(80, 40), 1).value, 1, 1e-9)
    const [few, many] = [5, 500].map((count) =>
      measuring.elasticity(readingAt(10, 40, count), readingAt(20, 40, count), 1).error
    )
    assert.isAbove(few, 9 * many)
  })
})
