/**
 * Whether the signals tell the truth about the machine that runs the tests: by its own clock, as no other has its load.
 */
import { ClientErrors, type LoadSignal, SystemStatus } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import * as NodeCpu from "@autoscaled-pool/platform-node/NodeCpu"
import * as NodeEventLoop from "@autoscaled-pool/platform-node/NodeEventLoop"
import * as NodeMemory from "@autoscaled-pool/platform-node/NodeMemory"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Stream } from "effect"
import * as os from "node:os"
import { Worker } from "node:worker_threads"
import * as Host from "../../packages/platform-node/src/internal/host/host.ts"
import * as Machine from "./machine.ts"
import * as memoryLimit from "./memoryLimit.ts"

const current = SystemStatus.SystemStatus.use((status) => status.current)

const waitFor = (accepts: (info: SystemStatus.SystemInfo) => boolean) =>
  current.pipe(
    Effect.delay("100 millis"),
    Effect.repeat({ until: accepts }),
    Effect.timeout("40 seconds")
  )

/** Keeps a thread of its own busy. */
const burner = Effect.acquireRelease(
  Effect.sync(() => new Worker("for (;;) {}", { eval: true })),
  (worker) => Effect.promise(() => worker.terminate())
)

/** Keeps the event loop of this thread busy, in blocks of 150 milliseconds. */
const block = Effect.gen(function*() {
  const end = performance.now() + 150
  while (performance.now() < end);
  yield* Effect.yieldNow
  yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
})

describe("real machine", () => {
  it.live("real machine: all signals report sane values without a warning", () =>
    Machine.recordWarnings((warnings) =>
      Effect.gen(function*() {
        const info = yield* waitFor((info) => !info.isStale)
        assert.deepStrictEqual(Object.keys(info.signals), ["cpu", "memory", "eventLoop", "client"])
        for (const [name, { load, own }] of Object.entries(info.signals)) {
          assert.isTrue(load >= 0 && load <= 1, `${name} ${load}`)
          assert.isTrue(own >= 0 && own <= load, `${name} ${own}`)
        }
        assert.isAbove(info.signals.memory.load, 0)
        assert.isAbove(info.signals.memory.own, 0)
        if (os.platform() === "linux") assert.deepStrictEqual(warnings, [])
      }).pipe(Effect.provide(NodeSystemStatus.layer()))
    ))

  it.live("real machine: burners drive cpu and eventLoop over their targets, and back", () =>
    Effect.gen(function*() {
      const hot = yield* Effect.gen(function*() {
        yield* Effect.all(Array.from({ length: os.availableParallelism() }, () => burner))
        yield* Effect.forkScoped(Effect.forever(block))
        return yield* waitFor(({ signals: { cpu, eventLoop } }) =>
          cpu.isOverloaded && cpu.load > cpu.target && cpu.own > 0.2 &&
          eventLoop.isOverloaded && eventLoop.load > eventLoop.target
        )
      }).pipe(Effect.scoped)
      assert.isFalse(hot.isSystemIdle)

      // How busy others keep the machine shows only when the burners no longer crowd them out.
      const isFreed = ({ isOverloaded, load, own, target }: LoadSignal.SignalInfo) =>
        own < 0.1 && (!isOverloaded || load - own > target - 0.3)
      yield* waitFor(({ signals: { cpu, eventLoop } }) =>
        isFreed(cpu) && eventLoop.load < 0.5 && !eventLoop.isOverloaded
      )
    }).pipe(Effect.provide(NodeSystemStatus.layer({ memory: false, client: false }))))

  it.live("real machine: sampling costs next to nothing", () =>
    Effect.gen(function*() {
      const host = yield* Host.make()
      const samples = 100
      const batchCost = (signal: LoadSignal.LoadSignal) =>
        Effect.gen(function*() {
          const before = process.cpuUsage()
          yield* Stream.runDrain(Stream.take(signal.snapshots, samples))
          const { system, user } = process.cpuUsage(before)
          return (system + user) / samples
        })
      // The cheapest of ten batches is the one that others disturbed least.
      const cost = (signal: LoadSignal.LoadSignal) =>
        Effect.map(Effect.replicateEffect(batchCost(signal), 10), (costs) => Math.min(...costs))
      // Time flies: what is measured is the work, not the wait.
      const clock = yield* eagerClock
      const each = yield* Effect.all({
        cpu: cost(yield* NodeCpu.signalOf(host, { every: "500 millis" })),
        memory: cost(yield* NodeMemory.signalOf(host, { every: "250 millis" })),
        eventLoop: cost(yield* NodeEventLoop.signalOf(host, { every: "500 millis" })),
        client: cost(yield* ClientErrors.signal())
      }).pipe(Effect.provideService(Clock.Clock, clock))
      const perSecond = 2 * each.cpu + 4 * each.memory + 2 * each.eventLoop + each.client
      const shown = Object.entries(each).map(([name, cost]) => `${name} ${cost.toFixed(0)}`).join(", ")
      console.log(`sampling costs ${perSecond.toFixed(0)} microseconds a second; each sample: ${shown}`)
      assert.isBelow(perSecond, 5000)
    }))
})

/** A clock on which every sleep is over at once. */
const eagerClock: Effect.Effect<Clock.Clock> = Effect.gen(function*() {
  let skew = 0
  const clock = yield* Machine.skewedClock(() => skew)
  return {
    ...clock,
    sleep: (duration) =>
      Effect.suspend(() => {
        // A time limit of a sample is not what passes.
        if (Duration.toMillis(duration) > 1000) return Effect.never
        skew += Duration.toMillis(duration)
        return Effect.yieldNow
      })
  }
})

describe("real memory limit", () => {
  const limit = 512 * Machine.MiB
  if (memoryLimit.obstacle !== undefined) {
    console.warn(`skipped, as no control group with a memory limit can be made here: ${memoryLimit.obstacle}`)
  }
  const limited = it.live.skipIf(memoryLimit.obstacle !== undefined)

  limited("real machine: memory sees 480 of 512 MB held in a control group, and let go", () =>
    Effect.gen(function*() {
      const group = yield* memoryLimit.make(limit)
      const { code, errors, lines, signal } = yield* memoryLimit.run(group, "memory.ts")
      assert.deepStrictEqual([code, signal], [0, null], errors)
      console.log(lines.map((line) => JSON.stringify(line)).join("\n"))
      assert.deepStrictEqual(lines.map(({ phase, isOverloaded }) => [phase, isOverloaded]), [
        ["begin", false],
        ["holding", true],
        ["released", false]
      ])
      for (const { load, own, workingSet } of lines) {
        assert.approximately(Number(load), Number(workingSet) / limit, 0.1 * Number(workingSet) / limit)
        assert.isAtMost(Number(own), Number(load))
      }
      assert.isAtLeast(Number(lines[1].own), 0.8)
    }))

  limited(
    "real machine: a pool finishes within a memory limit in which a fixed concurrency is killed",
    () =>
      Effect.gen(function*() {
        const group = yield* memoryLimit.make(limit)
        const fixed = yield* memoryLimit.run(group, "pool.ts", "fixed")
        assert.strictEqual(fixed.signal, "SIGKILL", fixed.errors)
        const adapted = yield* memoryLimit.run(group, "pool.ts", "stepRatio")
        assert.deepStrictEqual([adapted.code, adapted.signal], [0, null], adapted.errors)
        console.log(JSON.stringify(adapted.lines))
        assert.strictEqual(adapted.lines[0].finished, 300)
      }),
    120_000
  )
})

describe("real process limit", () => {
  if (memoryLimit.obstacleOfProcesses !== undefined) {
    console.warn(
      `skipped, as no control group with a process limit can be made here: ${memoryLimit.obstacleOfProcesses}`
    )
  }
  const limited = it.live.skipIf(memoryLimit.obstacleOfProcesses !== undefined)

  limited(
    "real machine: tasks that start processes finish within a process limit in which a fixed concurrency fails",
    () =>
      Effect.gen(function*() {
        const group = yield* memoryLimit.makeForProcesses(60)
        const [fixed] = (yield* memoryLimit.run(group, "spawn.ts", "fixed")).lines
        assert.isAbove(Number(fixed.refused), 0)
        for (const policy of ["stepRatio", "adaptive"]) {
          const { code, errors, lines } = yield* memoryLimit.run(group, "spawn.ts", policy)
          console.log(`${policy} ${JSON.stringify(lines)}`)
          assert.strictEqual(code, 0, errors)
          assert.deepInclude(lines[0], { finished: 200, refused: 0 })
        }
      }),
    120_000
  )
})
