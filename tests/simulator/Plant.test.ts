import { GeneratedWorkloads, Workload } from "@autoscaled-pool/simulator"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { begin, hold, uniform } from "./support.ts"

const { call, cpu, eventLoop, wait } = Workload

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("Plant", () => {
  describe("cores", () => {
    it("are shared by all runnable tasks, at a cost for each thread too many", () => {
      const { ends, time } = begin(uniform({ stages: [cpu(100)] }, { cores: 2 }), 6)
      time.advanceTo(1000)
      // Six threads on two cores: a third of the speed, less 5 % for each of the two threads per core beyond one.
      const expected = 100 * 3 * 1.1
      assert.strictEqual(ends.length, 6)
      for (const [, at] of ends) assert.approximately(at, expected, 0.01)
    })

    it("run a task at full speed where there are enough of them", () => {
      const { ends, time } = begin(uniform({ stages: [cpu(100)] }, { cores: 4 }), 3)
      time.advanceTo(1000)
      for (const [, at] of ends) assert.approximately(at, 100, 0.01)
    })

    it("give a neighbour's threads their share, and tell its use from the process's own", () => {
      const { ends, plant, time } = begin(uniform({ stages: [cpu(100)] }, { cores: 2, neighbourThreads: 3 }), 1)
      time.advanceTo(1000)
      assert.approximately(ends[0][1], 100 * 2 * 1.05, 0.01)
      const { busy, own } = plant.processors.usage()
      assert.approximately(busy, 1000, 0.01)
      assert.approximately(own, ends[0][1] / 4, 0.01)
    })

    it("go on with the work that is left when their number changes", () => {
      const workload = Workload.make({
        name: "quota",
        duration: 1000,
        phases: [{ cores: 1 }, { startsAt: 50, cores: 0.5 }],
        task: () => ({ stages: [cpu(100)] })
      })
      const { ends, time } = begin(workload, 1)
      time.advanceTo(1000)
      assert.approximately(ends[0][1], 50 + 50 * 2 * 1.05, 0.01)
    })

    it.prop("give all work its time: no task is faster than alone, none is lost", [between(1, 40), between(1, 8)], (
      [tasks, cores]
    ) => {
      const { ends, plant, time } = begin(uniform({ stages: [cpu(20), wait(5), cpu(30)] }, { cores }), tasks)
      time.advanceTo(60_000)
      assert.strictEqual(ends.length, tasks)
      assert.strictEqual(plant.inFlight, 0)
      assert.isTrue(ends.every(([, at]) => at >= 55 - 0.01))
      assert.isAtLeast(plant.processors.usage().own * cores, 50 * tasks - 0.01)
    })

    it("forget the work of a task that was interrupted", () => {
      const { ends, plant, running, time } = begin(uniform({ stages: [cpu(100)] }, { cores: 1 }), 2)
      time.advanceTo(50)
      plant.interrupt(running[0])
      plant.interrupt(running[0])
      time.advanceTo(1000)
      // Half speed, less 5 %, for 50 ms; then alone.
      assert.deepStrictEqual(ends.map(([outcome]) => outcome), ["Succeeded"])
      assert.approximately(ends[0][1], 50 + (100 - 25 / 1.05), 0.01)
      assert.strictEqual(plant.ledger.interrupted, 1)
    })
  })

  it("runs the pieces of the JavaScript thread one after the other", () => {
    const { ends, plant, time } = begin(uniform({ stages: [eventLoop(10)] }), 5)
    time.advanceTo(25)
    assert.deepStrictEqual(ends.map(([, at]) => at), [10, 20])
    assert.strictEqual(plant.jsThread.lateness(), 25)
    assert.strictEqual(plant.jsThread.busy(), 25)
    time.advanceTo(100)
    assert.strictEqual(plant.jsThread.lateness(), 0)
    assert.strictEqual(plant.jsThread.busy(), 50)
  })

  describe("memory", () => {
    const holding = { stages: [wait(10_000)], memory: 100, memoryRamp: 1000 }

    it("grows with the age of a task and leaves garbage that is collected", () => {
      const { plant, time } = begin(uniform(holding, { memoryLimit: 1000 }, { baseMemory: 50 }), 1)
      const used = () => plant.memoryUse().used * 1000
      assert.approximately(used(), 50 + 15, 1e-6)
      time.advanceTo(500)
      assert.approximately(used(), 50 + 15 + 85 / 2, 1e-6)
      time.advanceTo(9999)
      assert.approximately(used(), 50 + 100, 1e-6)
      time.advanceTo(10_000)
      assert.approximately(used(), 50 + 50, 1e-6)
      time.advanceTo(12_000)
      assert.approximately(used(), 50 + 50 / Math.E, 1e-6)
    })

    it("leaves as much garbage as the workload says: none, or all that the task held", () => {
      for (const [garbageShare, left] of [[0, 0], [0.2, 20], [1, 100]]) {
        const workload = { ...uniform(holding, { memoryLimit: 1000 }, { baseMemory: 50 }), garbageShare }
        const { plant, time } = begin(workload, 1)
        time.advanceTo(10_000)
        assert.strictEqual(plant.inFlight, 0)
        assert.approximately(plant.memoryUse().used * 1000, 50 + left, 1e-6)
        time.advanceTo(12_000)
        assert.approximately(plant.memoryUse().used * 1000, 50 + left / Math.E, 1e-6)
      }
    })

    it("leaves garbage of what a task held, and not of what it would have come to hold", () => {
      const { plant, running, time } = begin(uniform(holding, { memoryLimit: 1000 }, { baseMemory: 50 }), 1)
      time.advanceTo(500)
      plant.interrupt(running[0])
      assert.approximately(plant.memoryUse().used * 1000, 50 + 50 / 2, 1e-6)
    })

    it("tells the neighbour's part from the process's own", () => {
      const { plant } = begin(uniform(holding, { memoryLimit: 1000, neighbourMemory: 300 }, { baseMemory: 50 }), 1)
      assert.approximately(plant.memoryUse().used, 0.365, 1e-9)
      assert.approximately(plant.memoryUse().own, 0.065, 1e-9)
    })

    it("kills everything where it runs out", () => {
      const { ends, plant, time } = begin(uniform(holding, { memoryLimit: 1100 }, { baseMemory: 55 }), 10)
      time.advanceTo(9000)
      assert.deepStrictEqual(plant.kills, [])
      for (let i = 0; i < 5; i++) plant.start(() => {})
      time.advanceTo(20_000)
      assert.strictEqual(plant.kills.length, 1)
      assert.isAbove(plant.peakMemory, 1.02)
      assert.strictEqual(plant.inFlight, 0)
      assert.strictEqual(plant.ledger.killed, 15)
      assert.deepStrictEqual(ends, [])
      assert.approximately(plant.memoryUse().used, 0.05, 1e-9)
    })
  })

  describe("downstream service", () => {
    it("serves so many at once, and slows beyond its knee", () => {
      const { ends, time } = begin(uniform({ stages: [call(100)] }, { downstream: { servers: 2, slowdown: 0.5 } }), 3)
      time.advanceTo(1000)
      // The first call finds the service empty, the second one finds it busy to the knee, the third waits for the first.
      assert.deepStrictEqual(ends.map(([outcome]) => outcome), ["Succeeded", "Succeeded", "Succeeded"])
      assert.deepStrictEqual(ends.map(([, at]) => at), [100, 100, 200])
    })

    it("takes longer for each call where more are in it than it has servers", () => {
      const workload = uniform({ stages: [call(100)] }, { downstream: { servers: 10, slowdown: 0.5 } })
      const throughput = (concurrency: number) => hold(workload, concurrency).ledger.succeeded.length
      assert.approximately(throughput(10), 6000, 60)
      // The next call begins while nineteen are in ten servers: 1.45 times as long.
      assert.approximately(throughput(20), 6000 / 1.45, 60)
    })

    it("refuses at once what is too much", () => {
      const { ends, plant, time } = begin(
        uniform({ stages: [call(100)] }, { downstream: { servers: 2, rejectAbove: 3 } }),
        5
      )
      time.advanceTo(1000)
      assert.deepStrictEqual(ends, [
        ["Rejected", 20],
        ["Rejected", 20],
        ["Succeeded", 100],
        ["Succeeded", 100],
        ["Succeeded", 200]
      ])
      assert.strictEqual(plant.ledger.rejected, 2)
    })

    it("has room again for calls of tasks that were interrupted while they waited for a server", () => {
      const terms = { servers: 1, rejectAbove: 3 }
      const { ends, plant, running, time } = begin(uniform({ stages: [call(100)] }, { downstream: terms }), 3)
      plant.interrupt(running[1])
      plant.interrupt(running[2])
      time.advanceTo(150)
      for (let call = 0; call < 3; call++) plant.start((outcome) => ends.push([outcome, time.now]))
      time.advanceTo(1000)
      assert.deepStrictEqual(ends.map(([outcome]) => outcome), Array(4).fill("Succeeded"))
    })

    it("is slowed by what it refuses", () => {
      const terms = { servers: 2, rejectAbove: 2, rejectionCost: 0.5 }
      const { ends, plant, time } = begin(uniform({ stages: [call(100)] }, { downstream: terms }), 10)
      time.advanceTo(110)
      plant.start((outcome) => ends.push([outcome, time.now]))
      time.advanceTo(1000)
      const recent = 8 * Math.exp(-0.11)
      assert.approximately(ends[ends.length - 1][1], 110 + 100 * (1 + (recent * 0.5) / 2), 0.01)
    })

    it("keeps to a rate, whatever the concurrency", () => {
      const workload = uniform({ stages: [wait(50), call(50)] }, { downstream: { rateLimit: 20 } })
      const { ledger } = hold(workload, 50)
      assert.approximately(ledger.succeeded.length, 60 * 20 + 20, 5)
      assert.isAbove(ledger.rejected, 10_000)
      const slow = hold(uniform({ stages: [call(50)] }, { downstream: { rateLimit: 0.5 } }), 2)
      assert.approximately(slow.ledger.succeeded.length, 30, 2)
    })

    it("is too late with an answer after the timeout", () => {
      const { ends, time } = begin(uniform({ stages: [call(100)] }, { downstream: { servers: 1, timeout: 250 } }), 3)
      time.advanceTo(1000)
      assert.deepStrictEqual(ends, [["Succeeded", 100], ["Succeeded", 200], ["TimedOut", 300]])
    })
  })

  it.prop("loses no task: what started has ended in one way or runs", [between(0, 400), between(1, 120)], (
    [workloadSeed, concurrency]
  ) => {
    const plant = hold(GeneratedWorkloads.make(workloadSeed), concurrency, 20_000)
    const { interrupted, killed, rejected, started, succeeded, timedOut } = plant.ledger
    assert.strictEqual(started, succeeded.length + rejected + timedOut + killed + interrupted + plant.inFlight)
    assert.strictEqual(plant.inFlight, plant.kills.length === 0 ? concurrency : 0)
  }, { arbitrary: { runs: 30 } })

  it("gives task number i the same needs at every concurrency", () => {
    const drawn = (concurrency: number) => {
      const needs = new Map<number, string>()
      const workload = Workload.make({
        name: "recorded",
        duration: 10_000,
        task: (random, _, index) => {
          const stages = [wait(random.lognormal(100, 1))]
          needs.set(index, JSON.stringify(stages))
          return { stages }
        }
      })
      hold(workload, concurrency)
      return needs
    }
    const [few, many] = [drawn(3), drawn(30)]
    assert.isAbove(few.size, 100)
    for (const [index, task] of few) assert.strictEqual(many.get(index), task)
  })

  it("obeys Little's law", () => {
    const workload = uniform({ stages: [cpu(10), wait(40), call(50)] }, { cores: 2, downstream: { servers: 8 } })
    const { ledger } = hold(workload, 12)
    const perMilli = ledger.succeeded.length / 60_000
    assert.approximately(perMilli * (ledger.succeededMillis / ledger.succeeded.length), 12, 0.05)
  })
})
