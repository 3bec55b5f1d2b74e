import { Comparison, Contestants, GeneratedWorkloads, ReferenceWorkloads } from "@autoscaled-pool/simulator"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"

const closed = ReferenceWorkloads.all.filter(({ arrivals }) => arrivals.length === 0)

const summaryOf = (options: Parameters<typeof Comparison.run>[0]) =>
  Effect.map(Stream.runCollect(Comparison.run(options)), Comparison.summarize)

describe("Comparison", () => {
  it.effect("runs every contestant on every workload with every seed", () =>
    Effect.gen(function*() {
      const runs = yield* Stream.runCollect(Comparison.run({
        contestants: [Contestants.fixed(5), Contestants.randomWalk],
        workloads: [ReferenceWorkloads.cpu4, ReferenceWorkloads.memory],
        seeds: [1, 2],
        duration: "20 seconds"
      }))
      const names = runs.map(({ result }) => `${result.workload.name} ${result.policy} ${result.seed}`)
      assert.deepStrictEqual(names, [
        "cpu4 fixed5 1",
        "cpu4 fixed5 2",
        "cpu4 randomWalk 1",
        "cpu4 randomWalk 2",
        "mem fixed5 1",
        "mem fixed5 2",
        "mem randomWalk 1",
        "mem randomWalk 2"
      ])
      assert.isTrue(runs.every(({ result }) => result.workload.duration === 20_000))
    }))

  describe("goals", () => {
    const perfect = {
      runs: 12,
      score: 1,
      lowDecile: 1,
      worstScore: 1,
      efficiency: 1,
      overTime: 0,
      worstOverTime: 0,
      kills: 0
    }

    it("are reached by what is perfect, and by what just reaches them", () => {
      assert.deepStrictEqual(Comparison.misses(perfect), [])
      assert.deepStrictEqual(Comparison.misses({ ...perfect, ...Comparison.referenceGoals }), [])
    })

    it.each(
      [
        ["score", 0.9],
        ["worstScore", 0.5],
        ["overTime", 0.04],
        ["worstOverTime", 0.2],
        ["kills", 1]
      ] as const
    )("are missed where %s is %s", (name, value) => {
      const misses = Comparison.misses({ ...perfect, [name]: value })
      assert.strictEqual(misses.length, 1)
      assert.include(misses[0], name)
    })

    it("do not ask for what they leave out", () => {
      const poor = { ...perfect, score: 0.9, lowDecile: 0.6, worstScore: 0.1, overTime: 1 }
      assert.deepStrictEqual(Comparison.misses(poor, Comparison.generatedGoals), [
        "lowDecile is 0.6, at least 0.7 is wanted"
      ])
    })

    it("judge by the tenth part that scores least, and by the one that does", () => {
      const runs = Array.from({ length: 20 }, (_, n) => ({
        result: { workload: { name: `workload ${n}` } },
        score: { score: n / 20, efficiency: 1, overTime: 0, kills: 0 }
      })) as unknown as ReadonlyArray<Comparison.ScoredRun> // of which a summary reads no more
      assert.deepInclude(Comparison.summarize(runs), { runs: 20, lowDecile: 0.1, worstScore: 0 })
    })

    it("are missed by what was never scored", () => {
      assert.isNotEmpty(Comparison.misses(Comparison.summarize([])))
    })

    // What measures something must tell these apart from a policy that adapts. They miss by far, so that less time and one
    // seed are enough.
    it.effect("are missed by every control", () =>
      Effect.gen(function*() {
        const { score, worstScore } = Comparison.referenceGoals
        const runs = yield* Stream.runCollect(Comparison.run({
          contestants: Contestants.controls,
          workloads: closed,
          seeds: [11],
          duration: "150 seconds"
        }))
        for (const { policy } of Contestants.controls) {
          const summary = Comparison.summarize(runs.filter(({ result }) => result.policy === policy.name))
          assert.strictEqual(summary.runs, 12, policy.name)
          assert.isBelow(summary.score, score - 0.2, policy.name)
          assert.isBelow(summary.worstScore, worstScore - 0.4, policy.name)
          assert.isAtLeast(Comparison.misses(summary).length, 2, policy.name)
        }
      }))
  })
})

describe("Contestants", () => {
  it("are found by name, no two of one name", () => {
    const names = Contestants.all.map(({ policy }) => policy.name)
    assert.strictEqual(new Set(names).size, names.length)
    assert.includeMembers(names, ["stepRatio", "stepRatio1s", "fixed1", "fixed20", "fixedMax", "randomWalk"])
    for (const name of [...names, "fixed7"]) {
      assert.strictEqual(Option.getOrThrow(Contestants.byName(name)).policy.name, name)
    }
    for (const name of ["fixed0", "fixed", "best"]) assert.isTrue(Option.isNone(Contestants.byName(name)))
  })

  it.effect("a random walk walks, within its bounds", () =>
    Effect.gen(function*() {
      const [{ result }] = yield* Stream.runCollect(Comparison.run({
        contestants: [Contestants.randomWalk],
        workloads: [ReferenceWorkloads.knee],
        settings: { maxConcurrency: 30 },
        duration: "3 minutes"
      }))
      const desired = result.trace.map((point) => point.desired)
      assert.isAbove(new Set(desired).size, 10)
      assert.isTrue(desired.every((concurrency) => concurrency >= 1 && concurrency <= 30))
    }))
})

describe("the default policy", () => {
  it.effect("gets through generated workloads, with a score between nothing and perfect", () =>
    Effect.gen(function*() {
      const summary = yield* summaryOf({
        contestants: Contestants.policies.filter(({ policy }) => policy.name === "stepRatio"),
        workloads: [501, 502, 503, 504, 505].map(GeneratedWorkloads.make),
        duration: "3 minutes"
      })
      assert.strictEqual(summary.runs, 5)
      assert.isAbove(summary.score, 0.1)
      assert.isBelow(summary.score, 0.95)
    }))
})
