/**
 * `pauseFor`: nothing starts before a time.
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, type Duration, Effect, Exit, Fiber, Stream } from "effect"
import { after, begin, hasEnded, jobs, resultOf, settled, test } from "./stage.ts"

const slots = (desiredConcurrency: number) => ({ concurrencySettings: { desiredConcurrency } })

describe("AutoscaledPool: pauseFor", () => {
  test("the latest of several wins, and none cuts another short", function*() {
    const { tally, work } = jobs(100)
    const pool = yield* AutoscaledPool.make({ ...work, ...slots(2) })
    yield* begin(pool.run)
    yield* pool.pauseFor("10 seconds")
    yield* after("1 second")
    yield* pool.pauseFor("30 seconds")
    yield* pool.pauseFor("2 seconds")
    yield* pool.pauseFor(0)
    assert.deepInclude(yield* pool.state, { isPaused: false, pausedUntil: 31_000, currentConcurrency: 0 })
    assert.deepStrictEqual((yield* pool.state).blocker, { _tag: "Paused", until: 31_000 })
    yield* after("29999 millis")
    assert.strictEqual(tally.started, 2)
    yield* after("1 milli")
    assert.strictEqual(tally.started, 4)
    assert.deepInclude(yield* pool.state, { pausedUntil: undefined })
    yield* begin(pool.abort)
  })

  test("resume ends only what pause began, and the end of a hold does not end a pause", function*() {
    const { tally, work } = jobs(10)
    const pool = yield* AutoscaledPool.make(work)
    yield* pool.pause
    yield* pool.pauseFor("10 seconds")
    yield* begin(pool.run)
    assert.deepStrictEqual((yield* pool.state).blocker, { _tag: "Paused" })
    yield* pool.resume
    yield* after("9 seconds")
    assert.strictEqual(tally.started, 0)
    yield* pool.pause
    yield* after("5 seconds")
    assert.strictEqual(tally.started, 0)
    yield* pool.resume
    yield* settled
    assert.strictEqual(tally.started, 10)
    yield* begin(pool.abort)
  })

  test("from inside a task it holds the others, and the task goes on", function*() {
    const started: Array<number> = []
    const pool: AutoscaledPool.AutoscaledPool<unknown> = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([1, 2, 3]),
      (n) =>
        Effect.suspend(() => {
          started.push(n)
          return n === 1 ? Effect.andThen(pool.pauseFor("1 minute"), Effect.sleep("1 second")) : Effect.void
        }),
      slots(1)
    )
    const run = yield* begin(pool.run)
    yield* after("59 seconds")
    assert.deepStrictEqual(started, [1])
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(run), { succeeded: 3 })
  })

  test("it is kept from run to run", function*() {
    const { tally, work } = jobs(3)
    const pool = yield* AutoscaledPool.make(work)
    yield* pool.pauseFor("1 minute")
    yield* after("10 seconds")
    const first = yield* begin(pool.run)
    yield* begin(pool.abort)
    assert.deepInclude(yield* resultOf(first), { started: 0 })
    yield* begin(pool.run)
    yield* after("49 seconds")
    assert.strictEqual(tally.started, 0)
    yield* after("1 second")
    assert.strictEqual(tally.started, 3)
    yield* begin(pool.abort)
  })

  test("a run with nothing left does not wait for its end", function*() {
    for (
      const source of [
        TaskSource.fromIterable<number>([]),
        TaskSource.fromPull<number, never, never>(Effect.delay(Effect.succeedNone, "1 second"))
      ]
    ) {
      const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void)
      yield* pool.pauseFor("1 hour")
      const run = yield* begin(pool.run)
      yield* after("2 seconds")
      const isEmpty = hasEnded(run)
      yield* begin(pool.abort)
      assert.isTrue(hasEnded(run))
      if (isEmpty) assert.deepInclude(yield* resultOf(run), { outcome: "Finished" })
    }
  })

  test("a time that is none is a defect that says so; one that is negative or no number holds nothing", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.void)
    for (const time of ["soon", undefined]) {
      const exit = yield* Effect.exit(pool.pauseFor(time as Duration.Input)) // the compiler refuses some of them
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) assert.include(Cause.pretty(exit.cause), "duration cannot be")
    }
    for (const time of [-1000, NaN]) yield* pool.pauseFor(time)
    assert.strictEqual((yield* pool.run).succeeded, 1)
  })

  test("abort, drain and interruption end a run that is held", function*() {
    for (const ending of ["abort", "drain", "interrupt"] as const) {
      const { work } = jobs(3)
      const pool = yield* AutoscaledPool.make(work)
      yield* pool.pauseFor("Infinity")
      const run = yield* begin(pool.run)
      if (ending === "interrupt") yield* Fiber.interrupt(run)
      else yield* begin(pool[ending])
      assert.isTrue(hasEnded(run))
    }
  })

  test("tells that it holds, once for each later end", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.void)
    const seen = yield* begin(Stream.runCollect(Stream.take(pool.events, 2)))
    yield* pool.pauseFor("10 seconds")
    yield* pool.pauseFor("5 seconds")
    yield* pool.pauseFor("20 seconds")
    yield* settled
    assert.deepStrictEqual((yield* resultOf(seen)).map(({ _tag }) => _tag), ["PausedFor", "PausedFor"])
  })
})
