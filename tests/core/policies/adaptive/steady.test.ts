/**
 * The steady state: trying a little more and a little less.
 */
import { assert, describe, it } from "@effect/vitest"
import { sampleOf } from "../../../../packages/core/src/internal/adaptive/model/elasticity.ts"
import { type Steady, steady } from "../../../../packages/core/src/internal/adaptive/stages/phases.ts"
import { step } from "../../../../packages/core/src/internal/adaptive/stages/steady.ts"
import type { View } from "../../../../packages/core/src/internal/adaptive/view.ts"
import { answered, between, readingAt, viewOf } from "../support.ts"

const at = (most: number, name = "maxConcurrency"): Partial<View> => ({ lowest: { name, concurrency: most } })

/** Answers each level as a service with a knee would, for so many readings. */
const run = (
  from: Steady,
  knee: (reading: number) => number,
  readings: number,
  options: { readonly duration?: (reading: number) => number; readonly view?: Partial<View> } = {}
) => {
  let phase = from
  let level = from.center
  const levels: Array<number> = []
  for (let i = 0; i < readings; i++) {
    const verdict = answered(
      step,
      phase,
      level,
      readingAt(level, knee(i), 100, options.duration?.(i) ?? 300),
      options.view
    )
    if (verdict.phase._tag !== "Steady") return { grownAnewAt: i, center: verdict.level, levels }
    phase = verdict.phase
    level = verdict.level
    levels.push(level)
  }
  return { grownAnewAt: undefined, center: phase.center, levels }
}

describe("steady state", () => {
  it("stays near the knee", () => {
    const { center, grownAnewAt, levels } = run(steady(48), () => 48, 300)
    assert.isUndefined(grownAnewAt)
    assert.isTrue(center > 38 && center < 60, `${center}`)
    assert.isTrue(levels.every((level) => level > 28 && level < 80))
  })

  it("finds the way back from above, and from below", () => {
    assert.isBelow(run(steady(120), () => 48, 60).center, 66)
    const below = run(steady(20), () => 48, 60)
    assert.isTrue(below.grownAnewAt !== undefined || below.center > 38)
  })

  it("goes up where more gains throughput, to a limit at most, and waits below that", () => {
    assert.isAbove(run(steady(20), () => 1000, 20).center, 50)
    const { center, levels } = run(steady(20), () => 1000, 40, { view: at(30) })
    assert.strictEqual(center, 30)
    assert.isAtLeast(levels.slice(-14).filter((level) => level === 30).length, 12)
  })

  it("looks for congestion where tasks twice take far longer than foretold, and doubles anew where less", () => {
    const changed = (duration: number) => {
      const samples = [48, 48, 60, 40].map((level) => sampleOf(readingAt(level, 60)))
      const first = answered(step, steady(48, { samples, hold: 9 }), 48, readingAt(48, 60, 100, duration))
      assert.strictEqual(first.level, 48)
      return first.phase._tag === "Steady"
        ? answered(step, first.phase, 48, readingAt(48, 60, 100, duration))
        : assert.fail("one reading may be chance")
    }
    assert.strictEqual(changed(600).phase._tag, "Descending")
    assert.strictEqual(changed(600).level, 32)
    assert.strictEqual(changed(100).phase._tag, "SlowStart")
    assert.strictEqual(changed(330).phase._tag, "Steady")
  })

  it("probes less and less often while nothing changes", () => {
    const { levels } = run(steady(48), () => 48, 200)
    const moves = (from: number, to: number) =>
      levels.slice(from, to).filter((level, i, those) => i > 0 && level !== those[i - 1]).length
    assert.isBelow(moves(150, 200), moves(0, 50))
  })

  it("tries less below a limit seldom", () => {
    const { levels } = run(steady(60, { isHeld: true }), () => 200, 300, { view: at(60, "memory") })
    const below = levels.filter((level) => level < 60).length
    assert.isTrue(below >= 2 && below < 40, String(below))
  })

  it("follows a limit that stood in its way, and looks further where that is far higher", () => {
    const held = steady(50, { isHeld: true, hold: 9 })
    const rising = (most: number, from = held) => step(from, 50, viewOf({ ...at(most, "memory"), elapsed: 500 }))
    assert.isAbove(rising(60).level, 50)
    assert.strictEqual(rising(60, steady(50)).level, 50)
    assert.strictEqual(rising(51).level, 50)
    const { phase } = rising(90)
    assert.isTrue(phase._tag === "Steady" && !phase.isHeld && phase.center === 50)
  })

  it.prop("never leaves its bounds", [between(1, 200), between(1, 200), between(1, 200)], ([start, most, knee]) => {
    const { levels } = run(steady(Math.min(start, most)), () => knee, 50, { view: at(most) })
    assert.isTrue(levels.every((level) => level >= 1 && level <= most))
  })
})
