/**
 * What the tasks in flight will come to use of memory.
 */
import { assert, describe, it } from "@effect/vitest"
import { foresee, peak } from "../../../../packages/core/src/internal/adaptive/admission/foresight.ts"
import * as memory from "../../../../packages/core/src/internal/adaptive/model/memory.ts"
import { between, known, observation, signal } from "../support.ts"

const ages = (count: number, age: number): ReadonlyArray<number> => Array.from({ length: count }, () => age)

/** Tasks that use a hundredth once they have grown. */
const hundredths = (options: Partial<memory.Seen> = {}): memory.Seen => ({
  used: 0.4,
  grown: 40,
  strayed: 0,
  known: 60_000,
  growth: 1000,
  lag: 0,
  present: 40,
  usual: 1,
  perTask: 0.01,
  variance: 0.005 ** 2,
  ...options
})

const modelOf = (own: number, ...candidates: ReadonlyArray<memory.Seen>): memory.MemoryModel => ({
  ...memory.initial,
  at: 0,
  base: 0.1,
  own,
  candidates,
  seen: candidates[candidates.length - 1]
})

describe("foresee", () => {
  const after = (
    own: number,
    current: number,
    { rise = 0, load = own, ...options }: Partial<memory.Seen> & { readonly rise?: number; readonly load?: number } = {}
  ) => {
    const seen = hundredths(options)
    return foresee({ ...modelOf(own, seen), rise }, seen, signal(load), current)
  }

  it("counts what tasks use now", () => {
    assert.approximately(after(0.7, 20, { present: 20 }), 0.7, 1e-9)
    // And what they have come to use since the measurement that counted last, or had come to use at it.
    assert.approximately(after(0.3, 20, { present: 20, load: 0.7 }), 0.7, 1e-9)
    assert.approximately(after(0.7, 20, { present: 40, load: 0.5 }), 0.7, 1e-9)
  })

  it("counts what as many use on average", () => {
    assert.approximately(after(0.3, 30, { present: 30 }), 0.1 + 30 * 0.01, 1e-9)
  })

  it("counts what they will use once they are as far grown as tasks usually are", () => {
    assert.approximately(after(0.6, 20, { present: 10, usual: 0.8 }), 0.1 + 0.5 * 20 * 0.8 / 10, 1e-9)
  })

  it("counts what a rise leads to within two seconds, up to what tasks could use if all were dear", () => {
    const rising = (rise: number) => after(0.35, 20, { present: 20, rise })
    assert.approximately(rising(0.00004), 0.35 + 2000 * 0.00004, 1e-9)
    assert.approximately(rising(1), 0.1 + 20 * (0.01 + 2 * 0.005), 1e-9)
    assert.approximately(rising(-0.00004), 0.35, 1e-9)
  })

  it("adds what others use", () => {
    const seen = hundredths()
    const beside = (current: number, options: Partial<memory.Seen> = {}, rise = 0) =>
      foresee(
        { ...modelOf(0.3, { ...seen, ...options }), rise },
        { ...seen, ...options },
        signal(0.5, { own: 0.3 }),
        current
      )
    assert.approximately(beside(40), 0.2 + 0.1 + 40 * 0.01, 1e-9)
    assert.approximately(beside(10, { present: 4 }), 0.2 + 0.1 + 0.2 * 10 / 4, 1e-9)
    assert.approximately(beside(20, { present: 20 }, 1), 0.2 + 0.3 + 2 * 0.005 * 20, 1e-9)
  })
})

describe("peak", () => {
  /** Tasks that last so long that none ends meanwhile. */
  const lasting = known(1e9)

  const after = (own: number, ages: ReadonlyArray<number>, options: Partial<memory.Seen> = {}, known = lasting) =>
    peak(modelOf(own, hundredths(options)), signal(own), ages, known)

  it("is the base as long as no task has run, and nothing while fewer than five have finished", () => {
    assert.strictEqual(peak({ ...modelOf(0.5), candidates: [] }, signal(0.5), [], lasting), 0.1)
    assert.strictEqual(after(0.5, ages(40, 4000), {}, known(1e9, 4)), 0)
    assert.approximately(after(0.5, ages(40, 4000), {}, known(1e9, 5)), 0.5, 1e-9)
  })

  it("is what others use, and what tasks have left behind, where nothing is in flight", () => {
    assert.approximately(after(0.3, [], { present: 0 }), 0.1, 1e-9)
    // Half of the time in which tasks grow and use comes after them is as long as the time constant of that.
    assert.approximately(after(0.3, [], { present: 20, lag: 1000 }), 0.1 + 20 * 0.01 / Math.E, 1e-9)
  })

  it("counts what young tasks still owe", () => {
    assert.approximately(after(0.5, ages(40, 1000), { present: 40 }), 0.5, 1e-9)
    assert.approximately(after(0.18, ages(40, 100), { present: 8 }), 0.5, 1e-9)
    assert.approximately(after(0.3, ages(40, 500), { present: 20 }), 0.5, 1e-9)
  })

  it("counts on the end of as many as surely end, which is none where tasks are few", () => {
    // Half the time in which tasks grow is an eighth of the time that they last.
    const running = (tasks: number) => after(0.1 + 0.01 * tasks, ages(tasks, 4000), { present: tasks }, known(4000))
    assert.approximately(running(8), 0.1 + 0.08, 1e-9)
    assert.approximately(running(32), 0.1 + 0.32, 1e-9)
    assert.approximately(running(72), 0.1 + 0.01 * (72 - (9 - 2 * 3)), 1e-9)
  })

  it("counts the less on the end of a task the longer it has run beyond the usual", () => {
    // By half the time in which tasks grow, sixteen of those of the usual age end, and four of the others: ten surely.
    const both = [...ages(128, 4000), ...ages(128, 16_000)]
    const running = after(0.1 + 0.01 * 256, both, { present: 256 }, known(4000))
    assert.approximately(running, 0.1 + 0.01 * (256 - (20 - 2 * Math.sqrt(20))), 1e-9)
  })

  it("counts on the end of no more than there are", () => {
    assert.approximately(after(0.5, ages(40, 1), { growth: 10, present: 40 }, known(1)), 0.1, 1e-9)
  })

  it("takes tasks to last a millisecond at least", () => {
    for (const duration of [0, 0.5, 1]) {
      // A quarter of a millisecond later sixteen end, and eight surely.
      const running = after(0.1 + 0.64, ages(64, 1), { growth: 0.5, present: 64 }, known(duration))
      assert.approximately(running, 0.1 + 0.01 * (64 - (16 - 2 * 4)), 1e-9)
      assert.approximately(after(0.5, ages(40, 1), {}, known(duration)), 0.1, 1e-9)
    }
  })

  it("is the higher of what tasks come to while they grow, and once they have grown and more have ended", () => {
    const grown = after(0.1 + 0.01 * 28.8, ages(144, 100), { present: 28.8 }, known(4000))
    assert.approximately(grown, 0.1 + 0.01 * (144 - (36 - 2 * 6)), 1e-9)
    const growing = after(0.1 + 0.01 * 40, ages(200, 100), { present: 40 }, known(1000))
    assert.approximately(growing, 0.1 + 0.01 * 0.6 * (200 - (100 - 2 * 10)), 1e-9)
  })

  it("follows tasks as slowly as use does, both ways", () => {
    const following = (present: number, own: number, options: Partial<memory.Seen> = {}) =>
      after(own, ages(20, 4000), { present, lag: 1000, ...options }) - 0.1
    const [half, whole] = [Math.exp(-1), Math.exp(-2)]
    assert.approximately(following(30, 0.4), half * 0.3 + (1 - half) * 0.2, 1e-9)
    assert.approximately(following(10, 0.2), whole * 0.1 + (1 - whole) * 0.2, 1e-9)
    // Dear tasks leave dear garbage.
    assert.approximately(following(20, 0.5), 0.4, 1e-9)
    // What is not in use before the tasks have ended is nothing to wait for.
    const short = after(0.3, ages(40, 40), { growth: 40, present: 20, lag: 1000 }, known(160))
    assert.approximately(short, 0.1 + 0.2 * Math.exp(-0.52), 1e-9)
  })

  it("expects dear tasks to go on growing, by how far each has grown", () => {
    assert.approximately(after(0.1 + 2 * 0.1, ages(20, 500), { present: 10 }), 0.1 + 2 * 0.2, 1e-9)
    // Half the excess of 0.1 may be young tasks' and grow fivefold, but the more grown ones have more of it.
    const mixed = after(0.1 + 0.12 + 0.1, [...ages(10, 4000), ...ages(10, 0)], { present: 12 })
    assert.approximately(mixed, 0.1 + 0.2 + 0.1 * (10 + 10 * 0.2) / (10 + 10 * 0.2 ** 2), 1e-9)
    // They end as others do.
    const ending = after(0.1 + 2 * 0.72, ages(72, 4000), { present: 72 }, known(4000))
    assert.approximately(ending, 0.1 + 2 * 0.01 * (72 - (9 - 2 * 3)), 1e-9)
  })

  it("does not count on tasks that use less than is usual to go on so", () => {
    assert.approximately(after(0.15, ages(20, 500), { present: 10 }), 0.1 + 0.2, 1e-9)
  })

  it("is the worst by all that explains use about equally well, and by nothing else", () => {
    const likely = hundredths({ variance: 0.4 * 0.01 ** 2 })
    const dear = (variance: number) => hundredths({ used: 0.8, perTask: 0.02, variance: variance * 0.02 ** 2 })
    const after = (...candidates: ReadonlyArray<memory.Seen>) =>
      peak(modelOf(0.5, ...candidates), signal(0.5), ages(40, 4000), lasting)
    assert.approximately(after(likely), 0.1 + 0.4, 1e-9)
    assert.approximately(after(likely, dear(0.59)), 0.1 + 0.8, 1e-9)
    assert.approximately(after(dear(0.59), likely), 0.1 + 0.8, 1e-9)
    assert.approximately(after(likely, dear(0.61)), 0.1 + 0.4, 1e-9)
  })

  it("is not below everything where use without end is reported, so that nothing explains it", () => {
    const endless = hundredths({ used: Infinity, perTask: Infinity, variance: Infinity })
    assert.deepStrictEqual(memory.plausible([endless, hundredths()]), [endless, hundredths()])
    for (const load of [0.5, Infinity]) {
      const reported = signal(load, { own: Infinity })
      const now = observation({ inFlightAges: ages(20, 100), now: 250 })
      const model = memory.observe({ ...memory.initial, base: 0.1 }, reported, now, 0, known(2000))
      assert.notStrictEqual(peak(model, reported, ages(20, 100), known(2000)), -Infinity)
    }
  })

  it("adds what others use, and the base where it is known", () => {
    const beside = (own: number, base: number | null) =>
      peak({ ...modelOf(own, hundredths()), base }, signal(0.8, { own }), ages(40, 4000), lasting)
    assert.approximately(beside(0.4, 0.1), 0.4 + 0.1 + 0.4, 1e-9)
    assert.approximately(beside(0.6, null), 0.2 + 0.6, 1e-9)
  })

  it.prop(
    "is a number, no less than what others use, and falls neither with one more young task nor with more use",
    [between(0, 300), between(1, 5000), between(1, 200), between(0, 1), between(0, 100), between(0, 200)],
    ([count, duration, growthPercent, seconds, othersPercent, usePercent]) => {
      const lag = 1000 * seconds
      const growth = duration * growthPercent / 100
      const running = Array.from({ length: count }, (_, i) => duration * (1 - (i + 0.5) / count))
      const present = memory.grownTasks(running, growth)
      const after = (tasks: ReadonlyArray<number>, use: number) => {
        const own = 0.1 + 0.001 * present * use
        const model = modelOf(own, hundredths({ used: 0.04, growth, lag, present }))
        return peak(model, signal(own + othersPercent / 100, { own }), tasks, known(duration))
      }
      const [fewer, more] = [running, [...running, 0]].map((tasks) => after(tasks, usePercent / 100))
      assert.isTrue(Number.isFinite(fewer))
      assert.isAtLeast(fewer, othersPercent / 100 + 0.1 - 1e-9)
      assert.isAtLeast(after(running, usePercent / 100 + 0.1), fewer - 1e-9)
      // With dear tasks it may, or where use comes late: of more tasks, more surely end.
      if (usePercent <= 100 && lag === 0) assert.isAtLeast(more, fewer - 1e-9)
    }
  )
})
