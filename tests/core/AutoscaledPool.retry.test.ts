/**
 * The option `retry`: failed tasks are tried again, and hold no slot between tries.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Data, type Duration, Effect, Fiber, Option, Queue, Ref, Schedule } from "effect"
import { CurrentTask } from "../../packages/core/src/internal/task/currentTask.ts"
import { monotonicMillis } from "../../packages/core/src/internal/time/monotonic.ts"
import { after, begin, causeOf, failureOf, hasEnded, resultOf, settled, test, wallClock } from "./stage.ts"

class Flaky extends Data.TaggedError("Flaky")<{ readonly item: number }> {}

/** Fails an item so many times, and says when it was tried. */
const flaky = (failures: number, takes: Duration.Input = 0) => {
  const tries: Array<number> = []
  const failed = new Map<number, number>()
  const task = (item: number) =>
    Effect.suspend(() => {
      tries.push(item)
      const so = failed.get(item) ?? 0
      const end = so < failures ? Effect.fail(new Flaky({ item })) : Effect.succeed(item * 10)
      failed.set(item, so + 1)
      return Effect.andThen(Effect.sleep(takes), end)
    })
  return { tries, task }
}

const slots = (desiredConcurrency: number) => ({ concurrencySettings: { desiredConcurrency } })

describe("AutoscaledPool: retry", () => {
  test("a failed task is tried again after the pause of its schedule", function*() {
    const { task, tries } = flaky(2)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), task, {
      retry: { schedule: Schedule.spaced("1 second"), times: 5 }
    })
    const run = yield* begin(pool.run)
    assert.deepStrictEqual(tries, [1])
    yield* after("999 millis")
    assert.deepStrictEqual(tries, [1])
    yield* after("1 milli")
    assert.deepStrictEqual(tries, [1, 1])
    yield* after("1 second")
    const report = yield* resultOf(run)
    assert.deepInclude(report, { outcome: "Finished", started: 3, succeeded: 1, failed: 2, retried: 2 })
    assert.deepStrictEqual(report.blockedShare, { Delayed: 1 })
  })

  test("a pause holds no slot: quick tasks run beside slow retries", function*() {
    const { task } = flaky(1)
    let quick = 0
    const source = TaskSource.fromIterable(Array.from({ length: 40 }, (_, n) => n))
    const pool = yield* AutoscaledPool.fromSource(
      source,
      (n) => n < 4 ? task(n) : Effect.andThen(Effect.sleep("100 millis"), Effect.sync(() => quick++)),
      { ...slots(4), retry: { schedule: Schedule.spaced("10 seconds"), times: 3 } }
    )
    const run = yield* begin(pool.run)
    yield* after("900 millis")
    assert.strictEqual(quick, 36)
    const state = yield* pool.state
    assert.deepInclude(state, { currentConcurrency: 0, delayed: { tasks: 4, next: 10_000 } })
    assert.deepStrictEqual(state.blocker, { _tag: "Delayed", tasks: 4, next: 10_000 })
    yield* after("9100 millis")
    assert.deepInclude(yield* resultOf(run), { succeeded: 40, failed: 4, started: 44, retried: 4 })
  })

  test("the last failure is the run's, and the others are interrupted", function*() {
    const { task, tries } = flaky(Infinity)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), task, { retry: { times: 2 } })
    const error = yield* failureOf(yield* begin(pool.run))
    assert.instanceOf(error, Flaky)
    assert.strictEqual(tries.length, 3)
  })

  for (
    const [name, retry, expected] of [
      ["times", { times: 3 }, 4],
      ["while", { while: (error: Flaky | AutoscaledPool.TaskTimeoutError) => error._tag !== "Flaky" }, 1],
      ["until", { until: () => Effect.succeed(true) }, 1],
      ["until that waits", { until: () => Effect.delay(Effect.succeed(true), "1 second") }, 1],
      ["an ending schedule", { schedule: Schedule.recurs(1) }, 2]
    ] as const
  ) {
    test(`${name} limits the tries as in Effect.retry`, function*() {
      const { task, tries } = flaky(Infinity)
      const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), task, { retry })
      const run = yield* begin(pool.run)
      yield* after("1 second")
      assert.instanceOf(yield* failureOf(run), Flaky)
      const inTask = flaky(Infinity)
      const alone = yield* begin(Effect.flip(Effect.retry(inTask.task(1), retry)))
      yield* after("1 second")
      yield* resultOf(alone)
      assert.deepStrictEqual([tries.length, inTask.tries.length], [expected, expected])
    })
  }

  test("each item has a schedule of its own", function*() {
    const { task, tries } = flaky(2)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2]), task, {
      retry: { schedule: Schedule.exponential("1 second") }
    })
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.deepStrictEqual(tries, [1, 2, 1, 2])
    yield* after("1999 millis")
    assert.strictEqual(tries.length, 4)
    yield* after("1 milli")
    yield* resultOf(run)
  })

  test("defects and interruptions are not tried again", function*() {
    const torn = Effect.failCause(Cause.combine(Cause.fail("no"), Cause.die("and broken")))
    for (const body of [Effect.die("broken"), Effect.interrupt, torn]) {
      let tries = 0
      const pool = yield* AutoscaledPool.fromSource(
        TaskSource.fromIterable([1]),
        () => Effect.andThen(Effect.sync(() => tries++), body),
        { retry: { times: 5 } }
      )
      yield* causeOf(yield* begin(pool.run))
      assert.strictEqual(tries, 1)
    }
  })

  test("what fails the schedule fails the run", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), flaky(9).task, {
      retry: { while: () => Effect.fail("no more" as const) }
    })
    assert.strictEqual(yield* failureOf(yield* begin(pool.run)), "no more")
  })

  test("a schedule that ends after a time ends then", function*() {
    const { task, tries } = flaky(100)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), task, {
      retry: { schedule: Schedule.while(Schedule.spaced("10 seconds"), ({ elapsed }) => elapsed < 25_000) }
    })
    const run = yield* begin(pool.run)
    yield* after("1 hour")
    assert.deepInclude(yield* failureOf(run), { _tag: "Flaky" })
    assert.strictEqual(tries.length, 4) // after 0, 10, 20 and 30 seconds: at 20 there was time left
  })

  for (const jump of [3_600_000, -3_600_000]) {
    test(`a wall clock that jumps by ${jump} ms changes neither pauses nor the end of a schedule`, function*() {
      const { clock, jump: jumpBy } = yield* wallClock
      const schedules = {
        spaced: Schedule.spaced("10 seconds"),
        fixed: Schedule.fixed("10 seconds"),
        windowed: Schedule.windowed("10 seconds"),
        limited: Schedule.while(Schedule.spaced("10 seconds"), ({ elapsed }) => elapsed < 45_000)
      }
      for (const [name, schedule] of Object.entries(schedules)) {
        const tries: Array<number> = []
        const begun = yield* monotonicMillis
        const task = Effect.andThen(
          Effect.map(monotonicMillis, (at) => void tries.push((at - begun) / 1000)),
          Effect.suspend(() => tries.length < 5 ? Effect.fail("again") : Effect.void)
        )
        const story = Effect.gen(function*() {
          const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => task, {
            retry: { schedule }
          })
          const run = yield* begin(pool.run)
          yield* after("15 seconds")
          jumpBy(jump)
          yield* after("25 seconds")
          assert.strictEqual((yield* resultOf(run)).succeeded, 1)
        })
        yield* Effect.provideService(story, Clock.Clock, clock)
        assert.deepStrictEqual(tries, [0, 10, 20, 30, 40], name)
      }
    })
  }

  test("schedules see the services of where the pool was built", function*() {
    const Patience = Context.Service<"Patience", number>("Patience")
    const { task, tries } = flaky(9)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), task, {
      retry: { while: () => Effect.map(Patience, (patience) => tries.length < patience) }
    }).pipe(Effect.provideService(Patience, 4))
    yield* failureOf(yield* begin(pool.run))
    assert.strictEqual(tries.length, 4)
  })

  test("a timeout is a failure of one try", function*() {
    const attempts: Array<number> = []
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(["slow"]),
      () =>
        Effect.flatMap(TaskSource.CurrentAttempt, (attempt) => {
          attempts.push(attempt)
          return Effect.sleep(attempt < 3 ? "1 hour" : "1 second")
        }),
      { taskTimeout: "2 seconds", retry: { while: (error) => error._tag === "TaskTimeoutError" } }
    )
    const run = yield* begin(pool.run)
    yield* after("5 seconds")
    assert.deepInclude(yield* resultOf(run), { succeeded: 1, failed: 2, timedOut: 0, retried: 2 })
    assert.deepStrictEqual(attempts, [1, 2, 3])
  })

  /** Fails until it was tried `tries` times, and notes which attempt it was told that it is. */
  const counting = (tries: number, attempts: Array<number>) =>
    Effect.flatMap(TaskSource.CurrentAttempt, (attempt) => {
      attempts.push(attempt)
      return attempts.length < tries ? Effect.fail("torn" as const) : Effect.void
    })

  test("the tries of an item that its source hands out again go on from the source's count", function*() {
    const attempts: Array<number> = []
    const items = ["item"]
    const source: TaskSource.TaskSource<string> = {
      take: (handle) =>
        Effect.suspend(() => {
          const item = items.pop()
          if (item === undefined) return Effect.succeed("Done" as const)
          return Effect.as(Effect.provideService(handle(item), TaskSource.CurrentAttempt, 4), "Taken" as const)
        })
    }
    const pool = yield* AutoscaledPool.fromSource(source, () => counting(3, attempts), { retry: { times: 5 } })
    assert.deepInclude(yield* resultOf(yield* begin(pool.run)), { succeeded: 1, retried: 3 })
    assert.deepStrictEqual(attempts, [4, 5, 6])
  })

  test("a pool inside a task that is tried again counts the tries of its own tasks", function*() {
    const outer: Array<number> = []
    const inner: Array<number> = []
    const nested = AutoscaledPool.forEach(["a"], () => counting(0, inner))
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([1]),
      () => Effect.andThen(nested, counting(2, outer)),
      { retry: { times: 2 } }
    )
    yield* resultOf(yield* begin(pool.run))
    assert.deepStrictEqual([outer, inner], [[1, 2], [1, 1]])
  })

  test("what onTaskTimeout absorbs is not tried again, and what it fails with is", function*() {
    const pool = (onTaskTimeout: () => Effect.Effect<void, "late">) =>
      AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.sleep("1 hour"), {
        taskTimeout: "1 second",
        onTaskTimeout,
        retry: { times: 2 }
      })
    const absorbed = yield* begin((yield* pool(() => Effect.void)).run)
    const failing = yield* begin((yield* pool(() => Effect.fail("late" as const))).run)
    yield* after("3 seconds")
    assert.deepInclude(yield* resultOf(absorbed), { timedOut: 1, started: 1 })
    assert.strictEqual(yield* failureOf(failing), "late")
  })

  test("a pause is at least what the service asked for", function*() {
    const times: Array<number> = []
    const refused = Effect.withFiber((fiber) => {
      fiber.getRef(CurrentTask)?.reject(times.length === 0 ? 5_000 : 0)
      return Effect.fail("429" as const)
    })
    const now = Effect.clockWith((clock) => clock.currentTimeMillis)
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([1]),
      () =>
        Effect.andThen(Effect.tap(now, () => times.length < 2 ? refused : Effect.void), Effect.void).pipe(
          Effect.onExit(() => Effect.map(now, (at) => void times.push(at)))
        ),
      { retry: { schedule: Schedule.spaced("1 second") } }
    )
    const run = yield* begin(pool.run)
    yield* after("6 seconds")
    assert.deepInclude(yield* resultOf(run), { rejected: 2, succeeded: 1 })
    assert.deepStrictEqual(times, [0, 5_000, 6_000])
  })

  for (const ending of ["abort", "interrupt", "drain", "failure"] as const) {
    test(`what waits for another try is given back by ${ending}`, function*() {
      const { task, tries } = flaky(1)
      let mayFail = true
      const source = TaskSource.fromIterable([1, 2, 3])
      const pool = yield* AutoscaledPool.fromSource(
        source,
        (n) => n === 3 && mayFail ? Effect.andThen(Effect.sleep("1 minute"), Effect.die("3")) : task(n),
        { ...slots(3), retry: { schedule: Schedule.spaced("1 hour") } }
      )
      const run = yield* begin(pool.run)
      assert.deepInclude(yield* pool.state, { delayed: { tasks: 2, next: 3_600_000 } })
      const drained = ending === "drain" ? yield* begin(pool.drain) : undefined
      if (ending === "abort") yield* pool.abort
      if (ending === "interrupt") yield* Fiber.interrupt(run)
      if (ending === "drain") yield* begin(pool.abort)
      if (ending === "failure") yield* after("1 minute")
      yield* settled
      assert.isTrue(hasEnded(run))
      assert.isTrue(drained === undefined || hasEnded(drained))
      mayFail = false
      const second = yield* begin(pool.run)
      const twice = (item: number) => tries.filter((tried) => tried === item).length === 2
      assert.isTrue(twice(1) && twice(2), `tried ${tries.join()}`)
      yield* begin(pool.abort)
      assert.isTrue(hasEnded(second))
    })
  }

  const slow: Record<string, AutoscaledPool.RetryOptions<unknown, never, never>> = {
    "a condition": { while: () => Effect.delay(Effect.succeed(true), "5 seconds"), times: 5 },
    "a schedule": {
      schedule: Schedule.modifyDelay(
        Schedule.recurs(5),
        ({ duration }) => Effect.delay(Effect.succeed(duration), "5 seconds")
      )
    }
  }
  const sources: Record<string, (items: Array<number>) => TaskSource.TaskSource<number>> = {
    "an iterable": TaskSource.fromIterable,
    "a pull": (items) =>
      TaskSource.fromPull(Effect.suspend(() => {
        const item = items.shift()
        return item === undefined ? Cause.done() : Effect.succeed(Option.some(item))
      }))
  }
  for (const [what, retry] of Object.entries(slow)) {
    for (const [name, sourceOf] of Object.entries(sources)) {
      for (const ending of ["abort", "interrupt", "drain", "failure"] as const) {
        test(`while ${what} takes its time, items of ${name} are given back by ${ending}`, function*() {
          const done: Array<number> = []
          let mayFail = true
          const pool = yield* AutoscaledPool.fromSource(
            sourceOf([1, 2, 3]),
            (n) => {
              if (!mayFail) return Effect.sync(() => done.push(n))
              return n === 3 && ending === "failure"
                ? Effect.andThen(Effect.sleep("1 second"), Effect.die("3"))
                : Effect.fail("again")
            },
            { ...slots(3), retry }
          )
          const run = yield* begin(pool.run)
          if (ending === "abort") yield* pool.abort
          if (ending === "interrupt") yield* Fiber.interrupt(run)
          if (ending === "drain") yield* begin(pool.drain)
          mayFail = false
          yield* after("10 seconds")
          assert.isTrue(hasEnded(run))
          yield* resultOf(yield* begin(pool.run))
          assert.includeMembers(done, [1, 2])
        })
      }
    }
  }

  test("a drain gives back what would be tried again, and succeeds", function*() {
    const { task } = flaky(1, "1 second")
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2, 3]), task, {
      ...slots(2),
      retry: { times: 1 }
    })
    const run = yield* begin(pool.run)
    const drain = yield* begin(pool.drain)
    yield* after("1 second")
    yield* resultOf(drain)
    assert.deepInclude(yield* resultOf(run), { outcome: "Drained", started: 2, failed: 2 })
    const second = yield* begin(pool.run)
    yield* after("4 seconds")
    assert.deepInclude(yield* resultOf(second), { succeeded: 3 })
  })

  test("no more than a thousand items wait; then no others are looked for", function*() {
    let pulled = 0
    function* naturals() {
      for (let n = 0;; n++) {
        pulled++
        yield n
      }
    }
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(naturals()), () => Effect.fail("no"), {
      ...slots(10),
      retry: { schedule: Schedule.spaced("1 hour") }
    })
    yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(pulled, 1_000)
    assert.deepInclude(yield* pool.state, { started: 1_000, currentConcurrency: 0 })
    yield* pool.abort
  })

  test("failures that a schedule takes its time over count among the thousand", function*() {
    let failed = 0
    const task = Effect.suspend(() => {
      failed++
      return Effect.fail("no")
    })
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(Array(3_000).keys()), () => task, {
      ...slots(10),
      retry: { while: () => Effect.as(Effect.sleep("1 hour"), true) }
    })
    yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(failed, 1_000)
    yield* pool.abort
  })

  test("make runs its task again, for which no yes is needed", function*() {
    let pages = 3
    let failures = 2
    const asked: Array<boolean> = []
    const pool = yield* AutoscaledPool.make({
      runTask: Effect.suspend(() => {
        pages--
        return failures-- > 0 ? Effect.fail("no") : Effect.void
      }),
      isTaskReady: Effect.sync(() => {
        asked.push(pages > 0)
        return pages > 0
      }),
      isFinished: Effect.sync(() => pages <= 0),
      retry: { schedule: Schedule.spaced("1 second"), while: (error) => error === "no" },
      ...slots(1)
    })
    const run = yield* begin(pool.run)
    yield* after("999 millis")
    assert.strictEqual(asked.filter((yes) => yes).length, 3)
    assert.isFalse(hasEnded(run))
    yield* after("1 milli")
    assert.deepInclude(yield* resultOf(run), { started: 5, succeeded: 3, failed: 2, retried: 2 })
  })

  test("forEach puts the result of the last try in its place", function*() {
    const { task } = flaky(2)
    const run = yield* begin(AutoscaledPool.forEach([3, 4], task, { retry: { schedule: Schedule.spaced("1 second") } }))
    yield* after("2 seconds")
    assert.deepStrictEqual(yield* resultOf(run), [30, 40])
  })

  it.effect("a service has it too", () => {
    let failures = 1
    class Crawl extends AutoscaledPool.Service<Crawl>()("test/Crawl", {
      runTask: Effect.suspend(() => failures-- > 0 ? Effect.fail("no") : Effect.void),
      isTaskReady: Effect.sync(() => failures >= 0),
      isFinished: Effect.sync(() => failures < 0),
      retry: { times: 1 }
    }) {}
    return Effect.gen(function*() {
      const report = yield* Crawl.use((pool) => pool.run)
      assert.deepInclude(report, { succeeded: 1, failed: 1 })
    }).pipe(Effect.provide(Crawl.layer), Effect.provide(SystemStatus.layerTest))
  })

  test("a leased item keeps its lease between tries", function*() {
    const leased = yield* Ref.make(0)
    const ended: Array<string> = []
    const items = [1, 2]
    const source: TaskSource.TaskSource<number> = {
      take: (handle) =>
        Effect.suspend(() => {
          const item = items.shift()
          if (item === undefined) return Effect.succeed("Done" as const)
          return Effect.acquireUseRelease(
            Ref.update(leased, (n) => n + 1),
            () => Effect.as(handle(item), "Taken" as const),
            (_, exit) => Effect.andThen(Ref.update(leased, (n) => n - 1), Effect.sync(() => ended.push(exit._tag)))
          )
        })
    }
    const pool = yield* AutoscaledPool.fromSource(source, flaky(1).task, {
      retry: { schedule: Schedule.spaced("1 second") }
    })
    const run = yield* begin(pool.run)
    assert.strictEqual(yield* Ref.get(leased), 2)
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(run), { succeeded: 2, retried: 2 })
    assert.deepStrictEqual(ended, ["Success", "Success"])
  })

  test("items that arrive meanwhile start at once", function*() {
    const queue = yield* Queue.unbounded<number>()
    const { task, tries } = flaky(1)
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromQueue(queue),
      (n) => n === 1 ? task(n) : Effect.sync(() => tries.push(n)),
      { retry: { schedule: Schedule.spaced("1 minute") } }
    )
    yield* begin(pool.run)
    yield* Queue.offer(queue, 1)
    yield* after("1 second")
    yield* Queue.offer(queue, 2)
    yield* settled
    assert.deepStrictEqual(tries, [1, 2])
    yield* pool.abort
  })

  for (
    const [field, retry] of [
      ["retry.times", { times: -1 }],
      ["retry.times", { times: NaN }],
      ["retry.times", { times: "2" }],
      ["retry.while", { while: true }],
      ["retry.until", { until: "gone" }],
      ["retry.schedule", { schedule: "1 second" }],
      ["retry", Schedule.recurs(3)]
    ] as const
  ) {
    test(`${field} ${Schedule.isSchedule(retry) ? "that is a schedule" : JSON.stringify(retry)} is refused`, function*() {
      // The compiler refuses some of them too.
      const options = { retry } as unknown as AutoscaledPool.PoolOptions<number>
      const error = yield* Effect.flip(AutoscaledPool.fromSource(TaskSource.fromIterable([1]), Effect.succeed, options))
      assert.strictEqual(error.field, field)
    })
  }

  test("nothing is tried where a pool is held", function*() {
    const { task, tries } = flaky(1)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), task, { retry: { times: 1 } })
    yield* pool.pause
    const run = yield* begin(pool.run)
    yield* pool.resume
    yield* pool.pauseFor("1 minute")
    yield* after("59 seconds")
    assert.deepStrictEqual(tries, [])
    yield* after("1 second")
    assert.isTrue(Option.isSome(Option.fromNullishOr(run.pollUnsafe())))
  })
})
