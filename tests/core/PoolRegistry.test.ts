import { AutoscaledPool, PoolRegistry, PoolSnapshot, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { after, begin, jobs } from "./stage.ts"

/** A test with a registry of its own. */
const test = (
  name: string,
  body: (registry: PoolRegistry.PoolRegistry) => Generator<
    Effect.Effect<unknown, unknown, SystemStatus.SystemStatus | SystemStatus.TestSystemStatus>,
    void,
    never
  >
) =>
  it.effect(name, () => {
    const registry = PoolRegistry.makeUnsafe()
    return Effect.andThen(TestClock.adjust(0), Effect.gen(() => body(registry))).pipe(
      Effect.provide(SystemStatus.layerTest),
      Effect.provideService(PoolRegistry.PoolRegistry, registry)
    )
  })

const poolOf = (name: string, count = 3) => AutoscaledPool.make({ ...jobs(count).work, name, loggingInterval: null })

describe("PoolRegistry", () => {
  test("has a pool from the start of its run to its end, and what it did after that", function*(registry) {
    const pool = yield* poolOf("resize")
    assert.deepStrictEqual(registry.pools(), [])
    const run = yield* begin(pool.run)
    assert.deepStrictEqual(registry.pools().map(({ name }) => name), ["resize"])
    assert.strictEqual(registry.find("resize")?.snapshot().current, 3)
    yield* after("1 second")
    yield* Fiber.join(run)
    const [ended] = registry.pools()
    assert.isUndefined(ended.controls)
    const { current, holding, phase, run: progress, totals } = ended.snapshot()
    assert.deepStrictEqual([current, holding, phase, progress?.ended], [0, undefined, "Idle", 3])
    assert.deepInclude(totals, { started: 3, succeeded: 3 })
    assert.strictEqual(totals.runs.Finished, 1)
  })

  test("goes on counting where the last run of that name ended, whichever pool it was", function*(registry) {
    for (const expected of [3, 6, 9]) {
      const pool = yield* poolOf("resize")
      const run = yield* begin(pool.run)
      yield* after("1 second")
      yield* Fiber.join(run)
      const { durations, totals } = yield* pool.snapshot
      assert.deepStrictEqual([totals.succeeded, durations.count, totals.runs.Finished], [
        expected,
        expected,
        expected / 3
      ])
    }
    assert.strictEqual(registry.pools().length, 1)
  })

  test("numbers pools of one name that run at the same time, and frees the name", function*(registry) {
    const runs = yield* Effect.forEach([1, 2, 3], () => Effect.flatMap(poolOf("pool"), (pool) => begin(pool.run)))
    assert.deepStrictEqual(registry.pools().map(({ name }) => name), ["pool", "pool#2", "pool#3"])
    yield* after("1 second")
    yield* Effect.forEach(runs, Fiber.join)
    const again = yield* Effect.flatMap(poolOf("pool"), (pool) => begin(pool.run))
    assert.strictEqual(registry.find("pool")?.controls === undefined, false)
    yield* after("1 second")
    yield* Fiber.join(again)
  })

  test("counts a run by how it ended, whatever ends it", function*(registry) {
    const failing = yield* AutoscaledPool.make({
      ...jobs(1, () => Effect.fail("broken")).work,
      name: "failing",
      loggingInterval: null
    })
    yield* Effect.exit(failing.run)
    const aborted = yield* poolOf("aborted")
    const run = yield* begin(aborted.run)
    yield* aborted.abort
    yield* Fiber.join(run)
    const interrupted = yield* poolOf("interrupted")
    yield* Fiber.interrupt(yield* begin(interrupted.run))
    const runs = Object.fromEntries(registry.pools().map((pool) => [pool.name, pool.snapshot().totals.runs]))
    assert.deepStrictEqual(
      [runs["failing"].Failed, runs["aborted"].Aborted, runs["interrupted"].Interrupted],
      [1, 1, 1]
    )
  })

  test("keeps the last hundred names, so that names made up for each run do not pile up", function*(registry) {
    for (let n = 0; n < 130; n++) {
      yield* Effect.flatMap(
        AutoscaledPool.make({ ...jobs(0).work, name: `page ${n}`, loggingInterval: null }),
        (pool) => pool.run
      )
    }
    const names = registry.pools().map(({ name }) => name)
    assert.strictEqual(names.length, 100)
    assert.strictEqual(names.at(-1), "page 129")
  })

  test("tells of pools that enter and leave, and of what happens to them", function*(registry) {
    const pool = yield* poolOf("resize")
    const seen: Array<string> = []
    const watcher = yield* begin(
      Stream.runForEach(
        registry.events,
        (event) => Effect.sync(() => seen.push(event._tag === "Told" ? event.event._tag : event._tag))
      )
    )
    const run = yield* begin(pool.run)
    yield* pool.pause
    yield* pool.resume
    yield* after("1 second")
    yield* Fiber.join(run)
    yield* after(0)
    assert.deepStrictEqual(seen, ["Entered", "RunStarted", "Paused", "Resumed", "Left", "RunEnded"])
    yield* Fiber.interrupt(watcher)
  })

  test("gives views the means to steer a pool that runs", function*(registry) {
    const pool = yield* poolOf("resize", 100)
    const run = yield* begin(pool.run)
    const { controls } = registry.pools()[0]
    yield* controls?.configure({ maxConcurrency: 2 }) ?? Effect.die("no controls")
    yield* after("1 second")
    assert.strictEqual(registry.pools()[0].snapshot().current, 2)
    yield* controls?.abort ?? Effect.die("no controls")
    assert.strictEqual((yield* Fiber.join(run)).outcome, "Aborted")
  })
})

describe("PoolSnapshot", () => {
  test("says what holds a pool back, since when, and whether it is the caller's own maximum", function*() {
    const pool = yield* AutoscaledPool.make({
      ...jobs(100).work,
      loggingInterval: null,
      concurrencySettings: { maxConcurrency: 4, desiredConcurrency: 4 }
    })
    const run = yield* begin(pool.run)
    yield* after("2500 millis")
    const { at, holding } = yield* pool.snapshot
    // Tasks have replaced each other twice: what holds the pool back has been the same all the time.
    assert.deepStrictEqual([holding?.blocker, holding?.isAtMaximum, at - (holding?.since ?? 0)], [
      { _tag: "AtDesired" },
      true,
      2500
    ])
    yield* pool.pause
    yield* after("1 second")
    assert.strictEqual((yield* pool.snapshot).holding?.blocker._tag, "Paused")
    yield* pool.abort
    yield* Fiber.join(run)
  })

  test("has the ages of the oldest tasks, ten at most", function*() {
    const { work } = jobs(50, (index) => Effect.sleep(index < 2 ? "1 hour" : "1 second"))
    const pool = yield* AutoscaledPool.make({
      ...work,
      concurrencySettings: { desiredConcurrency: 12 },
      loggingInterval: null
    })
    const run = yield* begin(pool.run)
    yield* after("1500 millis")
    assert.strictEqual(yield* pool.currentConcurrency, 12)
    const { oldestAges } = yield* pool.snapshot
    assert.deepStrictEqual(oldestAges, [1500, 1500, 500, 500, 500, 500, 500, 500, 500, 500])
    yield* Fiber.interrupt(run)
  })

  test("has the total of a source that knows it, as it is now, and in a second run what was left", function*() {
    const items = [1, 2, 3, 4, 5]
    const source = TaskSource.fromIterable(items)
    const pool = yield* AutoscaledPool.fromSource(source, () => Effect.sleep("1 second"), {
      concurrencySettings: { maxConcurrency: 2 },
      loggingInterval: null
    })
    const progress = Effect.map(pool.snapshot, ({ run }) => [run?.ended, run?.total])
    const first = yield* begin(pool.run)
    assert.deepStrictEqual(yield* progress, [0, 5])
    yield* after("1 second")
    assert.deepStrictEqual(yield* progress, [2, 5])
    yield* pool.abort
    yield* Fiber.join(first)
    const second = yield* begin(pool.run)
    items.push(6)
    assert.deepStrictEqual(yield* progress, [0, 4])
    yield* after("2 seconds")
    yield* Fiber.join(second)
    assert.deepStrictEqual(yield* progress, [4, 4])
  })

  test("has the total of forEach, and none where nobody knows it", function*() {
    const totalOf = (items: Iterable<number>) =>
      Effect.gen(function*() {
        const run = yield* begin(
          AutoscaledPool.forEach(items, () => Effect.sleep("1 second"), { loggingInterval: null })
        )
        const total = (yield* PoolRegistry.snapshots)[0].run?.total
        yield* after("1 second")
        yield* Fiber.join(run)
        return total
      })
    assert.strictEqual(yield* totalOf([1, 2]), 2)
    assert.strictEqual(yield* totalOf(new Set([1, 2, 3])), 3)
    assert.strictEqual(yield* totalOf(new Map([[1, 1]]).keys()), undefined)
  })

  test("counts an item that is tried again once", function*() {
    let tries = 0
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(["a", "b"]),
      (item) => Effect.suspend(() => item === "a" && ++tries < 3 ? Effect.fail("no") : Effect.void),
      { retry: { schedule: Schedule.spaced("1 second") }, loggingInterval: null }
    )
    const progress = Effect.map(pool.snapshot, ({ run }) => [run?.ended, run?.total])
    const run = yield* begin(pool.run)
    assert.deepStrictEqual(yield* progress, [1, 2])
    yield* after("1 second")
    assert.deepStrictEqual(yield* progress, [1, 2])
    yield* after("1 second")
    yield* Fiber.join(run)
    assert.deepStrictEqual(yield* progress, [2, 2])
  })

  test("two of them give a rate and percentiles", function*() {
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(Array.from({ length: 100 }, (_, n) => n)),
      (n) => Effect.sleep(n < 90 ? 100 : 2000),
      { loggingInterval: null, concurrencySettings: { desiredConcurrency: 100 } }
    )
    const before = yield* pool.snapshot
    const run = yield* begin(pool.run)
    yield* after("4 seconds")
    yield* Fiber.join(run)
    const change = PoolSnapshot.between(before, yield* pool.snapshot)
    assert.strictEqual(change.perSecond, 25)
    assert.approximately(change.p50 ?? 0, 100, 25)
    assert.approximately(change.p95 ?? 0, 1750, 250)
  })
})
