/**
 * How long tasks take, and how long to wait for what a change of concurrency does.
 */
import { assert, describe, it } from "@effect/vitest"
import * as tasks from "../../../../packages/core/src/internal/adaptive/model/tasks.ts"
import { between, stats } from "../support.ts"

const after = (...durations: ReadonlyArray<number>) =>
  durations.reduce((known, meanDuration) => tasks.observe(known, stats(1, { meanDuration })), tasks.initial)

describe("tasks", () => {
  it("tells served from lost", () => {
    const some = stats(10, { failures: 1, timeouts: 2, rejections: 3 })
    assert.strictEqual(tasks.servedCount(some), 4)
    assert.strictEqual(tasks.lostCount(some), 6)
  })

  it("is a plain mean at first and forgets later", () => {
    assert.approximately(after(100, 200, 300).duration, 200, 1e-9)
    const long = Array.from({ length: 400 }, () => 100)
    assert.approximately(after(...long, ...long.map(() => 500)).duration, 500, 1)
  })

  it("learns nothing of durations from tasks that were not served", () => {
    const known = after(100)
    assert.deepStrictEqual(tasks.observe(known, stats(5, { rejections: 5, meanDuration: 9 })), known)
  })

  it("expects variation until many tasks have shown none", () => {
    assert.strictEqual(tasks.variation(tasks.initial), 1)
    assert.isAbove(tasks.variation(after(100, 100)), 0.9)
    const alike = Array.from({ length: 300 }, () => 100)
    assert.isBelow(tasks.variation(after(...alike)), 0.4)
    assert.isAbove(tasks.variation(after(...alike.flatMap(() => [10, 1000]))), 0.9)
  })

  it("does not take the first tasks to finish for typical", () => {
    assert.strictEqual(tasks.taskTime(tasks.initial, [400, 600]), 500)
    // One of ten finished after 100 ms, nine have run for as long: a task takes about a second.
    assert.strictEqual(tasks.taskTime(after(100), Array.from({ length: 9 }, () => 100)), 1000)
    const known = after(...Array.from({ length: 30 }, () => 200))
    assert.strictEqual(tasks.taskTime(known, [50, 50]), known.duration)
    assert.strictEqual(tasks.taskTime(known, [5000]), 5000)
  })

  it("waits longer where durations vary, for the long ones", () => {
    const varied = after(...Array.from({ length: 100 }, (_, i) => i % 10 === 0 ? 5000 : 100))
    assert.isAbove(tasks.turnover(varied, varied.duration), 3 * varied.duration)
    const alike = after(...Array.from({ length: 100 }, () => 500))
    assert.strictEqual(tasks.turnover(alike, 500), 500)
  })

  it.prop("is never less than nothing, nor not a number", [between(0, 50), between(0, 100_000), between(0, 100_000)], (
    [count, meanDuration, deviation]
  ) => {
    const known = tasks.observe(tasks.initial, stats(count, { meanDuration, varianceDuration: deviation ** 2 }))
    for (
      const value of [
        known.duration,
        tasks.variation(known),
        tasks.taskTime(known, []),
        tasks.turnover(known, 0)
      ]
    ) {
      assert.isAtLeast(value, 0)
    }
  })
})
