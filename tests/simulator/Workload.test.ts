import { GeneratedWorkloads, ReferenceWorkloads, Workload } from "@autoscaled-pool/simulator"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SeededRandom } from "../../packages/simulator/src/internal/random.ts"

const task = () => ({ stages: [Workload.wait(100)] })

describe("Workload", () => {
  describe("make", () => {
    it("fills in what is left out", () => {
      const { phases, task: _, ...others } = Workload.make({ name: "plain", task })
      assert.deepStrictEqual(others, {
        name: "plain",
        summary: "",
        arrivals: [],
        baseMemory: 200,
        duration: 900_000,
        garbageShare: 0.5
      })
      assert.deepStrictEqual(phases, [{
        startsAt: 0,
        cores: 8,
        neighbourThreads: 0,
        memoryLimit: 16_000,
        neighbourMemory: 0,
        downstream: { servers: Infinity, slowdown: 0, rejectionCost: 0 },
        values: {}
      }])
    })

    it("keeps in a phase what the phase before said", () => {
      const { phases } = Workload.make({
        name: "phases",
        task,
        phases: [
          { cores: 2, downstream: { servers: 9, timeout: 500 }, values: { a: 1, b: 2 } },
          { startsAt: "1 minute", downstream: { servers: 3 }, values: { b: 3 } }
        ]
      })
      assert.deepStrictEqual(phases[1], {
        ...phases[0],
        startsAt: 60_000,
        downstream: { ...phases[0].downstream, servers: 3 },
        values: { a: 1, b: 3 }
      })
    })

    const refused: ReadonlyArray<readonly [field: string, options: Partial<Parameters<typeof Workload.make>[0]>]> = [
      ["duration", { duration: 0 }],
      ["duration", { duration: "soon" as "1 second" }], // a caller without types
      ["baseMemory", { baseMemory: -1 }],
      ["garbageShare", { garbageShare: -0.1 }],
      ["garbageShare", { garbageShare: 1.1 }],
      ["garbageShare", { garbageShare: NaN }],
      ["phases", { phases: [] }],
      ["phases[0].startsAt", { phases: [{ startsAt: 5 }] }],
      ["phases.startsAt", { phases: [{}, { startsAt: 0 }] }],
      ["phases.cores", { phases: [{ cores: 0 }] }],
      ["phases.cores", { phases: [{ cores: NaN }] }],
      ["phases.memoryLimit", { phases: [{ memoryLimit: -1 }] }],
      ["phases.neighbourThreads", { phases: [{ neighbourThreads: -1 }] }],
      ["phases.downstream.servers", { phases: [{ downstream: { servers: 0 } }] }],
      ["phases.downstream.rateLimit", { phases: [{ downstream: { rateLimit: 0 } }] }],
      ["arrivals.perSecond", { arrivals: [{ perSecond: 0, lasting: "1 second" }] }],
      ["arrivals.lasting", { arrivals: [{ perSecond: 1, lasting: 0 }] }]
    ]
    it.each(refused)("refuses an invalid %s", (field, options) => {
      try {
        Workload.make({ name: "wrong", task, ...options })
        assert.fail("it was accepted")
      } catch (error) {
        assert.propertyVal(error, "_tag", "InvalidOptionsError")
        assert.propertyVal(error, "field", field)
      }
    })
  })

  it("may leave no garbage, or nothing but garbage", () => {
    for (const garbageShare of [0, 1]) {
      assert.strictEqual(Workload.make({ name: "bounds", task, garbageShare }).garbageShare, garbageShare)
    }
  })

  it("lasts as long as is asked, without the phases that would begin later", () => {
    const { duration, phases } = Workload.lasting(ReferenceWorkloads.step, "6 minutes")
    assert.strictEqual(duration, 360_000)
    assert.deepStrictEqual(phases.map(({ startsAt }) => startsAt), [0, 300_000])
    assert.strictEqual(Workload.lasting(ReferenceWorkloads.step, "1 hour").phases.length, 3)
  })
})

describe("ReferenceWorkloads", () => {
  it("are thirteen, each with a name of its own, one of them with arrivals", () => {
    assert.strictEqual(new Set(ReferenceWorkloads.all.map(({ name }) => name)).size, 13)
    assert.deepStrictEqual(ReferenceWorkloads.all.filter(({ arrivals }) => arrivals.length > 0), [
      ReferenceWorkloads.burst
    ])
  })
})

describe("GeneratedWorkloads", () => {
  const seeds = Array.from({ length: 300 }, (_, seed) => seed)
  const drawn = seeds.map(GeneratedWorkloads.make)
  const tasksOf = (workload: Workload.Workload) => {
    const random = new SeededRandom(1)
    return Array.from({ length: 50 }, (_, index) => workload.task(random, workload.phases[0], index))
  }

  it.prop(
    "are the same for the same seed",
    [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e9 }))],
    ([seed]) => {
      const [first, second] = [GeneratedWorkloads.make(seed), GeneratedWorkloads.make(seed)]
      assert.deepStrictEqual({ ...second, task: null }, { ...first, task: null })
      assert.deepStrictEqual(tasksOf(second), tasksOf(first))
    }
  )

  it("vary: cores and quotas, phases, lengths, what binds", () => {
    const cores = drawn.map(({ phases }) => phases[0].cores)
    assert.isTrue(cores.some((count) => count < 1) && cores.some((count) => count > 16))
    assert.isTrue(cores.some((count) => !Number.isInteger(count)))
    assert.deepStrictEqual([...new Set(drawn.map(({ phases }) => phases.length))].toSorted(), [1, 2, 3])
    assert.isAbove(new Set(drawn.map(({ summary }) => summary.split(",")[0])).size, 6)
    assert.isTrue(drawn.every(({ duration }) => duration >= 300_000 && duration <= 1_800_000))
  })

  it("have tasks from milliseconds to many seconds, that need finite amounts", () => {
    const lengths = drawn.map((workload) => {
      const totals = tasksOf(workload).map(({ stages }) => stages.reduce((total, { millis }) => total + millis, 0))
      assert.isTrue(totals.every((total) => total > 0 && total < Infinity))
      return totals.reduce((a, b) => a + b, 0) / totals.length
    })
    assert.isBelow(Math.min(...lengths), 40)
    assert.isAbove(Math.max(...lengths), 15_000)
  })
})
