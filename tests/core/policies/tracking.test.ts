/**
 * Following the ceiling of a resource.
 */
import { assert, describe, it } from "@effect/vitest"
import * as tracking from "../../../packages/core/src/internal/adaptive/tracking.ts"

describe("following a ceiling", () => {
  const circumstances = (options: Partial<tracking.Circumstances>): tracking.Circumstances => ({
    now: 0,
    elapsed: 500,
    time: 500,
    level: 10,
    inFlight: 10,
    use: 0.9,
    usedShare: 1,
    ceiling: 10,
    ...options
  })

  it("comes down at once where it is urgent, and as fast as tasks end where it is not", () => {
    assert.isTrue(tracking.isExceeded(9, 10))
    assert.isFalse(tracking.isExceeded(9.9, 10))
    const urgent = tracking.comeDown(20, 10, 500, 5000, true)
    const patient = tracking.comeDown(20, 10, 500, 5000, false)
    assert.isTrue(urgent < patient && urgent > 10 && patient < 20)
  })

  it("goes up step by step", () => {
    const outcome = tracking.follow(tracking.initial("cpu"), circumstances({ ceiling: 80 }))
    assert.isTrue(outcome.level > 10 && outcome.level <= 12.5)
    assert.strictEqual(tracking.follow(tracking.initial("cpu"), circumstances({ ceiling: 10.2 })).level, 10)
  })

  it("goes back where use did not rise with the tasks", () => {
    const before = { ...tracking.initial("cpu"), check: { level: 10, inFlight: 10, use: 0.5, at: 0 } }
    const later = circumstances({ now: 5000, level: 15, inFlight: 15, use: 0.51, ceiling: 28 })
    assert.deepStrictEqual(tracking.follow(before, later), { _tag: "Refuted", level: 10 })
    assert.strictEqual(tracking.follow(before, { ...later, use: 0.75 })._tag, "Follow")
  })

  it("leaves a resource that does not bind any more", () => {
    const slack = { ...tracking.initial("cpu"), slackSince: 0 }
    const later = circumstances({ now: 20_000, usedShare: 0.5 })
    assert.strictEqual(tracking.follow(slack, later)._tag, "Refuted")
    assert.strictEqual(tracking.follow(slack, { ...later, usedShare: 1 })._tag, "Follow")
  })
})
