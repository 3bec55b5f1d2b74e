/**
 * Doubling, and where it ends.
 */
import { assert, describe, it } from "@effect/vitest"
import { initial } from "../../../../packages/core/src/internal/adaptive/model/model.ts"
import type { Reading } from "../../../../packages/core/src/internal/adaptive/model/reading.ts"
import { slowStart } from "../../../../packages/core/src/internal/adaptive/stages/phases.ts"
import { step } from "../../../../packages/core/src/internal/adaptive/stages/slowStart.ts"
import type { View } from "../../../../packages/core/src/internal/adaptive/view.ts"
import { answered, between, readingAt } from "../support.ts"

const wide = { lowest: { name: "maxConcurrency", concurrency: 10_000 } }

/** What becomes of readings of lower levels and one of this. */
const after = (lower: ReadonlyArray<Reading>, reading: Reading, options: Partial<View> = wide) =>
  answered(step, slowStart(lower), reading.concurrency, reading, options)

const run = (knee: number, from: number) => {
  let readings: ReadonlyArray<Reading> = []
  for (let level = from; level < 10_000; level *= 2) {
    const verdict = after(readings, readingAt(level, knee))
    if (verdict.phase._tag !== "SlowStart") return verdict
    readings = verdict.phase.readings
  }
  return assert.fail("it never ended")
}

describe("slow start", () => {
  it("doubles as long as throughput follows", () => {
    const { level, phase } = after([readingAt(10, 90)], readingAt(20, 90))
    assert.strictEqual(level, 40)
    assert.strictEqual(phase._tag === "SlowStart" ? phase.readings.length : 0, 2)
  })

  it.prop("lands on the knee, with a little to spare", [between(20, 400)], ([knee]) => {
    const { level, phase } = run(knee, 8)
    assert.strictEqual(phase._tag, knee > 16 ? "Steady" : "Descending")
    if (phase._tag === "Steady") assert.isTrue(level >= knee && level <= 1.35 * knee, `${level}`)
  })

  it("seeks below where the first doubling was one too many", () => {
    assert.strictEqual(run(5, 10).phase._tag, "Descending")
  })

  it("goes by the last doubling, which shows a knee before all of them together do", () => {
    const lower = [10, 20, 40, 80].map((level) => readingAt(level, 90))
    // Of the last doubling seven tenths are lost to duration, of all together less than half.
    const latest = { concurrency: 160, duration: 300 * 2 ** 0.7, count: 100 }
    const { level, phase } = after(lower, latest, { ...wide, variation: 0.3 })
    assert.strictEqual(phase._tag, "Steady")
    assert.isTrue(level >= 95 && level <= 125, `${level}`)
    const slight = { ...latest, duration: 300 * 2 ** 0.4 }
    assert.strictEqual(after(lower, slight, { ...wide, variation: 0.3 }).phase._tag, "SlowStart")
  })

  it("does not take chance for congestion", () => {
    const unlucky = { concurrency: 20, duration: 480, count: 20 }
    assert.strictEqual(after([readingAt(10, 1000, 6)], unlucky, { ...wide, variation: 2 }).phase._tag, "SlowStart")
  })

  it("measures again what looked congested while the event loop was blocked, three times at most", () => {
    const shaken = { ...wide, isShaken: true }
    const lower = [readingAt(10, 90), readingAt(20, 90)]
    const slow = { concurrency: 40, duration: 600, count: 60 }
    let { level, phase } = after(lower, slow, shaken)
    for (let times = 1; times <= 3; times++) {
      assert.strictEqual(level, 40)
      if (phase._tag !== "SlowStart") return assert.fail(phase._tag)
      assert.deepInclude(phase, { readings: lower, doubted: times })
      const next = answered(step, phase, 40, slow, shaken)
      level = next.level
      phase = next.phase
    }
    assert.strictEqual(phase._tag, "Steady")
    assert.strictEqual(after(lower, readingAt(40, 90), shaken).level, 80)
  })

  it("ends where a limit stands in the way: a resource that is used up is followed, another one held", () => {
    const used = (load: number): Partial<View> => ({
      lowest: { name: "cpu", concurrency: 20 },
      model: { ...initial, uses: { cpu: { load, own: load, inFlight: 20, known: 60_000 } } }
    })
    const held = after([readingAt(10, 90)], readingAt(20, 90), { lowest: { name: "memory", concurrency: 20 } })
    assert.strictEqual(held.level, 20)
    assert.isTrue(held.phase._tag === "Steady" && held.phase.isHeld)
    assert.strictEqual(after([readingAt(10, 90)], readingAt(20, 90), used(0)).phase._tag, "Steady")
  })
})
