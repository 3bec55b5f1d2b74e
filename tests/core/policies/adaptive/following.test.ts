/**
 * Following the limit of a resource that is used up.
 */
import { assert, describe, it } from "@effect/vitest"
import { initial } from "../../../../packages/core/src/internal/adaptive/model/model.ts"
import { step } from "../../../../packages/core/src/internal/adaptive/stages/following.ts"
import { following } from "../../../../packages/core/src/internal/adaptive/stages/phases.ts"
import { observation, signal, viewOf } from "../support.ts"

/** At ten tasks, with this limit and use of the processor, and perhaps a lower limit of memory. */
const at = (cpu: number, load = 0.9, memory = Infinity) => {
  const limits = { cpu, memory }
  const lowest = memory < cpu ? { name: "memory", concurrency: memory } : { name: "cpu", concurrency: cpu }
  return viewOf({
    elapsed: 500,
    time: 500,
    limits,
    lowest,
    model: { ...initial, uses: { cpu: { load, own: load, inFlight: 10, known: 60_000 } } },
    observation: observation({ signals: { cpu: signal(load) } })
  })
}

describe("following a limit", () => {
  it("goes up step by step, and not for a difference that means nothing", () => {
    const { level, measurement } = step(following("cpu"), 10, at(15))
    assert.isTrue(level > 10 && level < 15)
    assert.strictEqual(measurement, "keep")
    assert.strictEqual(step(following("cpu"), 10, at(10.2)).level, 10)
  })

  it("doubles where there is far more room than tasks use, unless another limit stands in the way", () => {
    assert.strictEqual(step(following("cpu"), 10, at(17)).phase._tag, "SlowStart")
    assert.strictEqual(step(following("cpu"), 10, at(17, 0.9, 11)).phase._tag, "Steady")
  })

  it("goes back where use did not rise with the tasks", () => {
    const from = (use: number) => {
      const check = { inFlight: 8, use, age: 5000 }
      return step({ ...following("cpu"), check }, 10, at(12))
    }
    const { level, phase } = from(0.89)
    assert.deepStrictEqual([phase._tag, level], ["Steady", 8])
    assert.strictEqual(from(0.72).phase._tag, "Following")
  })

  it("leaves a resource that does not bind any more", () => {
    const slack = { ...following("cpu"), slackFor: 20_000 }
    assert.strictEqual(step(slack, 10, at(10, 0.5)).phase._tag, "Steady")
    assert.deepInclude(step(slack, 10, at(10)).phase, { _tag: "Following", slackFor: 0 })
  })
})
