/**
 * What a task costs in memory once it has grown.
 */
import type { LoadSignal } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import * as memoryLimit from "../../../../packages/core/src/internal/adaptive/limits/memory.ts"
import * as memory from "../../../../packages/core/src/internal/adaptive/model/memory.ts"
import * as times from "../../../../packages/core/src/internal/adaptive/model/tasks.ts"
import { known, observation, signal, stats } from "../support.ts"

const observe = (
  model: memory.MemoryModel,
  reported: LoadSignal.SignalInfo,
  inFlightAges: ReadonlyArray<number>,
  now: number,
  late: number,
  known: times.Tasks,
  ended = 0
) => memory.observe(model, reported, observation({ inFlightAges, now, completions: stats(ended) }), late, known)

const ages = (count: number, age: (i: number) => number) => Array.from({ length: count }, (_, i) => age(i))

/** As many as start end: ages are spread evenly. */
const steady = (count: number, duration: number) => ages(count, (i) => duration * (1 - (i + 0.5) / count))

/** The next measurement, a quarter of a second after the one before. */
const next = (
  model: memory.MemoryModel,
  load: number,
  tasks: ReadonlyArray<number>,
  known: times.Tasks
): memory.MemoryModel => observe(model, signal(load), tasks, (model.at ?? 0) + 250, 0, known)

const watch = (
  seconds: number,
  load: number,
  tasks: ReadonlyArray<number>,
  duration: number,
  from = memory.initial
): memory.MemoryModel => {
  let model = from
  for (let i = 0; i < 4 * seconds; i++) model = next(model, load, tasks, known(duration))
  return model
}

const idle = watch(1, 0.1, [], 1000)

const perTask = ({ seen }: memory.MemoryModel) => seen?.perTask ?? NaN

/**
 * Tasks of two seconds that use a hundredth once they have grown, from a fifth of it, for so long; what has been learned
 * of them, and what is after another quarter of a second, at whose beginning so many have started.
 */
const growing = (growth: number) => {
  const usedBy = (ages: ReadonlyArray<number>) =>
    ages.reduce((sum, age) => sum + 0.01 * Math.max(0.2, Math.min(1, age / growth)), 0)
  let running: ReadonlyArray<number> = []
  const proceed = (model: memory.MemoryModel, started: number) => {
    running = [...running.map((age) => age + 250).filter((age) => age < 2000), ...ages(started, () => 245)]
    return next(model, 0.1 + usedBy(running), running, known(2000))
  }
  let model = idle
  for (let i = 0; i < 400; i++) model = proceed(model, i % 8 === 0 ? 10 : 0)
  return { model, proceed, meanUse: usedBy(steady(200, 2000)) / 200 }
}

/** Use that strays by more than a third whatever runs, for longer than what came first is remembered. */
const straying = () => {
  let model = idle
  for (let i = 0; i < 1600; i++) model = next(model, i % 8 < 4 ? 0.35 : 0.65, steady(20, 2000), known(2000))
  return model
}

describe("memory", () => {
  it("knows the process without tasks, and takes a few young ones for none", () => {
    assert.strictEqual(idle.base, 0.1)
    assert.strictEqual(watch(1, 0.1, [10, 5], 1000).base, 0.1)
    // Many at first sight: the base is unknown, and tasks look as dear as they may be.
    assert.strictEqual(watch(1, 0.6, steady(50, 1000), 1000).base, 0)
    // The base is never more than what is used.
    assert.strictEqual(watch(1, 0.05, [10], 1000, idle).base, 0.05)
    assert.strictEqual(watch(1, 0.15, [10], 1000, idle).base, 0.1)
    assert.strictEqual(watch(1, 0.15, [], 1000, idle).base, 0.15)
  })

  it("learns what a task uses, and how many fit", () => {
    const { model } = growing(0)
    assert.approximately(perTask(model), 0.01, 0.0002)
    const fits = memoryLimit.limitOf(model, signal(0.2), 0.9, 10) ?? 0
    assert.approximately(fits, 80, 2)
  })

  it("learns how long tasks grow, from not at all to longer than they last, and what they use meanwhile", () => {
    for (const [growth, candidate] of [[0, 0], [40, 0], [500, 1], [1500, 2], [4000, 3]]) {
      const { meanUse, model: { candidates, seen } } = growing(growth)
      assert.strictEqual(candidates.findIndex((one) => one === seen), candidate, `grown after ${growth} ms`)
      assert.approximately(seen?.perTask ?? NaN, meanUse, 0.1 * meanUse)
    }
  })

  it("relies on the last of what explains use about equally well", () => {
    const { candidates, seen } = next(idle, 0.5, steady(20, 2000), known(2000))
    assert.strictEqual(candidates.findIndex((one) => one === seen), 4)
  })

  it("relies on something even where use without end is reported", () => {
    for (const load of [0.5, Infinity]) {
      const endless = observe(idle, signal(load, { own: Infinity }), steady(20, 2000), 1250, 0, known(2000))
      for (const model of [endless, next(endless, 0.5, steady(20, 2000), known(2000))]) {
        assert.strictEqual(model.candidates.findIndex((one) => one === model.seen), 4)
      }
    }
  })

  it("takes tasks to grow for a share of what they last, within bounds, and for long as long as that is unknown", () => {
    const growths = (pace: times.Tasks) =>
      next(idle, 0.5, steady(20, 2000), pace).candidates.map(({ growth }) => growth)
    assert.deepStrictEqual(growths(known(2000)), [40, 500, 1500, 4000, 500])
    assert.deepStrictEqual(growths(known(100)), [10, 25, 75, 200, 25])
    assert.deepStrictEqual(growths(known(30_000)), [600, 7500, 15_000, 15_000, 7500])
    assert.deepStrictEqual(growths(known(2000, 4)), [5000, 5000, 5000, 5000, 5000])
  })

  it("subtracts what others use", () => {
    const model = watch(60, 0.5, steady(20, 2000), 2000, idle)
    const alone = memoryLimit.limitOf(model, signal(0.5), 0.9, 20) ?? 0
    const beside = memoryLimit.limitOf(model, signal(0.8, { own: 0.5 }), 0.9, 20) ?? 0
    assert.approximately(alone - beside, 0.3 / 0.02, 1.5)
  })

  it("sees what young tasks still owe", () => {
    const young = ages(20, () => 100)
    const old = ages(20, () => 4000)
    const after = (tasks: ReadonlyArray<number>) => perTask(next(idle, 0.2, tasks, times.initial))
    assert.isAbove(after(young), 3 * after(old))
  })

  it("does not take the first tasks, which show no use yet, for an example of the many that follow", () => {
    for (const first of [[5], [5, 10]]) {
      const early = next(idle, 0.1, first, known(2000))
      assert.approximately(perTask(watch(5, 0.5, steady(20, 2000), 2000, early)), 0.02, 0.05 * 0.02)
    }
  })

  it("begins anew once enough tasks have finished to tell how long they take, and only then", () => {
    const after = (from: memory.MemoryModel, load: number, finished: number) =>
      next(from, load, steady(20, 2000), known(2000, finished))
    let unpaced = idle
    for (let i = 0; i < 100; i++) unpaced = after(unpaced, 0.5, 4)
    const paced = after(unpaced, 0.3, 5)
    assert.deepStrictEqual(paced.candidates, after(idle, 0.3, 5).candidates)
    assert.notDeepEqual(after(unpaced, 0.3, 4).candidates, after(idle, 0.3, 4).candidates)
    // The second measurement counts for half, and the mean goes on.
    assert.approximately(perTask(after(paced, 0.5, 6)), 1.5 * perTask(paced), 0.05 * perTask(paced))
  })

  it("is soon sure of what short tasks use, for many of them have been seen", () => {
    const doubtAfter = (seconds: number, duration: number) =>
      watch(seconds, 0.5, steady(20, duration), duration, idle).seen?.variance ?? NaN
    // What is taken for granted counts for four measurements and is the first one besides; fifteen follow.
    assert.approximately(doubtAfter(4, 250) / doubtAfter(0.25, 250), 5 / 20, 1e-6)
    assert.isAbove(doubtAfter(4, 10_000) / doubtAfter(0.25, 10_000), 0.65)
  })

  describe("counts a measurement", () => {
    const model = watch(20, 0.5, steady(20, 2000), 2000, idle)
    const at = model.at ?? NaN
    const measured = (measuredAt: number, now: number, duration = 2000, from = model, late = 0) =>
      observe(from, signal(0.6, { at: measuredAt }), steady(20, 2000), now, late, known(duration))

    const passedOver = { ...model, passed: 1 }

    it("once", () => {
      assert.deepStrictEqual(measured(at, at + 40), model)
      const later = measured(at + 250, at + 255)
      assert.notStrictEqual(later, model)
      assert.deepStrictEqual(measured(at + 250, at + 290, 2000, later), later)
    })

    it("for when it was taken, not for when it is heard of", () => {
      const { own, rise } = measured(at + 250, at + 280)
      assert.strictEqual(own, 0.6)
      // Use has risen without explanation but once in eighty measurements: by 0.4, with the first tasks. Beside them stands
      // the time of four tasks, which is that of 32 measurements.
      assert.approximately(250 * rise, 0.1 - 0.4 / Math.sqrt(80 + 32), 1e-9)
      assert.strictEqual(measured(at + 250, at + 280).at, at + 250)
    })

    it("no more where it lags behind by more than 10 ms and by more than a fiftieth of a task's time", () => {
      for (const [duration, lag] of [[100, 10], [500, 10], [2000, 40]]) {
        assert.strictEqual(measured(at + 250, at + 250 + lag, duration).at, at + 250)
        assert.deepStrictEqual(measured(at + 250, at + 251 + lag, duration), passedOver)
      }
    })

    it("no more where the event loop was blocked, so that many tasks end at once", () => {
      for (const [duration, late] of [[100, 10], [2000, 40]]) {
        assert.strictEqual(measured(at + 250, at + 250, duration, model, late).at, at + 250)
        assert.deepStrictEqual(measured(at + 250, at + 250, duration, model, late + 1), passedOver)
      }
    })

    it("even so if it is the third that would not count, or nothing is known yet of what tasks use", () => {
      const blocked = (from: memory.MemoryModel) =>
        measured((from.at ?? 0) + 250, (from.at ?? 0) + 250, 2000, from, 900)
      const twice = blocked(blocked(model))
      assert.deepStrictEqual(twice, { ...model, passed: 2 })
      const thrice = blocked(twice)
      assert.deepInclude(thrice, { at: at + 250, passed: 0 })
      assert.deepInclude(blocked(thrice), { at: at + 250, passed: 1 })
      assert.isNotNull(blocked(idle).seen)
    })

    it("for little of what a task uses where it is unclear, and not for how far that strays", () => {
      const off = (late: number) =>
        observe(
          { ...model, passed: 2 },
          signal(0.9, { at: at + 250 }),
          steady(20, 2000),
          at + 250,
          late,
          known(2000)
        )
      const [clear, unclear] = [off(0), off(900)].map(({ seen }) => seen ?? assert.fail("nothing is known"))
      assert.isAbove(clear.variance, 2 * (model.seen?.variance ?? NaN))
      assert.strictEqual(unclear.variance, model.seen?.variance)
      const before = model.seen?.perTask ?? NaN
      assert.closeTo((unclear.perTask - before) / (clear.perTask - before), 0.2, 0.02)
      assert.closeTo(unclear.known - (model.seen?.known ?? NaN), 50, 1e-9)
    })

    it("in any case if it is the first", () => {
      const first = observe(memory.initial, signal(0.1, { at: 1000 }), [], 9000, 700, known(100))
      assert.deepInclude(first, { at: 1000, base: 0.1, own: 0.1 })
    })

    it("for the tasks that ran then, as old as they were", () => {
      const seen = (tasks: ReadonlyArray<number>, lag: number) =>
        observe(idle, signal(0.3, { at: 2000 }), tasks, 2000 + lag, 0, known(2000))
      const old = ages(10, () => 1000)
      assert.deepStrictEqual(seen([...old, ...ages(30, () => 20)], 40), seen(ages(10, () => 960), 0))
      assert.isNull(seen(ages(30, () => 20), 40).seen)
    })
  })

  describe("tells a rise of use", () => {
    it("that tasks which started account for from one that foretells more", () => {
      for (const growth of [0, 500]) {
        const { model, proceed } = growing(growth)
        const before = proceed(model, 1)
        const after = proceed(before, 30)
        assert.isAbove(after.own - before.own, 0.14)
        assert.approximately(250 * after.rise, 0, 0.005)
        assert.isBelow(after.unrest, before.unrest)
      }
    })

    it("that tasks which started account for by any shape, though what those that ended had is given back late", () => {
      const running = (beat: number) => [
        ...steady(40, 1500),
        ...(beat % 8 < 6 ? ages(10, () => 245 + 250 * (beat % 8)) : [])
      ]
      const used = (beat: number) => 0.1 + 0.01 * Math.max(running(beat).length, running(beat - 1).length)
      const proceed = (model: memory.MemoryModel, beat: number) => next(model, used(beat), running(beat), known(1500))
      let model = idle
      for (let beat = 8; beat < 400; beat++) model = proceed(model, beat)
      assert.strictEqual(model.seen?.lag, 1000)
      assert.approximately(proceed(model, 400).own - model.own, 0.1, 1e-9)
      assert.approximately(proceed(model, 400).rise, 0, 1e-6)
    })

    it("whatever has started where tasks differ so much that it may be the first sign of dearer ones", () => {
      const model = straying()
      const after = next(model, 0.9, [...steady(20, 2000), ...ages(10, () => 245)], known(2000))
      assert.approximately(after.rise, (0.9 - model.own) / 250 - Math.sqrt(model.unrest), 1e-9)
      // By 0.3 in every fourth measurement.
      assert.approximately(250 * Math.sqrt(model.unrest), 0.15, 0.001)
    })

    it("that comes time and again from a larger one, and counts what that one has beyond it", () => {
      let model = idle
      // For so long that the calm which was imagined at first is forgotten.
      for (let i = 0; i < 6000; i++) model = next(model, i % 2 === 0 ? 0.4 : 0.1, steady(20, 2000), known(2000))
      for (const [load, rise] of [[0.2, 0], [0.4, 0], [0.5, 0.1]]) {
        assert.approximately(250 * next(model, load, steady(20, 2000), known(2000)).rise, rise, 1e-9)
      }
    })

    it("by what came in the last minutes: at first all counts alike, then less the longer ago it was", () => {
      const after = (seconds: number) => 250 * Math.sqrt(watch(seconds, 0.5, steady(20, 2000), 2000, idle).unrest)
      // Eight seconds are imagined.
      assert.approximately(after(52), 0.4 / Math.sqrt(240), 1e-9)
      assert.approximately(after(112), 0.4 / Math.sqrt(240) * Math.exp(-0.5), 1e-9)
    })

    it("from what it does time and again even at the very start, for four calm measurements are imagined", () => {
      const rising = (times: number, pace: times.Tasks) => {
        let model = idle
        for (let i = 1; i <= times; i++) model = next(model, 0.1 + 0.05 * i, steady(20, 2000), pace)
        return model
      }
      for (const times of [1, 2, 3, 4]) {
        const unrest = (pace: times.Tasks) => (250 / 0.05) ** 2 * rising(times, pace).unrest
        // Measurements of the same tasks are one.
        assert.approximately(unrest(known(2000)), times / (times + 4 * 8), 1e-9)
        assert.approximately(unrest(known(100)), times / (times + 4), 1e-9)
        assert.approximately(unrest(known(2000, 4)), 1 - Math.exp(-times / 240), 1e-9)
        const { rise } = rising(times, known(2000))
        assert.approximately(250 * rise, 0.05 * (1 - Math.sqrt((times - 1) / (times - 1 + 4 * 8))), 1e-9)
      }
    })

    it("at once, and forgets it only by and by where some end that had grown", () => {
      let model = watch(20, 0.5, steady(20, 2000), 2000, idle)
      const abated = Math.exp(-250 / 700)
      // Beyond what use does time and again: it has risen by 0.4 with the first tasks, then by 0.1, and fallen by 0.1.
      const first = 0.1 - Math.sqrt(0.4 ** 2 / (80 + 32))
      const last = 0.1 - Math.sqrt((0.4 ** 2 + 2 * 0.1 ** 2) / (83 + 32))
      for (const [load, rise] of [[0.6, first], [0.6, first * abated], [0.5, first * abated ** 2], [0.6, last]]) {
        model = next(model, load, steady(20, 2000), known(2000))
        assert.approximately(250 * model.rise, rise, 1e-9)
      }
    })
  })

  it("tells use that comes after the tasks, because what they leave behind is collected later", () => {
    let model = idle
    let used = 0.2
    for (let i = 0; i < 400; i++) {
      const running = i % 8 < 4 ? 10 : 30
      used += (1 - Math.exp(-0.25)) * (0.01 * running - used)
      model = next(model, 0.1 + used, ages(running, () => 150), known(250))
    }
    const { candidates, seen } = model
    assert.strictEqual(candidates.findIndex((one) => one === seen), 4)
    assert.approximately(seen?.perTask ?? NaN, 0.01, 0.002)
    assert.isBelow(seen?.variance ?? NaN, 0.2 * (candidates[1].variance ?? NaN))
  })

  it("leaves more free the more use has strayed", () => {
    const calm = watch(100, 0.5, steady(20, 2000), 2000, idle)
    const fits = (model: memory.MemoryModel) => memoryLimit.limitOf(model, signal(0.5), 0.9, 20) ?? 0
    assert.isBelow(fits(straying()), 0.9 * fits(calm))
  })

  it("fits as many as use what is aimed at, but leaves three standard deviations free below the limit", () => {
    const { seen } = watch(20, 0.5, steady(25, 2000), 2000, idle)
    const model = { ...idle, seen: seen && { ...seen, perTask: 0.02, usual: 0.5, variance: 0.01 ** 2 } }
    assert.approximately(memoryLimit.limitOf(model, signal(0.5), 0.6, 25) ?? 0, (0.6 - 0.1) / 0.02, 1e-9)
    assert.approximately(memoryLimit.limitOf(model, signal(0.5), 0.9, 25) ?? 0, (1 - 3 * 0.05 - 0.1) / 0.02, 1e-9)
  })

  describe("may not have seen yet what the latest tasks use", () => {
    const tasks = steady(10, 1000)
    const unseenFor = (seconds: number) => watch(seconds, 0.1035, tasks, 1000, idle)
    const showing = (from: memory.MemoryModel) => next(from, 0.16, tasks, known(1000))

    it("where the first ones showed late, as long as it has not watched their use for 10 seconds", () => {
      const late = unseenFor(1.25)
      assert.deepInclude(late, { unseen: 1250 })
      assert.strictEqual(memory.hiddenFor(late), 0)
      assert.strictEqual(memory.hiddenFor(showing(late)), 2000)
      assert.strictEqual(memory.hiddenFor(watch(8.5, 0.16, tasks, 1000, late)), 2000)
      assert.strictEqual(memory.hiddenFor(watch(8.75, 0.16, tasks, 1000, late)), 0)
    })

    it("unless the first ones showed within a second", () => {
      assert.strictEqual(memory.hiddenFor(showing(idle)), 0)
      assert.strictEqual(memory.hiddenFor(showing(unseenFor(1))), 0)
    })
  })

  it("knows no ceiling where tasks cost nothing, or none has run", () => {
    assert.isUndefined(memoryLimit.limitOf(memory.initial, signal(0.1), 0.9, 0))
    assert.isUndefined(memoryLimit.limitOf(watch(5, 0.1, steady(20, 1000), 1000, idle), signal(0.1), 0.9, 20))
  })

  it("learns nothing from a signal that has stopped, nor from a pool without tasks", () => {
    const model = watch(20, 0.5, steady(20, 2000), 2000, idle)
    const now = (model.at ?? 0) + 250
    assert.strictEqual(observe(model, signal(0.9, { isStale: true }), [100], now, 0, known(2000)), model)
    const { used, grown, perTask, variance } = model.seen ?? assert.fail("nothing was learned")
    const empty = watch(20, 0.1, [], 2000, model)
    assert.deepInclude(empty.seen, { used, grown, perTask, variance })
    assert.strictEqual(empty.unrest, model.unrest)
  })

  describe("in a heap that is collected now and then", () => {
    /** After a decision by which so many of twenty tasks have ended. */
    const decided = (
      model: memory.MemoryModel,
      load: number,
      count: number,
      ended: number,
      reclaimedAt: number | undefined
    ) => {
      const now = (model.at ?? 0) + 250
      return observe(
        model,
        signal(load, { at: now, reclaimedAt }),
        ages(count, () => 1000),
        now,
        0,
        known(2000),
        ended
      )
    }

    /** Twenty tasks that use 0.03 each, and nothing that has ended since the last collection. */
    const full = (reclaimedAt: number | undefined = 0) => {
      let model = idle
      for (let i = 0; i < 400; i++) model = decided(model, 0.7, 20, 0, reclaimedAt)
      return model
    }

    const without = (model: memory.MemoryModel, load: number, count: number) =>
      memory.withoutGarbage(model, signal(load), ages(count, () => 1000)).load

    it("what tasks that have ended have left is no use, for all that nothing was collected since", () => {
      let model = full()
      assert.approximately(without(model, 0.7, 20), 0.7, 1e-9)
      for (let i = 0; i < 3; i++) model = decided(model, 0.7, 16 - 4 * i, 4, 0)
      assert.approximately(without(model, 0.7, 8), 0.34, 0.03)
      assert.isAtMost(model.rise, 1e-6)
    })

    it("after a collection all that it has left counts, though tasks have ended since it was measured", () => {
      const model = decided(decided(full(), 0.7, 8, 12, 0), 0.7, 8, 0, 1000)
      assert.strictEqual(without(model, 0.7, 8), 0.7)
    })

    it("no more is taken for garbage than those had that were in flight at the collection", () => {
      let model = full()
      for (let i = 0; i < 40; i++) model = decided(model, 0.95, 1, 20, 0)
      assert.isAtLeast(without(model, 0.95, 1), 0.95 - 20 * 0.033)
    })

    it("where nothing is said of collections, all counts", () => {
      const model = decided({ ...full(undefined) }, 0.7, 8, 12, undefined)
      assert.strictEqual(without(model, 0.7, 8), 0.7)
    })
  })
})
