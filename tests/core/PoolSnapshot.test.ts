/**
 * What two snapshots of a pool say of the time between them.
 */
import { PoolSnapshot } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { bounds, snapshot } from "../platform-node/terminal/pool.ts"

const histogram = (counts: ReadonlyArray<number>, max: number) => ({
  bounds,
  counts,
  count: counts.reduce((sum, count) => sum + count, 0),
  sum: 0,
  max
})

const before = snapshot({ at: 1_000, durations: histogram([5, 0, 0, 0, 0], 90) })

describe("PoolSnapshot.between", () => {
  it("counts what has ended since, and tells the time that is left at that rate", () => {
    const after = snapshot({
      at: 3_000,
      durations: histogram([15, 10, 0, 0, 0], 180),
      run: { startedAt: 0, started: 45, ended: 25, total: 125 }
    })
    assert.deepInclude(PoolSnapshot.between(before, after), { millis: 2_000, perSecond: 10, timeLeft: 10_000 })
  })

  it("has percentiles of what has ended since, within its bucket, and never beyond the longest", () => {
    const { p50, p95 } = PoolSnapshot.between(
      before,
      snapshot({ at: 2_000, durations: histogram([15, 10, 0, 0, 0], 110) })
    )
    assert.strictEqual(p50, 100)
    assert.approximately(p95 ?? NaN, 109, 1e-9)
    const beyond = PoolSnapshot.between(before, snapshot({ at: 2_000, durations: histogram([5, 0, 0, 0, 1], 4_000) }))
    assert.isAtMost(beyond.p95 ?? NaN, 4_000)
    assert.isAtLeast(beyond.p95 ?? NaN, 1_000)
  })

  it("tells no time left, and no percentile, where nothing has ended, and no time left where nobody knows the total", () => {
    const idle = PoolSnapshot.between(before, { ...before, at: 2_000 })
    assert.deepStrictEqual(idle, { millis: 1_000, perSecond: 0, p50: undefined, p95: undefined, timeLeft: undefined })
    const run = { startedAt: 0, started: 45, ended: 25, total: undefined }
    const unknown = PoolSnapshot.between(
      before,
      snapshot({ at: 2_000, durations: histogram([15, 0, 0, 0, 0], 90), run })
    )
    assert.deepInclude(unknown, { perSecond: 10, timeLeft: undefined })
  })

  it("is of no time where both are of one moment", () => {
    assert.deepInclude(PoolSnapshot.between(before, before), { millis: 0, perSecond: 0, timeLeft: undefined })
  })
})
