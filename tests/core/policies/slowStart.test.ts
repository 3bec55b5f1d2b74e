/**
 * Doubling, and where it ends.
 */
import { assert, describe, it } from "@effect/vitest"
import * as slowStart from "../../../packages/core/src/internal/adaptive/slowStart.ts"
import { between, readingAt } from "./support.ts"

describe("slow start", () => {
  const run = (knee: number, from: number, count = 100, variation = 0.5) => {
    let state = slowStart.initial
    for (let level = from; level < 10_000; level *= 2) {
      const outcome = slowStart.step(state, readingAt(level, knee, count), variation)
      if (outcome._tag === "Grow") state = outcome.next
      else return outcome
    }
    return undefined
  }

  it.prop("lands on the knee, with a little to spare", [between(20, 400)], ([knee]) => {
    const outcome = run(knee, 8)
    assert.strictEqual(outcome?._tag, knee > 16 ? "Land" : "Descend")
    if (outcome?._tag === "Land") assert.isTrue(outcome.level >= knee && outcome.level <= 1.35 * knee)
  })

  it("seeks below where the first doubling was one too many", () => {
    assert.strictEqual(run(5, 10)?._tag, "Descend")
  })

  it("goes by the last doubling too, which shows a knee before all of them together do", () => {
    const readings = [readingAt(10, 90), readingAt(20, 90), readingAt(40, 90), readingAt(80, 90)]
    const state = slowStart.resume(readings, null)
    // Of the last doubling seven tenths are lost to duration, of all together less than half.
    const latest = { concurrency: 160, duration: 300 * 2 ** 0.7, count: 100 }
    const outcome = slowStart.step(state, latest, 0.3)
    if (outcome._tag !== "Land") return assert.fail(outcome._tag)
    assert.isTrue(outcome.level >= 95 && outcome.level <= 125, `${outcome.level}`)
    const slight = { ...latest, duration: 300 * 2 ** 0.4 }
    assert.strictEqual(slowStart.step(state, slight, 0.3)._tag, "Grow")
  })

  it("is not misled by a level that was read before any of the long tasks had ended", () => {
    const [seven, ten] = [{ concurrency: 7, duration: 900, count: 40 }, { concurrency: 10, duration: 400, count: 13 }]
    const twenty = { concurrency: 20, duration: 800, count: 70 }
    assert.strictEqual(slowStart.step(slowStart.resume([seven, ten], null), twenty, 1)._tag, "Grow")
    assert.strictEqual(slowStart.step(slowStart.resume([ten], null), twenty, 0.3)._tag, "Descend")
  })

  it("does not take chance for congestion", () => {
    const first = slowStart.step(slowStart.initial, readingAt(10, 1000, 6), 2)
    assert.strictEqual(first._tag, "Grow")
    if (first._tag !== "Grow") return
    const unlucky = { concurrency: 20, duration: 480, count: 6 }
    const second = slowStart.step(first.next, unlucky, 2)
    assert.strictEqual(second._tag, "Wait")
    if (second._tag !== "Wait") return
    assert.strictEqual(slowStart.step(second.next, readingAt(20, 1000, 60), 2)._tag, "Grow")
  })

  describe("while the event loop is shaken", () => {
    const state = slowStart.resume([readingAt(10, 90), readingAt(20, 90)], null)
    const slow = { concurrency: 40, duration: 600, count: 60 }
    const wait = (outcome: slowStart.Outcome) => outcome._tag === "Wait" ? outcome.next : assert.fail(outcome._tag)

    it("does not believe a reading that looks congested, and forgets it", () => {
      assert.strictEqual(slowStart.step(state, slow, 0.3)._tag, "Land")
      const doubting = wait(slowStart.step(state, slow, 0.3, true))
      assert.deepStrictEqual(doubting, { ...state, doubted: 1 })
      const outcome = slowStart.step(doubting, readingAt(40, 90), 0.3)
      if (outcome._tag !== "Grow") return assert.fail(outcome._tag)
      assert.deepStrictEqual(outcome.next, slowStart.resume([...state.readings, readingAt(40, 90)], null))
    })

    it("lands all the same where it looks so for the fourth time", () => {
      const doubting = [1, 2, 3].reduce((before) => wait(slowStart.step(before, slow, 0.3, true)), state)
      assert.deepStrictEqual(slowStart.step(doubting, slow, 0.3, true), slowStart.step(state, slow, 0.3))
    })

    it("grows where nothing looks congested", () => {
      assert.strictEqual(slowStart.step(state, readingAt(40, 90), 0.3, true)._tag, "Grow")
    })
  })
})
