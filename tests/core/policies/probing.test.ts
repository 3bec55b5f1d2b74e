/**
 * The steady state: trying a little more and a little less.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as measuring from "../../../packages/core/src/internal/adaptive/measurement.ts"
import * as probing from "../../../packages/core/src/internal/adaptive/probing.ts"
import * as slowStart from "../../../packages/core/src/internal/adaptive/slowStart.ts"
import { between, readingAt } from "./support.ts"

describe("steady state", () => {
  const bounds: probing.Bounds = { least: 1, most: 200, isFirm: false, variation: 0.5, time: 300 }

  /** Answers each level as a service with a knee would, for so many readings. */
  const run = (
    from: probing.Probing,
    knee: (reading: number) => number,
    readings: number,
    options: { readonly duration?: (reading: number) => number; readonly bounds?: Partial<probing.Bounds> } = {}
  ) => {
    const within = { ...bounds, ...options.bounds }
    let state = from
    let level = from.center
    const levels: Array<number> = []
    for (let i = 0; i < readings; i++) {
      const outcome = probing.step(state, readingAt(level, knee(i), 100, options.duration?.(i) ?? 300), within)
      if (outcome._tag === "Restart") return { restartedAt: i, center: outcome.level, levels }
      state = outcome.next
      level = outcome.level
      levels.push(level)
    }
    return { restartedAt: undefined, center: state.center, levels }
  }

  it("stays near the knee", () => {
    const { center, levels, restartedAt } = run(probing.initial(48), () => 48, 300)
    assert.isUndefined(restartedAt)
    assert.isTrue(center > 40 && center < 60)
    assert.isTrue(levels.every((level) => level > 28 && level < 80))
  })

  describe("where fewer did not help after a first doubling that seemed too much", () => {
    const retried = (() => {
      const [ten, twenty] = [readingAt(10, 10), readingAt(20, 10)]
      const first = slowStart.step(slowStart.initial, ten, 0.5)
      const second = first._tag === "Grow" ? slowStart.step(first.next, twenty, 0.5) : assert.fail("ten is no knee")
      if (second._tag !== "Descend") return assert.fail("twenty is too much")
      const outcome = probing.step(probing.descendFrom(second.from, [second.above]), readingAt(6.7, 10), bounds)
      return outcome._tag === "Restart" ? outcome : assert.fail("fewer are no better")
    })()
    const resumed = slowStart.resume(retried.known, retried.tried)

    it("tries that again, with all that was read", () => {
      assert.approximately(retried.level, 20, 1e-9)
      assert.deepStrictEqual(retried.known.map(({ concurrency }) => Math.round(concurrency)), [7, 10])
      assert.approximately(retried.tried?.concurrency ?? 0, 20, 1e-9)
    })

    it("lands where it is too much indeed", () => {
      const outcome = slowStart.step(resumed, readingAt(20, 10), 0.5)
      if (outcome._tag !== "Land") return assert.fail(outcome._tag)
      assert.isTrue(outcome.level >= 10 && outcome.level <= 13)
    })

    it("goes on where that was chance", () => {
      const unlucky = { concurrency: 20, duration: 600, count: 8 }
      const outcome = slowStart.step(slowStart.resume(retried.known, unlucky), readingAt(20, 1000, 100), 0.5)
      assert.strictEqual(outcome._tag, "Grow")
    })
  })

  it("finds the way back from above, and from below", () => {
    const above = run(probing.initial(120), () => 48, 60)
    assert.isBelow(above.center, 66)
    const below = run(probing.initial(20), () => 48, 60)
    assert.isTrue(below.restartedAt !== undefined || below.center > 38)
  })

  it("probes less and less often while nothing changes", () => {
    const { levels } = run(probing.initial(48), () => 48, 200)
    const moves = (from: number, to: number) =>
      levels.slice(from, to).filter((level, i, those) => i > 0 && level !== those[i - 1]).length
    assert.isBelow(moves(150, 200), moves(0, 50))
  })

  it("tries less below a bound the more rarely the more often that was no better, most rarely if it is memory", () => {
    const holds = (isFirm: boolean) =>
      [0, 1, 2, 3, 9].map((ups) => probing.prove({ ...probing.initial(36), ups }, { ...bounds, isFirm }).hold)
    assert.deepStrictEqual(holds(false), [12, 12, 24, 36, 48])
    assert.deepStrictEqual(holds(true), [48, 48, 96, 144, 192])
    const triesBelow = (isFirm: boolean) => {
      const { levels } = run(probing.initial(60, true), () => 200, 300, { bounds: { isFirm, most: 60 } })
      return levels.filter((level) => level < 60).length
    }
    assert.isAtLeast(triesBelow(true), 2)
    assert.isAtMost(triesBelow(true), triesBelow(false) / 2)
  })

  it("cuts nothing where durations rise for another reason than congestion", () => {
    const { center, restartedAt } = run(probing.initial(40), () => 200, 40, { duration: (i) => i < 15 ? 300 : 1200 })
    assert.isDefined(restartedAt)
    assert.isAtLeast(center, 40)
  })

  describe("having gone down after durations rose", () => {
    const at = (concurrency: number, duration: number): measuring.Reading => ({ concurrency, duration, count: 40 })
    const descended = (...readings: ReadonlyArray<measuring.Reading>) =>
      readings.reduce<probing.Outcome>(
        (before, reading) => probing.step(before._tag === "Probe" ? before.next : assert.fail(), reading, bounds),
        { _tag: "Probe", next: probing.descendFrom(at(20, 1200)), level: 13 }
      )
    const restarted = (outcome: probing.Outcome) =>
      outcome._tag === "Restart" ? outcome : assert.fail(`${outcome._tag} at ${outcome.level}`)

    it("measures both levels against each other where it is unclear whether fewer helped", () => {
      const { known, level, tried } = restarted(descended(at(13, 1000)))
      assert.strictEqual(level, 20)
      assert.deepStrictEqual(known.map(({ concurrency }) => Math.round(concurrency)), [13])
      assert.approximately(tried?.concurrency ?? 0, 20, 1e-9)
    })

    it("holds the level it came from against the lower one, where that seemed to be no better", () => {
      const { known, level, tried } = restarted(descended(at(13, 1190)))
      assert.strictEqual(level, 20)
      assert.deepStrictEqual(known.map(({ concurrency }) => Math.round(concurrency)), [13])
      assert.isNull(tried)
      // What was read in the midst of a change was too low: the next reading tells, and does not double.
      const outcome = slowStart.step(slowStart.resume(known, tried), at(20, 2000), 0.5)
      assert.strictEqual(outcome._tag, "Descend")
    })

    it("goes up again where the step down proves to have been one too many", () => {
      const { known, level } = restarted(descended(at(13, 750), at(9, 800)))
      assert.approximately(level, 20, 1e-9)
      assert.deepStrictEqual(known.map(({ concurrency }) => Math.round(concurrency)), [9, 13])
    })

    it("stays where two steps down have helped and a third does not", () => {
      const outcome = descended(at(13, 780), at(8.9, 520), at(5.9, 510))
      assert.strictEqual(outcome._tag, "Probe")
      assert.approximately(outcome.level, 8.9, 0.3)
    })
  })

  it("comes down quickly where the knee does", () => {
    const { levels } = run(probing.initial(70), (i) => i < 15 ? 70 : 18, 40)
    assert.isBelow(levels[26], 31)
  })

  it("follows a bound that stood in its way, and gives way to it", () => {
    const held = { ...probing.initial(50, true), hold: 9 }
    assert.isAbove(probing.follow(held, 60, 500, 500).center, 50)
    assert.strictEqual(probing.follow({ ...held, wantsMore: false }, 60, 500, 500).center, 50)
    assert.strictEqual(probing.follow(held, 51, 500, 500), held)
    assert.strictEqual(probing.giveWay(held, 40).center, 40)
    assert.isTrue(probing.giveWay(held, 40).wantsMore)
  })

  it.prop("never leaves its bounds", [between(1, 200), between(1, 200), between(1, 200)], ([start, most, knee]) => {
    const within = Math.min(start, most)
    const { levels } = run(probing.initial(within), () => knee, 50, { bounds: { most } })
    assert.isTrue(levels.every((level) => level >= 1 && level <= most))
  })
})
