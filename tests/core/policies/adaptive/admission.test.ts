/**
 * How many tasks may start until the next decision.
 */
import { ConcurrencySettings, type ScalingPolicy } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import * as admission from "../../../../packages/core/src/internal/adaptive/admission/admit.ts"
import { memoryBound } from "../../../../packages/core/src/internal/adaptive/admission/memory.ts"
import { loadsOf } from "../../../../packages/core/src/internal/adaptive/limits/memory.ts"
import * as memory from "../../../../packages/core/src/internal/adaptive/model/memory.ts"
import type * as times from "../../../../packages/core/src/internal/adaptive/model/tasks.ts"
import { initial, type Parameters, type State } from "../../../../packages/core/src/internal/adaptive/state.ts"
import { look } from "../../../../packages/core/src/internal/adaptive/view.ts"
import { between, known, observation, signal } from "../support.ts"

const ages = (count: number, age: (i: number) => number) => Array.from({ length: count }, (_, i) => age(i))

describe("admission", () => {
  const seen: memory.Seen = {
    used: 0.4,
    grown: 20,
    strayed: 0,
    known: 60_000,
    growth: 1000,
    lag: 0,
    present: 20,
    usual: 1,
    perTask: 0.02,
    variance: 0
  }

  const modelOf = (options: Partial<memory.Seen> = {}, rise = 0): memory.MemoryModel => ({
    ...memory.initial,
    at: 0,
    base: 0.1,
    rise,
    seen: { ...seen, ...options }
  })

  const limits = { most: 0.925, peak: 0, highest: 1 }

  const starts = (
    load: number,
    current: number,
    desired: number,
    ended: number,
    model = modelOf({ present: current })
  ) => memoryBound({ ...limits, model: { ...model, own: load }, signal: signal(load) }, current, desired, ended)

  /** What a decision lets start after such a state. */
  const allowance = (
    parameters: Parameters,
    options: { readonly memory: memory.MemoryModel; readonly tasks: times.Tasks },
    now: ScalingPolicy.Observation
  ) => {
    const before: State = initial(ConcurrencySettings.defaults)
    const known = { ...before.model, tasks: options.tasks, memories: { "": options.memory } }
    const view = look(parameters, before, known, now, 250)
    return admission.admit(parameters, view, { phase: before.phase, level: 45, measurement: "keep", why: "" }, 45)
      .startAllowance
  }

  it("expects as many to end until the next decision as Little's law has it", () => {
    assert.strictEqual(admission.expectedCompletions(500, 20, 250), 10)
    assert.strictEqual(admission.expectedCompletions(0, 20, 250), 0)
  })

  it("keeps the slots of rejected tasks empty, and starts no more than end", () => {
    assert.strictEqual(admission.paceBound(10, 6, 3, 5), 1 + 5)
    assert.strictEqual(admission.paceBound(10, 8, 5, 5), 5)
    assert.strictEqual(admission.paceBound(10, 6, 0, 5), Infinity)
  })

  it("does not bound while memory is plenty", () => {
    assert.strictEqual(starts(0.3, 10, 20, 5), Infinity)
    assert.strictEqual(starts(0.1, 0, 20, 0, memory.initial), Infinity)
    // It is not where tasks differ so much that as many may use far more.
    assert.isBelow(starts(0.3, 10, 20, 5, modelOf({ present: 10, variance: 0.03 ** 2 })), 20)
  })

  it("does not count starts where as many tasks as are desired fit, and all use about the same", () => {
    // To count starts then would keep places empty in which tasks ended together that had begun together.
    const nearly = (deviation: number) => starts(0.8, 35, 38, 2, modelOf({ present: 35, variance: deviation ** 2 }))
    assert.strictEqual(nearly(0.004), Infinity)
    assert.strictEqual(nearly(0.006), 4 + 2)
  })

  it("starts nothing past the limit, and ever less on the way there", () => {
    assert.strictEqual(starts(0.93, 40, 45, 20), 0)
    assert.strictEqual(starts(0.93, 0, 45, 0, memory.initial), 0)
    const strayed = modelOf({ present: 38, variance: 0.01 ** 2 })
    const [far, near, nearer, nearest] = [0.7, 0.86, 0.9, 0.92].map((load) => starts(load, 35, 45, 20, strayed))
    assert.isAbove(far, near)
    assert.isAbove(near, nearer)
    assert.isAbove(nearer, nearest)
  })

  it("grows by what there is room for, beside the tasks that take the place of others", () => {
    assert.strictEqual(starts(0.89, 38, 45, 0), 1)
    assert.strictEqual(starts(0.89, 38, 45, 4.5), 6)
    // As much as is grown past the limit already: no place of a task that has ended is free.
    assert.strictEqual(starts(0.9, 45, 45, 20), 0)
  })

  it("replaces only some of the tasks that have ended where chance may use up the room", () => {
    const strayed = modelOf({ present: 38, variance: 0.01 ** 2 })
    const [none, some, more] = [0, 10, 20].map((ended) => starts(0.9, 38, 45, ended, strayed))
    assert.strictEqual(none, 0)
    assert.isTrue(some > 0 && some < 5, String(some))
    assert.approximately(more, 2 * some, 1)
  })

  it("leaves room for what young tasks still owe", () => {
    assert.strictEqual(starts(0.5, 20, 45, 0, modelOf({ present: 20 })), 6)
    assert.strictEqual(starts(0.5, 20, 45, 0, modelOf({ present: 10 })), 1)
    // Half grown is what tasks are on average: these owe nothing.
    assert.strictEqual(starts(0.5, 20, 45, 0, modelOf({ present: 10, usual: 0.5 })), 6)
  })

  it("counts what the tasks owe that were measured, and not what those do that started since", () => {
    // Nine tasks were grown when use was 0.28; now it is of 20, which is no more for each.
    const passed = { ...modelOf({ present: 9 }), own: 0.28 }
    assert.strictEqual(memoryBound({ ...limits, model: passed, signal: signal(0.5) }, 20, 45, 0), 6)
  })

  it("follows a rise of use, as far as dear tasks could lead it", () => {
    const strayed = (current: number, rise: number) => modelOf({ present: current, variance: 0.01 ** 2 }, rise)
    assert.strictEqual(starts(0.5, 20, 45, 0, strayed(20, 0)), 6)
    assert.strictEqual(starts(0.5, 20, 45, 0, strayed(20, 0.000145)), 4)
    assert.strictEqual(starts(0.5, 20, 45, 0, strayed(20, -0.01)), 6)
    assert.strictEqual(starts(0.18, 4, 45, 0, strayed(4, 0.01)), 6)
  })

  it("starts nothing where tasks in flight alone lead too high, however low the load is", () => {
    const bound = (peak: number, model: memory.MemoryModel) =>
      memoryBound({ ...limits, model, signal: signal(0.15), peak, highest: 0.94 }, 2, 20, 5)
    for (const model of [{ ...modelOf({ present: 2 }), own: 0.15 }, memory.initial]) {
      assert.strictEqual(bound(0.94, model), Infinity)
      assert.strictEqual(bound(0.9401, model), 0)
    }
  })

  it("leaves more room below the limit, whatever comes, where more of the target is to stay free", () => {
    const { highest, most } = loadsOf(0.8, 0.25)
    assert.approximately(most, 0.752, 1e-9)
    assert.approximately(highest, 0.832, 1e-9)
    assert.approximately(loadsOf(0.8, 0).most, 0.876, 1e-9)
    assert.deepStrictEqual(loadsOf(1.1, 0), { aim: 1.1, most: 1.1, highest: 1.1 })
    // So does what a decision lets start.
    const now = observation({ current: 20, desired: 45, signals: { memory: signal(0.8) } })
    const allowed = (memoryHeadroom: number) =>
      allowance({ every: 250, memoryHeadroom }, { memory: modelOf(), tasks: known(500) }, now)
    assert.isAbove(allowed(0.05) ?? 0, 0)
    assert.strictEqual(allowed(0.3), 0)
  })

  it("lets tasks in flight lead 0.58 of the way from the aim to the limit", () => {
    // They have begun just now: of 0.82 that they will use, a fifth shows.
    const allowed = (others: number) => {
      const candidate = { ...seen, present: 8.2, usual: 0.2, perTask: 0.004 }
      const memory = { ...modelOf(), own: 0.264, candidates: [candidate], seen: candidate }
      const now = observation({
        current: 41,
        desired: 45,
        inFlightAges: ages(41, () => 0),
        signals: { memory: signal(0.264 + others, { own: 0.264 }) }
      })
      return allowance({ every: 250, memoryHeadroom: 0 }, { memory, tasks: known(100_000) }, now)
    }
    assert.strictEqual(allowed(0.037), Infinity)
    assert.strictEqual(allowed(0.039), 0)
  })

  it("counts the tasks that are expected to end", () => {
    const now = observation({ current: 20, desired: 45, signals: { memory: signal(0.5) } })
    const allowed = (duration: number) =>
      allowance({ every: 250, memoryHeadroom: 0 }, { memory: modelOf(), tasks: known(duration) }, now)
    assert.strictEqual(allowed(100_000), 6)
    assert.strictEqual(allowed(500), Math.floor(6.75 + 22.5))
    assert.strictEqual(allowed(250), Math.floor(6.75 + 45))
  })

  it.prop(
    "is a whole number of starts or no bound",
    [between(0, 100), between(0, 200), between(1, 200), between(0, 50), between(0, 20)],
    ([percent, current, desired, ended, deviation]) => {
      const model = modelOf({ present: Math.max(0.2, current / 2), variance: (deviation / 1000) ** 2 }, 0.0001)
      const bound = starts(percent / 100, current, desired, ended, model)
      assert.isTrue(bound === Infinity || (Number.isInteger(bound) && bound >= 0))
    }
  )
})
