/**
 * Random programs over several pools and effects under one governor: whatever is done to them, no permit is lost, none is
 * overdrawn, and every item is worked on; and tasks that await others never wait for each other for ever.
 */
import { AutoscaledPool, ConcurrencyGovernor, KeyedLimits, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Effect, type Fiber } from "effect"
import { after, begin, hasEnded, settled, test } from "../stage.ts"
import { randomFrom } from "./world.ts"

const programs = 30
const steps = 40

describe("ConcurrencyGovernor, shared: random programs", () => {
  for (let seed = 1; seed <= programs; seed++) {
    test(`number ${seed}`, function*() {
      const random = randomFrom(seed)
      const below = (count: number) => Math.floor(random() * count)
      const governor = yield* ConcurrencyGovernor.make({ desiredConcurrency: 1 + below(8), maxConcurrency: 8 })
      const perSecond = 4
      const keys = yield* KeyedLimits.make({
        key: (n: number) => n % 3,
        concurrency: 2,
        rate: { limit: perSecond, window: "1 second" }
      })
      const starts: ReadonlyArray<Array<number>> = [[], [], []]
      const status = yield* SystemStatus.TestSystemStatus
      let permits = 0
      let done = 0
      const held = (weight: number, body: Effect.Effect<unknown>) =>
        Effect.acquireUseRelease(
          Effect.sync(() => permits += weight),
          () => body,
          () => Effect.sync(() => permits -= weight)
        )
      const items = 60
      const makePool = (number: number) => {
        const weight = 1 + below(3)
        const durations = Array.from({ length: 7 }, () => below(3) * 300 + 20)
        const isKeyed = below(2) === 0
        const task = (n: number) =>
          Effect.clockWith((clock) => {
            if (isKeyed) starts[n % 3].push(clock.currentTimeMillisUnsafe())
            return Effect.andThen(
              held(weight, Effect.uninterruptible(Effect.sleep(durations[n % durations.length]))),
              Effect.sync(() => done++)
            )
          })
        return AutoscaledPool.fromSource(TaskSource.fromIterable(Array.from({ length: items }, (_, n) => n)), task, {
          name: `pool ${number}`,
          governor,
          weight,
          share: 1 + below(4),
          ...(isKeyed ? { keys } : {}),
          concurrencySettings: { minConcurrency: below(2), maxConcurrency: 2 + below(6) },
          loggingInterval: null
        })
      }
      const pools = yield* Effect.forEach([1, 2, 3], makePool)
      const runs: Array<Fiber.Fiber<unknown, unknown>> = []
      const run = (pool: (typeof pools)[number]) =>
        Effect.map(begin(Effect.ignore(pool.run)), (fiber) => void runs.push(fiber))
      for (const pool of pools) yield* run(pool)
      const effects: Array<Fiber.Fiber<unknown>> = []
      for (let step = 0; step < steps; step++) {
        const pool = pools[below(pools.length)]
        const action = below(10)
        if (action === 0) yield* begin(pool.abort)
        else if (action === 1) yield* run(pool)
        else if (action === 2) yield* pool.pause
        else if (action === 3) yield* pool.resume
        else if (action === 4) yield* governor.configure({ desiredConcurrency: 1 + below(8) })
        else if (action === 5) yield* pool.configure({ maxConcurrency: 2 + below(6) })
        else if (action === 6) yield* status.set("cpu", { isOverloaded: below(2) === 0 })
        else if (action === 7) {
          effects.push(yield* begin(governor.withPermits(1 + below(2))(held(1, Effect.sleep(below(900))))))
        } else if (action === 8) effects.at(-1)?.interruptUnsafe()
        yield* after(below(700))
        const { consumers, inUse } = yield* governor.state
        assert.strictEqual(inUse, consumers.reduce((sum, { permits }) => sum + permits, 0))
        assert.isAtLeast(inUse, permits)
        // A heavy task that takes more than there are runs alone; desired may have been lowered under what runs.
        assert.isAtMost(inUse, 8)
      }
      yield* status.set("cpu", {})
      for (const pool of pools) {
        yield* pool.resume
        yield* run(pool)
      }
      yield* after("10 minutes")
      yield* settled
      for (const pool of pools) yield* run(pool) // what an abort gave back
      yield* after("10 minutes")
      assert.strictEqual(done, 3 * items)
      assert.strictEqual(permits, 0)
      assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
      assert.strictEqual((yield* keys.state).parked, 0)
      for (const times of starts) {
        for (const from of times) {
          const inWindow = times.filter((at) => at >= from && at < from + 999.99)
          assert.isAtMost(inWindow.length, perSecond)
        }
      }
    })
  }
})

describe("ConcurrencyGovernor, shared: random programs of tasks in tasks", () => {
  for (let seed = 1; seed <= programs; seed++) {
    test(`number ${seed}`, function*() {
      const random = randomFrom(seed)
      const below = (count: number) => Math.floor(random() * count)
      const governor = yield* ConcurrencyGovernor.make({
        desiredConcurrency: 1 + below(4),
        maxConcurrency: 4,
        maxTasksPerMinute: below(3) === 0 ? 240 : Infinity
      })
      const other = yield* governor.consumer({ name: "other", maxConcurrency: 2 })
      const system = yield* SystemStatus.SystemStatus
      const status = yield* SystemStatus.TestSystemStatus
      let ended = 0

      /** An effect or a pool that awaits others, which take as many permits as it does, or more. */
      const tree = (depth: number): Effect.Effect<unknown> => {
        const children = depth === 0 ? [] : Array.from({ length: below(4) }, () => tree(depth - 1))
        const concurrency = below(2) === 0 ? 1 : "unbounded"
        const [first, last] = [below(300), below(300)]
        const kind = below(4)
        const weight = 1 + below(5)
        if (kind === 0) {
          const pool = AutoscaledPool.forEach(children, (child) => child, { governor, weight, loggingInterval: null })
          return Effect.provideService(Effect.orDie(pool), SystemStatus.SystemStatus, system)
        }
        const body = Effect.sleep(first).pipe(
          Effect.andThen(Effect.forEach(children, (child) => child, { concurrency })),
          Effect.andThen(Effect.sleep(last)),
          Effect.ensuring(Effect.sync(() => ended++))
        )
        if (kind === 1) return Effect.asVoid(Effect.forkDetach(governor.withPermit(body)))
        return (kind === 2 ? other : governor).withPermits(weight)(body)
      }
      const runs: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let step = 0; step < steps; step++) {
        const action = below(8)
        if (action < 4) runs.push(yield* begin(tree(3)))
        else if (action === 4) yield* governor.configure({ desiredConcurrency: 1 + below(4) })
        else if (action === 5) yield* status.set("cpu", { isOverloaded: below(2) === 0 })
        else if (action === 6 && runs.length > 0) runs[below(runs.length)].interruptUnsafe()
        yield* after(below(500))
        const { consumers, inUse } = yield* governor.state
        assert.strictEqual(inUse, consumers.reduce((sum, { permits }) => sum + permits, 0))
      }
      yield* status.set("cpu", {})
      yield* after("60 minutes")
      yield* settled
      for (const run of runs) assert.isTrue(hasEnded(run), `${ended} have ended`)
      assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
    })
  }
})
