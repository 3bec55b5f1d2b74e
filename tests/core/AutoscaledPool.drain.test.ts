/**
 * Drain: nothing more starts, what runs may end, what waits is given back, and the run succeeds.
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Option, Queue } from "effect"
import { after, begin, failureOf, hasEnded, jobs, resultOf, settled, test, withSlowFinalizer } from "./stage.ts"

const slots = (desiredConcurrency: number) => ({ concurrencySettings: { desiredConcurrency } })

const sleepers = (seconds: number, count: number) => Array.from({ length: count }, () => seconds)

const sleeping = (seconds: number) => Effect.sleep(`${seconds} seconds`)

describe("AutoscaledPool: drain", () => {
  test("lets running tasks end, starts nothing more, and the next run goes on where it stopped", function*() {
    const { plan, tally, work } = jobs(10)
    const pool = yield* AutoscaledPool.make({ ...work, ...slots(3) })
    const run = yield* begin(pool.run)
    yield* after("500 millis")
    const drain = yield* begin(pool.drain)
    assert.deepInclude(yield* pool.state, { phase: "Draining", currentConcurrency: 3 })
    assert.deepStrictEqual((yield* pool.state).blocker, { _tag: "Draining" })
    assert.isFalse(hasEnded(drain))
    yield* after("500 millis")
    yield* resultOf(drain)
    const report = yield* resultOf(run)
    assert.deepInclude(report, { outcome: "Drained", started: 3, succeeded: 3, interrupted: 0 })
    assert.closeTo(report.blockedShare.Draining ?? 0, 0.5, 1e-9)
    assert.strictEqual(plan.left, 7)
    const second = yield* begin(pool.run)
    yield* after("3 seconds")
    assert.deepInclude(yield* resultOf(second), { outcome: "Finished", succeeded: 7 })
    assert.strictEqual(tally.interrupted, 0)
  })

  test("a run with nothing in flight ends at once, whatever it waits for", function*() {
    const queue = yield* Queue.unbounded<number>()
    const pools = [
      yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), sleeping),
      yield* AutoscaledPool.fromSource(TaskSource.fromQueue(yield* Queue.bounded<number>(0)), sleeping),
      yield* AutoscaledPool.fromSource(TaskSource.fromPull(Effect.as(Effect.never, Option.some(1))), sleeping),
      yield* AutoscaledPool.fromSource(TaskSource.fromPull(Effect.succeedNone), sleeping),
      yield* AutoscaledPool.make({
        runTask: Effect.void,
        isTaskReady: Effect.never,
        isFinished: Effect.succeed(false)
      }),
      yield* AutoscaledPool.make({
        runTask: Effect.void,
        isTaskReady: Effect.succeed(false),
        isFinished: Effect.never
      })
    ]
    for (const pool of pools) {
      const run = yield* begin(pool.run)
      yield* resultOf(yield* begin(pool.drain))
      assert.deepInclude(yield* resultOf(run), { outcome: "Drained", started: 0 })
    }
    yield* Queue.offer(queue, 0)
    const again = yield* begin(pools[0].run)
    yield* after("1 milli")
    assert.deepInclude(yield* pools[0].state, { succeeded: 1 })
    yield* begin(pools[0].drain)
    assert.isTrue(hasEnded(again))
  })

  test("what has arrived and not started goes back to its source", function*() {
    const taken: Array<number> = []
    const items = [1, 2, 3, 4]
    const source: TaskSource.TaskSource<number> = {
      take: (handle) =>
        Effect.suspend(() => {
          const item = items.shift()
          if (item === undefined) return Effect.succeed("Empty" as const)
          taken.push(item)
          return handle(item).pipe(
            Effect.onInterrupt(() => Effect.sync(() => items.unshift(item))),
            Effect.as("Taken" as const)
          )
        })
    }
    const pool = yield* AutoscaledPool.fromSource(source, () => sleeping(1), {
      concurrencySettings: { desiredConcurrency: 2, maxTasksPerMinute: 60 }
    })
    const run = yield* begin(pool.run)
    yield* after("500 millis")
    yield* begin(pool.drain)
    yield* after("500 millis")
    assert.deepInclude(yield* resultOf(run), { outcome: "Drained", started: 1, succeeded: 1 })
    assert.deepStrictEqual(items, [2, 3, 4])
  })

  test("a failure of a task still ends the run", function*() {
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([1, 5]),
      (seconds) => Effect.andThen(sleeping(seconds), seconds === 1 ? Effect.fail("broken") : Effect.void)
    )
    const run = yield* begin(pool.run)
    const drain = yield* begin(pool.drain)
    yield* after("1 second")
    assert.strictEqual(yield* failureOf(run), "broken")
    yield* resultOf(drain)
  })

  test("time limits still hold, and their handlers run", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([60]), sleeping, {
      taskTimeout: "2 seconds",
      onTaskTimeout: () => sleeping(1)
    })
    const run = yield* begin(pool.run)
    yield* begin(pool.drain)
    yield* after("3 seconds")
    assert.deepInclude(yield* resultOf(run), { outcome: "Drained", timedOut: 1 })
  })

  test("abort ends what takes too long", function*() {
    let finalized = 0
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(sleepers(60, 2)),
      (seconds) => withSlowFinalizer(sleeping(seconds), () => finalized++)
    )
    const run = yield* begin(pool.run)
    const drain = yield* begin(
      Effect.timeoutOrElse(pool.drain, { duration: "20 seconds", orElse: () => pool.abort })
    )
    yield* after("20 seconds")
    assert.deepInclude(yield* pool.state, { phase: "Ending" })
    yield* after("1 second")
    yield* resultOf(drain)
    assert.deepInclude(yield* resultOf(run), { outcome: "Aborted", interrupted: 2 })
    assert.strictEqual(finalized, 2)
  })

  test("interrupting the run during a drain interrupts what is in flight", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([60]), sleeping)
    const run = yield* begin(pool.run)
    const drain = yield* begin(pool.drain)
    yield* Fiber.interrupt(run)
    assert.isTrue(hasEnded(run))
    yield* resultOf(drain)
  })

  test("who stops waiting for a drain does not take it back, and a second one waits for the same end", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(sleepers(3, 20)), sleeping, slots(1))
    const run = yield* begin(pool.run)
    const first = yield* begin(pool.drain)
    yield* Fiber.interrupt(first)
    const second = yield* begin(pool.drain)
    yield* after("3 seconds")
    yield* resultOf(second)
    assert.deepInclude(yield* resultOf(run), { outcome: "Drained", started: 1 })
  })

  test("from inside a task it does not wait, nor from inside a nested pool's", function*() {
    for (const isNested of [false, true]) {
      let wentOn = false
      const task: Effect.Effect<void> = Effect.suspend(() =>
        Effect.andThen(pool.drain, Effect.sync(() => void (wentOn = true)))
      )
      const nested = Effect.orDie(AutoscaledPool.forEach([1], () => task, { discard: true }))
      const pool: AutoscaledPool.AutoscaledPool<unknown> = yield* AutoscaledPool.fromSource(
        TaskSource.fromIterable([1, 2, 3]),
        () => isNested ? nested : task,
        slots(1)
      )
      assert.deepInclude(yield* resultOf(yield* begin(pool.run)), { outcome: "Drained", started: 1, succeeded: 1 })
      assert.isTrue(wentOn)
    }
  })

  test("between runs it has no effect, and in every other state it is safe", function*() {
    const { work } = jobs(5)
    const pool = yield* AutoscaledPool.make({ ...work, ...slots(1) })
    yield* resultOf(yield* begin(pool.drain))
    yield* pool.pause
    const paused = yield* begin(pool.run)
    yield* resultOf(yield* begin(pool.drain))
    assert.deepInclude(yield* resultOf(paused), { outcome: "Drained", started: 0 })
    assert.isTrue((yield* pool.state).isPaused)
    yield* pool.resume

    const aborted = yield* begin(pool.run)
    yield* settled
    const abort = yield* begin(pool.abort)
    yield* resultOf(yield* begin(pool.drain))
    yield* resultOf(abort)
    assert.deepInclude(yield* resultOf(aborted), { outcome: "Aborted" })

    // In the same turn in which the run begins.
    const both = yield* begin(Effect.all([pool.run, pool.drain], { concurrency: 2 }))
    yield* after("1 second")
    const [report] = yield* resultOf(both)
    assert.deepInclude(report, { outcome: "Drained" })
    const rest = yield* begin(pool.run)
    yield* after("5 seconds")
    assert.deepInclude(yield* resultOf(rest), { outcome: "Finished", started: 4 - report.started })
  })

  test("a run that is over when it drains has finished", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), sleeping)
    const run = yield* begin(pool.run)
    yield* after("1 second")
    yield* resultOf(yield* begin(pool.drain))
    assert.deepInclude(yield* resultOf(run), { outcome: "Finished" })
  })
})
