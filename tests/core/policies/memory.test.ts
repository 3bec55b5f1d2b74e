/**
 * What a task costs in memory once it has grown, and how many may start.
 */
import { assert, describe, it } from "@effect/vitest"
import * as allowance from "../../../packages/core/src/internal/adaptive/allowance.ts"
import * as memory from "../../../packages/core/src/internal/adaptive/memory.ts"
import * as pace from "../../../packages/core/src/internal/adaptive/pace.ts"
import { between, signal, stats } from "./support.ts"

const known = (duration: number) =>
  pace.observe(pace.initial, stats(200, { meanDuration: duration, varianceDuration: 0 }))

const ages = (count: number, age: (i: number) => number) => Array.from({ length: count }, (_, i) => age(i))

/** As many as start end: ages are spread evenly. */
const steady = (count: number, duration: number) => ages(count, (i) => duration * (1 - (i + 0.5) / count))

const watch = (
  seconds: number,
  load: number,
  tasks: ReadonlyArray<number>,
  duration: number,
  from = memory.initial
): memory.MemoryModel => {
  let model = from
  for (let i = 0; i < 4 * seconds; i++) model = memory.observe(model, signal(load), tasks, 250, known(duration))
  return model
}

const idle = watch(1, 0.1, [], 1000)

describe("memory", () => {
  it("knows the process without tasks, and takes a few young ones for none", () => {
    assert.strictEqual(idle.base, 0.1)
    assert.strictEqual(watch(1, 0.1, [10, 5], 1000).base, 0.1)
    // Many at first sight: the base is unknown, and tasks look as dear as they may be.
    assert.strictEqual(watch(1, 0.6, steady(50, 1000), 1000).base, 0)
    // The base is never more than what is used.
    assert.strictEqual(watch(1, 0.05, [10], 1000, idle).base, 0.05)
  })

  it("learns what a task uses, and how many fit", () => {
    const model = watch(60, 0.5, steady(20, 2000), 2000, idle)
    assert.approximately(model.seen?.perTask ?? 0, 0.02, 0.001)
    const fits = memory.ceiling(model, signal(0.5), 0.9, 20) ?? 0
    assert.approximately(fits, 40, 2)
  })

  it("subtracts what others use", () => {
    const model = watch(60, 0.5, steady(20, 2000), 2000, idle)
    const alone = memory.ceiling(model, signal(0.5), 0.9, 20) ?? 0
    const beside = memory.ceiling(model, signal(0.8, { own: 0.5 }), 0.9, 20) ?? 0
    assert.approximately(alone - beside, 0.3 / 0.02, 1.5)
  })

  it("sees what young tasks still owe", () => {
    const young = ages(20, () => 100)
    const old = ages(20, () => 4000)
    const after = (tasks: ReadonlyArray<number>) =>
      memory.observe(idle, signal(0.2), tasks, 250, pace.initial).seen?.perTask ?? 0
    assert.isAbove(after(young), 3 * after(old))
  })

  it("leaves more free the more use has strayed", () => {
    let calm = idle
    let wild = idle
    for (let i = 0; i < 400; i++) {
      calm = memory.observe(calm, signal(0.5), steady(20, 2000), 250, known(2000))
      wild = memory.observe(wild, signal(i % 8 < 4 ? 0.35 : 0.65), steady(20, 2000), 250, known(2000))
    }
    const fits = (model: memory.MemoryModel) => memory.ceiling(model, signal(0.5), 0.9, 20) ?? 0
    assert.isBelow(fits(wild), 0.9 * fits(calm))
  })

  it("knows no ceiling where tasks cost nothing, or none has run", () => {
    assert.isUndefined(memory.ceiling(memory.initial, signal(0.1), 0.9, 0))
    assert.isUndefined(memory.ceiling(watch(5, 0.1, steady(20, 1000), 1000, idle), signal(0.1), 0.9, 20))
  })

  it("learns nothing from a signal that has stopped, nor from a pool without tasks", () => {
    const model = watch(20, 0.5, steady(20, 2000), 2000, idle)
    assert.strictEqual(memory.observe(model, signal(0.9, { isStale: true }), [100], 250, known(2000)), model)
    assert.deepStrictEqual(watch(20, 0.1, [], 2000, model).seen, model.seen)
  })
})

describe("allowance", () => {
  const model = watch(60, 0.5, steady(20, 2000), 2000, idle)
  const starts = (load: number, current: number, desired: number, expected: number, from = model) =>
    allowance.memoryBound({ model: from, signal: signal(load), most: 0.925 }, current, desired, expected)

  it("lets start as many as there are free slots and tasks to end", () => {
    assert.strictEqual(allowance.paceBound(10, 10, 0, 0), 2)
    assert.strictEqual(allowance.paceBound(10, 4, 0, 0), 8)
    assert.isAtLeast(allowance.paceBound(10, 10, 0, 25), 50)
    assert.strictEqual(allowance.expectedCompletions(known(500), 20, 250), 10)
    assert.strictEqual(allowance.expectedCompletions(pace.initial, 20, 250), 0)
  })

  it("keeps the slots of rejected tasks empty, and starts no more than end", () => {
    assert.strictEqual(allowance.paceBound(10, 6, 3, 5), 1 + 5)
    assert.strictEqual(allowance.paceBound(10, 8, 5, 5), 5)
  })

  it("does not bound while memory is plenty", () => {
    assert.strictEqual(starts(0.3, 10, 20, 5), Infinity)
    assert.strictEqual(starts(0.1, 0, 20, 0, idle), Infinity)
  })

  it("starts nothing past the limit, and ever less on the way there", () => {
    assert.strictEqual(starts(0.93, 40, 45, 20), 0)
    assert.strictEqual(starts(0.93, 0, 45, 0, idle), 0)
    const [far, near, nearer] = [0.7, 0.9, 0.92].map((load) => starts(load, 38, 45, 20))
    assert.isAbove(far, near)
    assert.isAtLeast(near, nearer)
  })

  it("follows a rise of use", () => {
    const rising = memory.observe(model, signal(0.75), steady(36, 2000), 250, known(2000))
    assert.isBelow(starts(0.75, 36, 45, 20, rising), starts(0.75, 36, 45, 20))
  })

  it.prop(
    "is a whole number of starts or no bound",
    [between(0, 100), between(0, 200), between(1, 200), between(0, 50)],
    ([percent, current, desired, expected]) => {
      const bound = starts(percent / 100, current, desired, expected)
      assert.isTrue(bound === Infinity || (Number.isInteger(bound) && bound >= 0))
    }
  )
})
