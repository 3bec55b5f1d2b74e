import { assert, describe, it } from "@effect/vitest"
import { bounds, Durations, sumOf } from "../../../packages/core/src/internal/views/durations.ts"

describe("durations", () => {
  it("counts each duration in the bucket whose upper bound is the first that it does not exceed", () => {
    for (
      const millis of [0, 0.0001, 0.5, 1, 1.0001, 1.5, 2.5, 99.9, 100, 250, 30_000, 799_999, 800_000, 800_001, 1e9]
    ) {
      const durations = new Durations()
      durations.record(millis)
      const { counts } = durations.histogram()
      const expected = bounds.findIndex((bound) => millis <= bound)
      assert.strictEqual(counts.indexOf(1), expected < 0 ? bounds.length : expected, `${millis} ms`)
    }
  })

  it("knows the longest", () => {
    const durations = new Durations()
    for (const millis of [20, 61.5, 3]) durations.record(millis)
    assert.strictEqual(durations.histogram().max, 61.5)
  })

  it("has every bound that the metrics show", () => {
    for (const seconds of [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]) {
      assert.include(bounds, seconds * 1000)
    }
  })

  it("adds up", () => {
    const [a, b, both] = [new Durations(), new Durations(), new Durations()]
    for (let n = 0; n < 500; n++) {
      const millis = n * n / 7
      ;(n % 3 === 0 ? a : b).record(millis)
      both.record(millis)
    }
    const sum = sumOf(a.histogram(), b.histogram())
    assert.deepStrictEqual(sum.counts, both.histogram().counts)
    assert.strictEqual(sum.count, 500)
    assert.strictEqual(sum.max, both.histogram().max)
    assert.approximately(sum.sum, both.histogram().sum, 1e-6)
  })
})
