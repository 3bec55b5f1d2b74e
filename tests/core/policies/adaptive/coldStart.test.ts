/**
 * How tasks are let in while nothing is known of them.
 */
import { assert, describe, it } from "@effect/vitest"
import { initial } from "../../../../packages/core/src/internal/adaptive/model/model.ts"
import { step } from "../../../../packages/core/src/internal/adaptive/stages/coldStart.ts"
import { coldStart, slowStart } from "../../../../packages/core/src/internal/adaptive/stages/phases.ts"
import { observation, viewOf } from "../support.ts"

const second = 1000

interface Moment {
  readonly settled?: number
  readonly level?: number
  readonly most?: number
  readonly finished?: number
}

/** Ten tasks of 20 seconds began together; `finished` of them have ended. */
const at = ({ finished = 0, level = 10, most = 200, settled = 0 }: Moment) => {
  const duration = finished > 0 ? 20 * second : 0
  const view = viewOf({
    settled,
    time: duration,
    model: { ...initial, tasks: { ...initial.tasks, finished, duration } },
    observation: observation({ meanConcurrency: 10 }),
    lowest: { name: "memory", concurrency: most }
  })
  return step(coldStart, level, view)
}

describe("cold start", () => {
  it("doubles every half a second, up to a few tasks", () => {
    assert.deepInclude(at({ settled: 400, level: 2 }), { level: 2, phase: coldStart })
    assert.deepInclude(at({ settled: 500, level: 2 }), { level: 4, phase: coldStart })
    assert.strictEqual(at({ settled: 500, level: 8 }).level, 10)
    assert.strictEqual(at({ settled: 5 * second }).level, 10)
  })

  it("waits for longer once it is known that tasks last, up to five seconds", () => {
    assert.strictEqual(at({ settled: 4 * second, level: 2, finished: 5 }).level, 2)
    assert.strictEqual(at({ settled: 5 * second, level: 2, finished: 5 }).level, 4)
  })

  it("stays below a limit", () => {
    assert.strictEqual(at({ settled: second, level: 4, most: 6 }).level, 6)
    assert.strictEqual(at({ settled: second, level: 6, most: 6 }).level, 6)
  })

  it("is over once it has let in as many as it may", () => {
    const { level, phase } = at({})
    assert.strictEqual(level, 10)
    assert.deepStrictEqual(phase, slowStart())
  })
})
