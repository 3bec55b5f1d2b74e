/**
 * What comes before any stage, and in which order.
 */
import { assert, describe, it } from "@effect/vitest"
import { guards } from "../../../../packages/core/src/internal/adaptive/guards.ts"
import type { Backoff } from "../../../../packages/core/src/internal/adaptive/model/losses.ts"
import { initial } from "../../../../packages/core/src/internal/adaptive/model/model.ts"
import { descendFrom } from "../../../../packages/core/src/internal/adaptive/stages/moves.ts"
import {
  coldStart,
  following,
  type Phase,
  slowStart,
  steady
} from "../../../../packages/core/src/internal/adaptive/stages/phases.ts"
import { observation, signal, viewOf } from "../support.ts"

const said = (view = viewOf(), phase: Phase = steady(20)) =>
  guards.map((guard) => guard(phase, 20, view)).find((verdict) => verdict !== undefined)

const lowered = (name: string) => viewOf({ lowest: { name, concurrency: 10 } })

const backoff: Backoff = { cap: 12, lostAt: 20, share: 0.2, cutAt: 0, movedAt: 0, step: 1, interval: 4000 }

describe("guards", () => {
  it("say nothing where nothing is the matter", () => {
    assert.isUndefined(said())
  })

  it("set the level to the limit of losses whenever that moves, and double anew once it is over", () => {
    const cut = said(viewOf({ haveLossesMoved: true, model: { ...initial, losses: { ...initial.losses, backoff } } }))
    assert.strictEqual(cut?.level, 12)
    assert.deepInclude(cut?.phase, { _tag: "Steady", center: 12 })
    assert.strictEqual(said(viewOf({ haveLossesMoved: true }))?.phase._tag, "SlowStart")
  })

  it("come down to a limit, at once where that is memory, and with patience where it only makes tasks slow", () => {
    const long = { elapsed: 500, time: 5000 }
    const [memory, cpu] = ["memory", "cpu"].map((name) => said({ ...lowered(name), ...long })?.level ?? NaN)
    assert.isTrue(memory < cpu && memory > 10 && cpu < 20)
    assert.isUndefined(said(viewOf({ lowest: { name: "cpu", concurrency: 19.9 } })))
  })

  it("follow a resource that is used up from then on, and are held by another limit", () => {
    assert.deepInclude(said(lowered("cpu"))?.phase, following("cpu"))
    const held = said(lowered("memory"))
    assert.deepInclude(held?.phase, { _tag: "Steady", isHeld: true, center: held?.level ?? NaN })
    assert.deepStrictEqual(
      said(viewOf({ lowest: { name: "memory", concurrency: 10 } }), coldStart)?.phase,
      coldStart
    )
  })

  it("learn nothing while there is too little to do, or while a signal has stopped reporting", () => {
    const idle = said(viewOf({ isSaturated: false, observation: observation({ current: 3 }) }))
    assert.deepInclude(idle, {
      level: 20,
      phase: steady(20),
      why: "only 3 of 20 are in use, so the limit stays as it is"
    })
    const signals = { cpu: signal(0.1, { isStale: true }) }
    const blind = said(viewOf({ observation: observation({ signals }) }))
    assert.deepInclude(blind, { level: 20, why: "cpu does not report, and nothing grows until it does" })
  })

  describe("where far less gets done than before", () => {
    const [before, now] = [{ concurrency: 12, duration: 300, count: 40 }, {
      concurrency: 30,
      duration: 2000,
      count: 40
    }]
    const view = viewOf({ model: { ...initial, best: { ...initial.best, reading: before, collapsed: now } } })

    it("go back to where more was served", () => {
      const verdict = said(view)
      assert.strictEqual(verdict?.level, 12)
      assert.deepInclude(verdict?.phase, { _tag: "Descending", from: now })
    })

    it("say nothing where fewer are tried already, or nothing is known", () => {
      assert.isUndefined(said(view, descendFrom(now, view).phase))
      assert.isUndefined(said(view, coldStart))
      assert.isDefined(said(view, slowStart()))
    })
  })
})
