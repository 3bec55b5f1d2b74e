/**
 * How many tasks a resource that tasks use up can bear.
 */
import { assert, describe, it } from "@effect/vitest"
import { isUrgent, lowest } from "../../../../packages/core/src/internal/adaptive/limits/limits.ts"
import * as resources from "../../../../packages/core/src/internal/adaptive/limits/resources.ts"
import * as uses from "../../../../packages/core/src/internal/adaptive/model/uses.ts"
import { between, observation, signal } from "../support.ts"

const use = (inFlight: number, load: number, own = load): uses.Use => ({ load, own, inFlight, known: 60_000 })

const target = 0.9

const busy = (load: number, own = load) => resources.limitOf(use(10, load, own), target, true)

describe("limits of resources", () => {
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

  it("go down by a task at least where a resource is used up, for a tenth of a few is none", () => {
    const usedUp = (inFlight: number) => resources.limitOf(use(inFlight, 1), target, true) ?? NaN
    assert.strictEqual(usedUp(1), 1)
    for (const inFlight of [2, 3, 5, 6]) {
      // A level is lowered where the ceiling is below 0.97 of it.
      assert.isBelow(usedUp(inFlight), 0.97 * (inFlight - 0.5))
      assert.isAbove(usedUp(inFlight), inFlight - 1)
    }
    assert.strictEqual(usedUp(20), 18)
  })

  it("keep a thread busier than its target as long as nothing comes too late for it, and no other resource", () => {
    const aim = (name: string, target: number, actualRatio: number) =>
      resources.aimOf(name, signal(0.9, { target, actualRatio, limitRatio: 0.6 }))
    assert.approximately(aim("eventLoop", 0.93, 0), 0.93 * 1.06, 1e-9)
    assert.approximately(aim("eventLoop", 0.93, 0.3), 0.93 * 1.03, 1e-9)
    assert.strictEqual(aim("eventLoop", 0.93, 0.6), 0.93)
    assert.strictEqual(aim("eventLoop", 0.93, 1), 0.93)
    // What a caller keeps free is kept free, but for a few hundredths of it.
    assert.approximately(aim("eventLoop", 0.5, 0), 0.53, 1e-9)
    assert.strictEqual(aim("eventLoop", 0.99, 0), 1)
    assert.strictEqual(aim("cpu", 0.95, 0), 0.95)
    // A signal that allows no overload at all.
    assert.strictEqual(resources.aimOf("eventLoop", signal(0.9, { target: 0.93, actualRatio: 1, limitRatio: 0 })), 0.93)
  })

  it("say nothing where next to nothing is used", () => {
    assert.isUndefined(busy(0.01))
    assert.isUndefined(busy(0.9, 0.01))
  })

  it("never take what a pool with too little to do uses for all that it could", () => {
    for (const load of [0.2, 0.95]) assert.isUndefined(resources.limitOf(use(3, load), target, false))
  })

  it("leave losses and signals that have stopped out of it", () => {
    const signals = { cpu: signal(0.5), client: signal(3), disk: signal(0.5, { isStale: true }) }
    const seen = uses.observe({}, observation({ signals, meanConcurrency: 4 }), 250, 500)
    assert.deepStrictEqual(seen, { cpu: { load: 0.5, own: 0.5, inFlight: 4, known: 250 } })
    const stale = observation({ signals: { cpu: signal(0, { isStale: true }) } })
    assert.deepStrictEqual(uses.observe(seen, stale, 250, 500), seen)
  })

  it("smooth use and tasks in flight alike", () => {
    const before = { cpu: use(10, 0.5) }
    const now = observation({ meanConcurrency: 20, signals: { cpu: signal(1) } })
    const { cpu } = uses.observe(before, now, 250, 500)
    assert.approximately(cpu.inFlight / cpu.own, 20, 1e-9)
    assert.isBelow(uses.observe(before, now, 250, 60_000).cpu.own, cpu.own)
  })

  it("count tasks in flight from when a signal first reported, however long they have run without it", () => {
    const without = uses.observe({}, observation({ meanConcurrency: 0, signals: {} }), 1000, 500)
    const first = uses.observe(
      without,
      observation({ meanConcurrency: 2, signals: { loop: signal(0.5) } }),
      250,
      500
    )
    assert.strictEqual(resources.limitOf(first.loop, target, true), 2 * 0.9 / 0.5)
  })

  it("weigh what is seen first no more than the rest, though tasks may need more while they warm up", () => {
    const loads = [0.5, 0.1, 0.1, 0.1]
    const { loop } = loads.reduce<uses.Uses>(
      (before, load) =>
        uses.observe(before, observation({ meanConcurrency: 2, signals: { loop: signal(load) } }), 250, 20_000),
      {}
    )
    assert.approximately(loop.own, 0.2, 1e-9)
  })

  it("find the lowest", () => {
    const found = { cpu: 5, memory: 7, disk: 30 }
    assert.deepStrictEqual(lowest(found, 200, () => true), { name: "cpu", concurrency: 5 })
    assert.deepStrictEqual(lowest(found, 3, () => true), { name: "maxConcurrency", concurrency: 3 })
    assert.deepStrictEqual(lowest(found, 200, isUrgent), { name: "memory", concurrency: 7 })
    assert.deepStrictEqual(lowest({}, 200, () => true), { name: "maxConcurrency", concurrency: 200 })
  })

  it.prop(
    "settle on the target from any start: the ceiling at the right concurrency is that concurrency",
    [between(1, 200), between(5, 50)],
    ([start, percent]) => {
      const perTask = percent / 1000
      let concurrency = start
      for (let i = 0; i < 300; i++) {
        const load = Math.min(1, concurrency * perTask)
        concurrency = resources.limitOf(use(concurrency, load), target, true) ?? 200
      }
      assert.approximately(concurrency, Math.max(1, 0.9 / perTask), 1)
    }
  )
})
