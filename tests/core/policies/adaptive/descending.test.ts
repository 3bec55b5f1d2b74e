/**
 * Whether far less throughput is congestion.
 */
import { assert, describe, it } from "@effect/vitest"
import { step } from "../../../../packages/core/src/internal/adaptive/stages/descending.ts"
import { descendFrom } from "../../../../packages/core/src/internal/adaptive/stages/moves.ts"
import type { Phase, Verdict } from "../../../../packages/core/src/internal/adaptive/stages/phases.ts"
import { answered, viewOf } from "../support.ts"

const at = (concurrency: number, duration: number) => ({ concurrency, duration, count: 40 })

/** The levels that slow start knows of. */
const levels = (phase: Phase) => phase._tag === "SlowStart" ? phase.readings.map(({ concurrency }) => concurrency) : []

/** After these readings of ever fewer tasks. */
const descended = (...readings: ReadonlyArray<ReturnType<typeof at>>): Verdict =>
  readings.reduce<Verdict>(
    ({ level, phase }, reading) =>
      phase._tag === "Descending" ? answered(step, phase, level, reading) : assert.fail(phase._tag),
    descendFrom(at(20, 1200), viewOf())
  )

describe("descending", () => {
  it("goes far below, and not below the least", () => {
    assert.approximately(descendFrom(at(30, 1200), viewOf()).level, 20, 1e-9)
    assert.strictEqual(descendFrom(at(3, 1200), viewOf({ least: 3 })).level, 3)
  })

  it("goes on as long as fewer help", () => {
    const { level, phase } = descended(at(13, 780))
    assert.isTrue(phase._tag === "Descending" && phase.above?.concurrency === 20)
    assert.approximately(level, 13 / 1.5, 1e-9)
  })

  it("doubles anew from where it came, where fewer do not help", () => {
    const { level, phase } = descended(at(13, 1190))
    assert.strictEqual(level, 20)
    assert.deepStrictEqual(levels(phase), [13])
  })

  it("lands between what did not help and what was too much above, or tries that again where it may not have been", () => {
    const after = (above: ReturnType<typeof at>) => {
      const { level, phase } = descendFrom(at(20, 1200), viewOf(), above)
      return phase._tag === "Descending" ? answered(step, phase, level, at(13, 1190)) : assert.fail(phase._tag)
    }
    const landed = after(at(40, 2400))
    assert.strictEqual(landed.phase._tag, "Steady")
    assert.isTrue(landed.level > 20 && landed.level < 26, String(landed.level))
    const again = after(at(40, 1400))
    assert.strictEqual(again.level, 40)
    assert.deepStrictEqual(levels(again.phase), [13, 20])
    // After a step that has helped, that is the level where it began.
    assert.strictEqual(descended(at(13, 780), at(9, 780)).phase._tag, "Steady")
  })

  it("lands where steps down have helped and one more does not", () => {
    const { level, phase } = descended(at(13, 780), at(8.9, 520), at(5.9, 510))
    assert.strictEqual(phase._tag, "Steady")
    assert.isTrue(level > 8.9 && level < 11, String(level))
  })
})
