/**
 * How many tasks a resource that tasks use up can bear.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ceilings from "../../../packages/core/src/internal/adaptive/ceilings.ts"
import { between, observation, signal } from "./support.ts"

const busy = (load: number, own = load) => ceilings.ceiling({ load, own }, signal(load), 10, 10, true)

describe("ceilings", () => {
  it("are proportional to what is left of the target", () => {
    assert.approximately(busy(0.45) ?? 0, 20, 1e-9)
    assert.approximately(busy(0.96) ?? 0, 9.375, 1e-9)
  })

  it("subtract what others use, and keep half of the target", () => {
    assert.approximately(busy(0.6, 0.3) ?? 0, 10 * (0.9 - 0.3) / 0.3, 1e-9)
    // Others take all: half of the target stays ours.
    assert.approximately(busy(1, 0.6) ?? 0, 10 * 0.9, 1e-9)
    assert.approximately(busy(1, 0.3) ?? 0, 10 * 0.45 / 0.3, 1e-9)
  })

  it("go down further where a resource is used up, for its use cannot show by how much", () => {
    assert.approximately(busy(1) ?? 0, 9, 1e-9)
  })

  it("say nothing where next to nothing is used", () => {
    assert.isUndefined(busy(0.01))
    assert.isUndefined(busy(0.9, 0.01))
  })

  it("do not move far at once", () => {
    assert.strictEqual(busy(0.05), 80)
    assert.isAtLeast(busy(5) ?? 0, 5)
  })

  it("never take what a pool with too little to do uses for all that it could", () => {
    const idle = (load: number) => ceilings.ceiling({ load, own: load }, signal(load), 3, 40, false)
    assert.isUndefined(idle(0.2))
    assert.isUndefined(idle(0.89))
    assert.approximately(idle(0.95) ?? 0, 40 * 0.9 / 0.95, 1e-9)
  })

  it("leave losses and signals that have stopped out of it", () => {
    const signals = { cpu: signal(0.5), client: signal(3), disk: signal(0.5, { isStale: true }) }
    const { uses } = ceilings.observe(ceilings.initial, observation({ signals }), 250, 500)
    assert.deepStrictEqual(uses, { cpu: { load: 0.5, own: 0.5 } })
    const stale = observation({ signals: { cpu: signal(0, { isStale: true }) } })
    assert.deepStrictEqual(ceilings.observe({ inFlight: 10, uses }, stale, 250, 500).uses, uses)
  })

  it("smooth use and tasks in flight alike", () => {
    const before = { inFlight: 10, uses: { cpu: { load: 0.5, own: 0.5 } } }
    const now = observation({ meanConcurrency: 20, signals: { cpu: signal(1) } })
    const { inFlight, uses } = ceilings.observe(before, now, 250, 500)
    assert.approximately((inFlight ?? 0) / uses.cpu.own, 20, 1e-9)
    const slow = ceilings.observe(before, now, 250, 60_000)
    assert.isBelow(slow.uses.cpu.own, uses.cpu.own)
  })

  it("find the lowest", () => {
    assert.deepStrictEqual(ceilings.lowest({ cpu: 12, memory: 7, disk: 30 }), { name: "memory", concurrency: 7 })
    assert.isUndefined(ceilings.lowest({}))
  })

  it.prop(
    "settle on the target from any start: the ceiling at the right concurrency is that concurrency",
    [between(1, 200), between(5, 50)],
    ([start, percent]) => {
      const perTask = percent / 1000
      let concurrency = start
      for (let i = 0; i < 300; i++) {
        const load = Math.min(1, concurrency * perTask)
        concurrency = ceilings.ceiling({ load, own: load }, signal(load), concurrency, concurrency, true) ?? 200
      }
      assert.approximately(concurrency, Math.max(1, 0.9 / perTask), 1)
    }
  )
})
