/**
 * How tasks are let in while nothing is known of them.
 */
import { assert, describe, it } from "@effect/vitest"
import { initial } from "../../../../packages/core/src/internal/adaptive/model/model.ts"
import type { Measurement } from "../../../../packages/core/src/internal/adaptive/model/reading.ts"
import { step } from "../../../../packages/core/src/internal/adaptive/stages/coldStart.ts"
import { coldStart } from "../../../../packages/core/src/internal/adaptive/stages/phases.ts"
import { observation, viewOf } from "../support.ts"

const second = 1000

interface Moment {
  readonly settled?: number
  readonly level?: number
  readonly most?: number
  readonly finished?: number
  readonly measurement?: Measurement | null
  readonly ages?: ReadonlyArray<number>
}

/** Ten tasks of 20 seconds began together; `finished` of them have ended. */
const at = ({ ages = [], finished = 0, level = 10, measurement = null, most = 200, settled = 0 }: Moment) => {
  const duration = finished > 0 ? 20 * second : 0
  const view = viewOf({
    settled,
    time: duration,
    model: { ...initial, tasks: { ...initial.tasks, finished, duration } },
    observation: observation({ meanConcurrency: 10, inFlightAges: ages }),
    lowest: { name: "memory", concurrency: most }
  })
  return step({ ...coldStart, measurement }, level, view)
}

const measured = (count: number): Measurement => ({
  elapsed: 24 * second,
  taskTime: 240 * second,
  count,
  durations: count * 20 * second
})

describe("cold start", () => {
  it("doubles every half a second, up to a few tasks", () => {
    assert.deepInclude(at({ settled: 400, level: 2 }), { level: 2, phase: coldStart })
    assert.deepInclude(at({ settled: 500, level: 2 }), { level: 4, phase: coldStart })
    assert.strictEqual(at({ settled: 500, level: 8 }).level, 10)
    assert.strictEqual(at({ settled: 5 * second }).level, 10)
  })

  it("waits for longer once it is known that tasks last, up to five seconds", () => {
    assert.strictEqual(at({ settled: 4 * second, level: 2, finished: 5 }).level, 2)
    assert.strictEqual(at({ settled: 5 * second, level: 2, finished: 5 }).level, 4)
  })

  it("stays below a limit", () => {
    assert.strictEqual(at({ settled: second, level: 4, most: 6 }).level, 6)
    assert.strictEqual(at({ settled: second, level: 6, most: 6 }).level, 6)
  })

  it("measures once it has let in as many as it may", () => {
    const { phase } = at({})
    assert.deepInclude(phase._tag === "ColdStart" ? phase.measurement : null, { elapsed: 250, taskTime: 2500 })
  })

  it("takes the tasks that began together for a reading once they have ended", () => {
    assert.strictEqual(at({ finished: 9, measurement: measured(9) }).phase._tag, "ColdStart")
    const { level, phase } = at({ finished: 10, measurement: measured(10), ages: [3 * second] })
    assert.strictEqual(level, 20)
    const [reading] = phase._tag === "SlowStart" ? phase.readings : assert.fail(phase._tag)
    assert.deepInclude(reading, { duration: 20 * second, count: 10 })
    assert.approximately(reading.concurrency, 10, 0.2)
  })

  it("takes them for none where some outlast the others, or others began before", () => {
    const outlasted = at({ finished: 10, measurement: measured(10), ages: [36 * second] })
    const mixed = at({ finished: 12, measurement: measured(10) })
    for (const { level, phase } of [outlasted, mixed]) {
      assert.strictEqual(level, 10)
      assert.deepStrictEqual(phase._tag === "SlowStart" ? phase.readings : phase, [])
    }
  })
})
