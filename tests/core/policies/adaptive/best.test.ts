/**
 * Throughput that collapses while as many tasks run.
 */
import { assert, describe, it } from "@effect/vitest"
import * as best from "../../../../packages/core/src/internal/adaptive/model/best.ts"
import * as tasks from "../../../../packages/core/src/internal/adaptive/model/tasks.ts"
import { observation, stats } from "../support.ts"

interface Period {
  readonly seconds: number
  readonly perSecond: number
  readonly inFlight: number
  readonly saturatedShare?: number
}

/** Tasks of half a second and little variation. */
const known = tasks.observe(tasks.initial, stats(500, { meanDuration: 500, varianceDuration: 0 }))

/** Decisions twice a second; what was said of each. */
const run = (periods: ReadonlyArray<Period>, from = best.initial) => {
  let watch = from
  const collapsed: Array<number> = []
  let at = 0
  for (const { inFlight, perSecond, saturatedShare = 1, seconds } of periods) {
    for (let i = 0; i < 2 * seconds; i++) {
      at += 0.5
      const completions = stats(perSecond / 2, { meanDuration: 500 })
      watch = best.observe(
        watch,
        observation({ meanConcurrency: inFlight, saturatedShare, completions }),
        500,
        known
      )
      if (watch.collapsed !== null) collapsed.push(at)
    }
  }
  return { watch, collapsed }
}

const good: Period = { seconds: 20, perSecond: 40, inFlight: 20 }

describe("best throughput", () => {
  it("is kept as a reading, by Little's law, and unknown at first", () => {
    assert.isNull(best.initial.reading)
    const { reading } = run([good]).watch
    assert.approximately(reading?.concurrency ?? NaN, 20, 1e-9)
    assert.approximately(reading?.duration ?? NaN, 500, 1e-9)
  })

  it("has collapsed where as many tasks get far less done, in the second window and not in the first", () => {
    const { collapsed, watch } = run([good, { ...good, seconds: 2, perSecond: 10 }])
    assert.deepStrictEqual(collapsed, [22])
    assert.deepStrictEqual(watch.reading, run([good]).watch.reading)
  })

  it("has collapsed where more tasks get less done, even where none ends", () => {
    assert.isNotEmpty(run([good, { seconds: 6, perSecond: 10, inFlight: 60 }]).collapsed)
    assert.isNotEmpty(run([good, { seconds: 6, perSecond: 0, inFlight: 60 }]).collapsed)
  })

  it("is none where fewer tasks get less done, where throughput falls by a third, or for a moment", () => {
    assert.isEmpty(run([good, { seconds: 30, perSecond: 10, inFlight: 10 }]).collapsed)
    assert.isEmpty(run([good, { ...good, perSecond: 28 }]).collapsed)
    assert.isEmpty(run([good, { ...good, seconds: 1, perSecond: 4 }, good]).collapsed)
  })

  it("is none where there is too little to do", () => {
    assert.isEmpty(run([good, { seconds: 30, perSecond: 4, inFlight: 20, saturatedShare: 0.4 }]).collapsed)
    const bad: Period = { ...good, seconds: 1, perSecond: 4 }
    assert.isEmpty(run([good, bad, { ...good, saturatedShare: 0 }, bad]).collapsed)
    assert.isNotEmpty(run([good, bad, bad]).collapsed)
  })

  it("is none before it is known what could be done", () => {
    assert.isEmpty(run([{ ...good, perSecond: 4 }]).collapsed)
  })

  it("is measured against the best level, and against what that is now", () => {
    const bestAfter = (periods: ReadonlyArray<Period>) => run(periods).watch.reading
    assert.strictEqual(bestAfter([good, { seconds: 9, perSecond: 60, inFlight: 40 }])?.concurrency, 40)
    assert.strictEqual(bestAfter([good, { seconds: 9, perSecond: 50, inFlight: 10 }])?.concurrency, 10)
    assert.strictEqual(bestAfter([good, { seconds: 9, perSecond: 36, inFlight: 10 }])?.concurrency, 20)
    const fallen = bestAfter([good, { ...good, seconds: 90, perSecond: 30 }])
    assert.approximately(20 / (fallen?.duration ?? NaN), 0.03, 0.001)
  })
})
