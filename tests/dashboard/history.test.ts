import { assert, describe, it } from "@effect/vitest"
import { PoolHistory } from "../../packages/dashboard/src/internal/history.ts"
import { snapshot } from "../platform-node/terminal/pool.ts"

describe("the history of a pool", () => {
  it("keeps a day in bounded memory: the last ten minutes by the second, the rest by the minute", () => {
    const history = new PoolHistory()
    const day = 2 * 24 * 3600
    for (let second = 0; second < day; second++) history.record(snapshot({ at: second * 1000 }))
    const { points } = history.read()
    assert.strictEqual(points.length, 600 + 1440)
    assert.strictEqual(points.at(-1)?.at, (day - 1) * 1000)
    assert.isTrue(points.every(({ at }, index) => index === 0 || at > points[index - 1].at))
    assert.approximately((day * 1000 - points[0].at) / 3600e3, 24.17, 0.05)
  })

  it("tells the rate of the last ten seconds", () => {
    const history = new PoolHistory()
    const { durations } = snapshot()
    const rates = Array.from({ length: 31 }, (_, second) => {
      const count = 10 * Math.min(second, 15) // ten a second, and none after the fifteenth
      return history.record(snapshot({ at: second * 1000, durations: { ...durations, count } })).perSecond
    })
    assert.deepStrictEqual([rates[10], rates[15], rates[20], rates[25], rates[30]], [10, 10, 5, 0, 0])
  })

  it("keeps the last two hundred decisions", () => {
    const history = new PoolHistory()
    for (let n = 0; n < 500; n++) {
      history.decide({ at: n, policy: "p", from: n, to: n + 1, desired: n + 1, reason: { summary: "s" }, loads: {} })
    }
    const { decisions } = history.read()
    assert.deepStrictEqual([decisions.length, decisions[0].at, decisions.at(-1)?.at], [200, 300, 499])
  })
})
