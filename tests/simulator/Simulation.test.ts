import { ScalingPolicy } from "@autoscaled-pool/core"
import { Contestants, ReferenceWorkloads, Simulation, Workload } from "@autoscaled-pool/simulator"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber } from "effect"
import { hold, uniform } from "./support.ts"

const { cpu, wait } = Workload

const policy = ScalingPolicy.stepRatio()

/** A policy that says what it sees and changes nothing. */
const watching = (
  see: (observation: ScalingPolicy.Observation) => void,
  every = 1000
): ScalingPolicy.ScalingPolicy => ({
  name: "watching",
  every: Duration.millis(every),
  initial: () => undefined,
  decide: (state, observation) => {
    see(observation)
    return [{ desired: observation.desired, reason: { summary: "watches" } }, state]
  }
})

const lastSeen = (workload: Workload.Workload, options: Partial<Parameters<typeof Simulation.run>[0]> = {}) =>
  Effect.gen(function*() {
    const seen: Array<ScalingPolicy.Observation> = []
    const result = yield* Simulation.run({ workload, policy: watching((each) => seen.push(each)), ...options })
    return { result, seen, last: seen[seen.length - 1] }
  })

describe("Simulation", () => {
  describe("determinism", () => {
    it.effect("the same seed gives the same trace, decisions and successes", () =>
      Effect.gen(function*() {
        const options = { workload: ReferenceWorkloads.mixed, policy, duration: "5 minutes", seed: 3 } as const
        const first = yield* Simulation.run(options)
        const second = yield* Simulation.run(options)
        assert.isAbove(first.succeeded.length, 1000)
        assert.deepStrictEqual(second.trace, first.trace)
        assert.deepStrictEqual(second.decisions, first.decisions)
        assert.deepStrictEqual(second.succeeded, first.succeeded)
      }))

    it.effect("another seed gives other tasks", () =>
      Effect.gen(function*() {
        const options = { workload: ReferenceWorkloads.mixed, policy, duration: "1 minute" } as const
        const first = yield* Simulation.run({ ...options, seed: 1 })
        const second = yield* Simulation.run({ ...options, seed: 2 })
        assert.notDeepEqual(second.succeeded, first.succeeded)
      }))

    it.effect("what runs beside it changes nothing", () =>
      Effect.gen(function*() {
        const options = { workload: ReferenceWorkloads.knee, policy, duration: "1 minute" } as const
        const alone = yield* Simulation.run(options)
        const together = yield* Effect.all([Simulation.run(options), Simulation.run({ ...options, seed: 2 })], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(together[0].trace, alone.trace)
      }))
  })

  describe("time", () => {
    it.effect("is virtual: a trace point every half a second, decisions at the policy's pace", () =>
      Effect.gen(function*() {
        const { result, seen } = yield* lastSeen(uniform({ stages: [wait(100)] }, {}, { duration: 30_000 }))
        assert.deepStrictEqual(result.trace.map(({ at }) => at), Array.from({ length: 60 }, (_, i) => (i + 1) * 500))
        assert.deepStrictEqual(seen.map(({ now }) => now), Array.from({ length: 30 }, (_, i) => (i + 1) * 1000))
        // Ten at a time, 100 ms each.
        assert.approximately(result.succeeded.length, 3000, 10)
      }))

    it.live("real machine: a minute of a hundred tasks a second is over in a few seconds", () =>
      Effect.gen(function*() {
        const [duration] = yield* Effect.timed(
          Simulation.run({ workload: ReferenceWorkloads.knee, policy, duration: "1 minute" })
        )
        assert.isBelow(Duration.toMillis(duration), 5000)
      }))

    it.live("can be interrupted, and lets others run meanwhile", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(
          Simulation.run({ workload: ReferenceWorkloads.cpu32, policy, duration: "10 hours" })
        )
        yield* Effect.sleep("50 millis")
        yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      }))
  })

  describe("the pool that it drives", () => {
    for (const concurrency of [3, 20, 60]) {
      it.effect(`does at a frozen ${concurrency} what the plant does without a pool`, () =>
        Effect.gen(function*() {
          for (const workload of [ReferenceWorkloads.cpu4, ReferenceWorkloads.knee, ReferenceWorkloads.refusing]) {
            const { succeeded, rejected } = yield* Simulation.run({
              workload,
              ...Contestants.fixed(concurrency),
              seed: 5,
              duration: "1 minute"
            })
            const { ledger } = hold(workload, concurrency, 60_000, 5)
            assert.strictEqual(rejected, ledger.rejected)
            assert.strictEqual(succeeded.length, ledger.succeeded.length)
            // The same tasks at the same moments; whoever reads the plant meanwhile adds to the rounding.
            const apart = succeeded.map((at, index) => Math.abs(at - ledger.succeeded[index]))
            assert.isBelow(Math.max(...apart), 1e-6)
          }
        }))
    }

    it.effect("sees the loads of the plant, its own part apart", () =>
      Effect.gen(function*() {
        const workload = uniform(
          { stages: [cpu(50), wait(50)], memory: 100, memoryRamp: 1 },
          { cores: 2, neighbourThreads: 1, memoryLimit: 2000, neighbourMemory: 300 },
          { baseMemory: 100 }
        )
        const { last } = yield* lastSeen(workload, { settings: { desiredConcurrency: 1 } })
        const { client, cpu: processor, eventLoop, memory } = last.currentInfo.signals
        // One task that is on a core half of the time, beside a thread that always is.
        assert.approximately(processor.load, 0.75, 0.01)
        assert.approximately(processor.own, 0.25, 0.01)
        // A task of 100 MB, and what the ten a second before it left: half of 100 MB each, for two seconds.
        assert.approximately(memory.own, (100 + 100 + 1000) / 2000, 0.06)
        assert.approximately(memory.load - memory.own, 300 / 2000, 0.01)
        assert.strictEqual(eventLoop.load, 0)
        assert.strictEqual(client.load, 0)
      }))

    it.effect("sees the JavaScript thread late where it is", () =>
      Effect.gen(function*() {
        const workload = uniform({ stages: [Workload.eventLoop(20)] })
        const { last } = yield* lastSeen(workload, { settings: { minConcurrency: 10 } })
        assert.approximately(last.currentInfo.signals.eventLoop.load, 1, 0.01)
        assert.isTrue(last.currentInfo.signals.eventLoop.isOverloaded)
      }))

    it.effect("hears of refusals, as rejections and by its client signal, and its run goes on", () =>
      Effect.gen(function*() {
        const workload = uniform({ stages: [Workload.call(100)] }, { downstream: { servers: 1, rejectAbove: 1 } })
        const { last, result } = yield* lastSeen(workload, { settings: { desiredConcurrency: 3, minConcurrency: 3 } })
        assert.isAbove(last.completions.rejections, 50)
        assert.isAbove(last.currentInfo.signals.client.load, 10)
        assert.isTrue(last.currentInfo.signals.client.isOverloaded)
        assert.isAbove(result.rejected, 3000)
        assert.approximately(result.succeeded.length, 600, 60)
      }))

    it.effect("dies when memory runs out, and begins anew ten seconds later, cold", () =>
      Effect.gen(function*() {
        const heavy: Workload.Task = { stages: [wait(2000)], memory: 100, memoryRamp: 100 }
        const jump: ScalingPolicy.ScalingPolicy = {
          name: "jump",
          every: Duration.seconds(5),
          initial: () => 0,
          decide: (asked: number) => [{ desired: asked === 0 ? 2 : 50, reason: { summary: "jumps" } }, asked + 1]
        }
        const result = yield* Simulation.run({
          workload: uniform(heavy, { memoryLimit: 2000 }, { duration: 40_000 }),
          policy: jump,
          settings: { desiredConcurrency: 2 }
        })
        assert.strictEqual(result.kills.length, 2)
        const [first, second] = result.kills
        assert.isAbove(first, 10_000)
        assert.isBelow(first, 10_500)
        assert.isAbove(second - first, 20_000)
        assert.isBelow(second - first, 20_500)
        const during = (from: number, to: number) => result.trace.filter(({ at }) => at > from && at < to)
        assert.isTrue(during(first, first + 10_000).every(({ desired, inFlight }) => inFlight === 0 && desired === 0))
        assert.isTrue(
          during(first + 10_000, second - 1000).every(({ desired, inFlight }) => inFlight === 2 && desired === 2)
        )
        assert.isAbove(result.killed, 2 * 15)
        assert.isAbove(result.peakMemory, 1.02)
        assert.strictEqual(result.lost, result.killed)
      }))

    it.effect("starts arrivals when they come, and lets them wait when there are too many", () =>
      Effect.gen(function*() {
        const workload = Workload.make({
          name: "arrivals",
          duration: "2 minutes",
          arrivals: [{ perSecond: 5, lasting: "20 seconds" }, { perSecond: 40, lasting: "20 seconds" }],
          task: () => ({ stages: [wait(1000)] })
        })
        const result = yield* Simulation.run({ workload, ...Contestants.fixed(30) })
        // 5 and 40 a second in turn make 2700; what the last burst leaves over is still waiting or running.
        const over = result.trace[result.trace.length - 1].waiting + result.unfinished
        assert.approximately(result.succeeded.length + over, 2700, 200)
        assert.strictEqual(result.waits.length, result.succeeded.length + result.unfinished)
        const early = result.waits.slice(0, 50)
        assert.isBelow(Math.max(...early), 1)
        assert.isAbove(Math.max(...result.waits), 3000)
      }))
  })

  describe("sensor faults", () => {
    const workload = uniform({ stages: [cpu(80), wait(20)] }, { cores: 10, neighbourThreads: 2 })
    const cpuLoads = (sensorFaults: Parameters<typeof Simulation.run>[0]["sensorFaults"]) =>
      Effect.map(
        lastSeen(workload, { sensorFaults, settings: { desiredConcurrency: 5 } }),
        ({ seen }) => seen.map(({ currentInfo }) => currentInfo.signals.cpu)
      )

    it.effect("without any, the processor is read as it is", () =>
      Effect.gen(function*() {
        for (const { load, own } of (yield* cpuLoads({})).slice(1)) {
          assert.approximately(load, 0.6, 0.02)
          assert.approximately(own, 0.4, 0.02)
        }
      }))

    it.effect("a gain and noise distort it", () =>
      Effect.gen(function*() {
        for (const { load } of (yield* cpuLoads({ gain: { cpu: 0.5 } })).slice(1)) assert.approximately(load, 0.3, 0.01)
        const noisy = (yield* cpuLoads({ noise: { cpu: 0.15 } })).slice(1).map(({ load }) => load)
        assert.isAtLeast(Math.min(...noisy), 0.6 * 0.85 - 0.02)
        assert.isAtMost(Math.max(...noisy), 0.6 * 1.15 + 0.02)
        assert.isAbove(Math.max(...noisy) - Math.min(...noisy), 0.1)
      }))

    it.effect("a delay tells what was", () =>
      Effect.gen(function*() {
        const stepping = Workload.make({
          name: "stepping",
          duration: "20 seconds",
          phases: [{ cores: 4, neighbourThreads: 0 }, { startsAt: "10 seconds", neighbourThreads: 2 }],
          task: () => ({ stages: [wait(100)] })
        })
        const risesAt = (sensorFaults: Parameters<typeof Simulation.run>[0]["sensorFaults"]) =>
          Effect.map(lastSeen(stepping, { sensorFaults }), ({ seen }) =>
            seen.find(({ currentInfo }) => currentInfo.signals.cpu.load > 0.3)?.now)
        assert.strictEqual(yield* risesAt({}), 11_000)
        assert.strictEqual(yield* risesAt({ delay: "3 seconds" }), 14_000)
      }))

    it.effect("a missing signal is not there, and without a part of its own all is the process's", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* cpuLoads({ missing: ["cpu"] })).filter((signal) => signal !== undefined), [])
        for (const { load, own } of yield* cpuLoads({ withoutOwn: true })) assert.strictEqual(own, load)
      }))
  })

  describe("what cannot be", () => {
    const workload = uniform({ stages: [wait(100)] })

    it.effect("settings that contradict themselves are refused", () =>
      Effect.gen(function*() {
        const settings = { minConcurrency: 9, maxConcurrency: 5 }
        const error = yield* Effect.flip(Simulation.run({ workload, policy, settings }))
        assert.strictEqual(error._tag, "InvalidOptionsError")
        assert.include(error.message, "maxConcurrency")
      }))

    it.effect("a policy that fails is a defect of the run", () =>
      Effect.gen(function*() {
        const broken = watching(() => {
          throw new Error("no idea")
        })
        const exit = yield* Effect.exit(Simulation.run({ workload, policy: broken }))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      }))
  })
})
