import { Oracle, ReferenceWorkloads, Workload } from "@autoscaled-pool/simulator"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { uniform } from "./support.ts"

const { call, cpu, wait } = Workload

describe("Oracle", () => {
  it.effect("finds about the knee that arithmetic gives: cores over the share of time on them", () =>
    Effect.gen(function*() {
      const workload = Workload.make({
        name: "quarter on a core",
        phases: [{ cores: 8 }],
        task: (random) => ({ stages: [cpu(random.lognormal(50, 0.5)), wait(random.lognormal(150, 0.5))] })
      })
      const [{ best, knee, kneeDuration, throughput }] = (yield* Oracle.find(workload)).phases
      assert.isAtLeast(throughput, 0.94 * 160)
      assert.isAtMost(throughput, 160)
      assert.approximately(knee, 32, 4)
      assert.isAtLeast(best, knee)
      assert.approximately(kneeDuration, 200, 40)
    }))

  it.effect("finds the servers of a service, phase by phase", () =>
    Effect.gen(function*() {
      const workload = Workload.make({
        name: "shrinking",
        duration: "4 minutes",
        phases: [
          { downstream: { servers: 40, slowdown: 0.2 } },
          { startsAt: "2 minutes", downstream: { servers: 10 } }
        ],
        task: () => ({ stages: [call(100)] })
      })
      const { phases } = yield* Oracle.find(workload)
      for (const [index, servers] of [40, 10].entries()) {
        assert.approximately(phases[index].best, servers, 0.06 * servers)
        assert.approximately(phases[index].throughput, 10 * servers, 0.02 * 10 * servers)
      }
    }))

  it.effect("stays below the memory limit", () =>
    Effect.gen(function*() {
      const workload = uniform(
        { stages: [wait(2000)], memory: 100, memoryRamp: 100 },
        { memoryLimit: 1000 },
        { baseMemory: 100 }
      )
      const [{ best }] = (yield* Oracle.find(workload)).phases
      // All end together, every two seconds, and half of what they held stays for about as long: n tasks have grown while
      // 50 n e^-0.05 / (1 - 1/e) MB of garbage are there. With the base, five of them stay below 1020 MB and six do not.
      assert.strictEqual(best, 5)
    }))

  it.effect("agrees with the figures that are known of the reference workloads", () =>
    Effect.gen(function*() {
      const known: ReadonlyArray<readonly [Workload.Workload, ReadonlyArray<number>]> = [
        [ReferenceWorkloads.cpu4, [11]],
        [ReferenceWorkloads.loop, [26]],
        [ReferenceWorkloads.knee, [48]],
        [ReferenceWorkloads.memory, [21]],
        [ReferenceWorkloads.latencyShift, [15, 42, 15]]
      ]
      for (const [workload, knees] of known) {
        const found = (yield* Oracle.find(workload)).phases.map(({ knee }) => knee)
        assert.strictEqual(found.length, knees.length)
        for (const [index, knee] of knees.entries()) assert.approximately(found[index], knee, 0.1 * knee)
      }
    }))
})
