/**
 * How tasks are let in while nothing is known of them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as coldStart from "../../../packages/core/src/internal/adaptive/coldStart.ts"
import type { Measurement } from "../../../packages/core/src/internal/adaptive/measurement.ts"
import * as pace from "../../../packages/core/src/internal/adaptive/pace.ts"
import { observation, stats } from "./support.ts"

interface Moment {
  readonly now: number
  readonly level?: number
  readonly ceiling?: number
  readonly finished?: number
  readonly measurement?: Measurement | null
  readonly ages?: ReadonlyArray<number>
}

const second = 1000

/** Ten tasks of 20 seconds began together; `finished` of them have ended. */
const step = ({ ages = [], ceiling = 100, finished = 0, level = 10, measurement = null, now }: Moment) => {
  const duration = finished > 0 ? 20 * second : 0
  return coldStart.step(coldStart.initial, {
    level,
    pace: { ...pace.initial, finished, duration },
    measurement,
    observation: observation({ now, meanConcurrency: 10, inFlightAges: ages, completions: stats(0, {}) }),
    elapsed: 250,
    time: duration,
    ceiling
  })
}

const measured = (count: number): Measurement => ({
  elapsed: 24 * second,
  unused: 0,
  taskTime: 240 * second,
  count,
  durations: count * 20 * second
})

describe("cold start", () => {
  it("doubles every half a second, up to a few tasks", () => {
    assert.deepInclude(step({ now: 400, level: 2 }), { _tag: "Wait" })
    assert.deepInclude(step({ now: 500, level: 2 }), { _tag: "Raise", level: 4 })
    assert.deepInclude(step({ now: 500, level: 8 }), { _tag: "Raise", level: 10 })
    assert.deepInclude(step({ now: 5 * second }), { _tag: "Wait" })
  })

  it("stays below a ceiling", () => {
    assert.deepInclude(step({ now: second, level: 4, ceiling: 6 }), { _tag: "Raise", level: 6 })
    assert.deepInclude(step({ now: second, level: 6, ceiling: 6 }), { _tag: "Wait" })
  })

  it("measures once it has let in as many as it may", () => {
    const outcome = step({ now: 5 * second })
    assert.deepInclude(outcome._tag === "Wait" ? outcome.measurement : null, { elapsed: 250, taskTime: 2500 })
  })

  it("takes the tasks that began together for a reading once they have ended", () => {
    assert.deepInclude(step({ now: 22 * second, finished: 9, measurement: measured(9) }), { _tag: "Wait" })
    const outcome = step({ now: 24 * second, finished: 10, measurement: measured(10), ages: [3000] })
    const reading = outcome._tag === "Over" ? outcome.reading : assert.fail(outcome._tag)
    assert.deepInclude(reading, { duration: 20 * second, count: 10 })
    assert.approximately(reading?.concurrency ?? 0, 10, 0.2)
  })

  it("takes them for none where some outlast the others, or others began before", () => {
    const outlasted = step({ now: 40 * second, finished: 10, measurement: measured(10), ages: [36 * second] })
    assert.deepStrictEqual(outlasted, { _tag: "Over", reading: null })
    const mixed = step({ now: 24 * second, finished: 12, measurement: measured(10) })
    assert.deepStrictEqual(mixed, { _tag: "Over", reading: null })
  })
})
