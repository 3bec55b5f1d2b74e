/**
 * A short form of the comparison that `npm run simulate` makes: less time, two seeds, bounds that hold over seeds.
 */
import { ScalingPolicy } from "@autoscaled-pool/core"
import { Comparison, ReferenceWorkloads, type Workload } from "@autoscaled-pool/simulator"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"

const adaptive = { policy: ScalingPolicy.adaptive() }
const stepRatio = { policy: ScalingPolicy.stepRatio() }

const run = (
  workloads: ReadonlyArray<Workload.Workload>,
  options: Partial<Parameters<typeof Comparison.run>[0]> = {}
) =>
  Stream.runCollect(
    Comparison.run({ contestants: [adaptive], workloads, seeds: [21], duration: "5 minutes", ...options })
  )

const of = (runs: ReadonlyArray<Comparison.ScoredRun>, name: string) =>
  Comparison.summarize(runs.filter(({ result }) => result.policy === name))

describe("adaptive, in simulation", () => {
  it.effect("does better than stepRatio on the reference workloads, and is never killed", () =>
    Effect.gen(function*() {
      const closed = ReferenceWorkloads.all.filter(({ arrivals }) => arrivals.length === 0)
      const runs = yield* run(closed, { contestants: [adaptive, stepRatio], seeds: [21, 22], duration: "4 minutes" })
      const [ours, usual] = [of(runs, "adaptive"), of(runs, "stepRatio")]
      assert.strictEqual(ours.runs, 24)
      assert.deepStrictEqual(Comparison.misses(ours, { score: 0.65, worstScore: 0.3, overTime: 0.12, kills: 0 }), [])
      assert.isAbove(ours.score, usual.score + 0.05)
      assert.isAbove(usual.kills, 0)
    }))

  it.effect("finds a service's knee and the memory limit from any start", () =>
    Effect.gen(function*() {
      const contestants = [1, 200].map((desiredConcurrency) => ({ ...adaptive, settings: { desiredConcurrency } }))
      for (const workload of [ReferenceWorkloads.knee, ReferenceWorkloads.mixed]) {
        for (const each of yield* run([workload], { contestants })) {
          assert.isAbove(each.score.score, 0.6)
          assert.strictEqual(each.score.kills, 0)
        }
      }
    }))

  it.effect("bears noisy sensors", () =>
    Effect.gen(function*() {
      const workloads = [ReferenceWorkloads.memory, ReferenceWorkloads.loop]
      const noise = { cpu: 0.15, memory: 0.05, eventLoop: 0.15 }
      const exact = Comparison.summarize(yield* run(workloads))
      const noisy = Comparison.summarize(yield* run(workloads, { sensorFaults: { noise } }))
      assert.isAbove(noisy.score, exact.score - 0.15)
      assert.strictEqual(noisy.kills, 0)
    }))

  it.effect("starts a burst within seconds", () =>
    Effect.gen(function*() {
      const [{ score }] = yield* run([ReferenceWorkloads.burst], { duration: "15 minutes" })
      assert.isBelow(score.waits?.p95 ?? Infinity, 10)
    }))
})
