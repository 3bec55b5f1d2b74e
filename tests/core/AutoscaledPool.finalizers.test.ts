/**
 * Finalizers that take long, or never return.
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Option, Stream } from "effect"
import { after, begin, failureOf, hasEnded, log, resultOf, test } from "./stage.ts"

const slots = (desiredConcurrency: number) => ({
  concurrencySettings: { desiredConcurrency, maxConcurrency: desiredConcurrency }
})

/** Works for so long, and then closes its browser, which takes so long. */
const browser = (works: Duration.Input, closes: Duration.Input, closed: () => void = () => {}) =>
  Effect.acquireUseRelease(
    Effect.void,
    () => Effect.sleep(works),
    () => Effect.andThen(Effect.sleep(closes), Effect.sync(closed))
  )

const never = "10000 days"

describe("AutoscaledPool: finalizers", () => {
  test("those that never return are shown, blamed and warned of once", function*() {
    const { layer, lines } = log()
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([1, 2, 3]),
      () => browser("1 hour", never),
      { ...slots(2), loggingInterval: null }
    )
    // Detached, because the test would wait for the end of its children, as the run does.
    const run = yield* Effect.forkDetach(Effect.provide(pool.run, layer))
    yield* after("1 second")
    const abort = yield* Effect.forkDetach(pool.abort)
    yield* after("1 minute")
    const { blocker, finalizing, phase } = yield* pool.state
    assert.strictEqual(phase, "Ending")
    assert.deepStrictEqual(finalizing, { tasks: 2, oldest: Duration.minutes(1) })
    assert.deepStrictEqual(blocker, { _tag: "Finalizing", tasks: 2, oldest: Duration.minutes(1) })
    assert.isFalse(hasEnded(abort) || hasEnded(run))
    const warnings = lines.filter(({ level }) => level === "Warn")
    assert.strictEqual(warnings.length, 1)
    assert.include(warnings[0].message, "2 interrupted tasks are still running finalizers after 10000 ms")
    assert.include(warnings[0].message, "finalizerTimeout")
  })

  test("those that return in time are no reason for a warning", function*() {
    const { layer, lines } = log()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => browser("1 hour", "9 seconds"), {
      loggingInterval: null
    })
    const run = yield* begin(Effect.provide(pool.run, layer))
    yield* begin(pool.abort)
    yield* after("9 seconds")
    assert.deepInclude(yield* resultOf(run), { interrupted: 1, abandoned: 0 })
    yield* after("1 minute")
    assert.deepStrictEqual(lines, [])
  })

  for (const ending of ["abort", "interrupt", "failure"] as const) {
    test(`finalizerTimeout lets ${ending} go on without them`, function*() {
      const pool = yield* AutoscaledPool.fromSource(
        TaskSource.fromIterable([1, 2, 3]),
        (n) => n === 3 ? Effect.andThen(Effect.sleep("1 second"), Effect.fail("broken")) : browser("1 hour", never),
        { ...slots(3), finalizerTimeout: "5 seconds" }
      )
      const run = yield* begin(pool.run)
      const abort = ending === "abort" ? yield* begin(pool.abort) : undefined
      if (ending === "interrupt") yield* begin(Fiber.interrupt(run))
      if (ending === "failure") yield* after("1 second")
      yield* after("4999 millis")
      assert.isFalse(hasEnded(run))
      yield* after("1 milli")
      assert.isTrue(hasEnded(run))
      assert.isTrue(abort === undefined || hasEnded(abort))
      if (ending === "abort") {
        assert.deepInclude(yield* resultOf(run), { outcome: "Aborted", started: 3, interrupted: 1, abandoned: 2 })
      }
      if (ending === "failure") assert.strictEqual(yield* failureOf(run), "broken")
      assert.strictEqual(yield* pool.currentConcurrency, 0)
    })
  }

  test("one that returns late disturbs neither slots nor counts, and a new run works beside it", function*() {
    let closed = 0
    let isFirst = true
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([1, 2, 3, 4]),
      () => isFirst ? browser("1 hour", "1 minute", () => closed++) : Effect.sleep("40 seconds"),
      { ...slots(2), finalizerTimeout: "5 seconds" }
    )
    const first = yield* begin(pool.run)
    yield* begin(pool.abort)
    yield* after("5 seconds")
    assert.deepInclude(yield* resultOf(first), { started: 2, abandoned: 2, interrupted: 0, succeeded: 0 })
    isFirst = false
    const second = yield* begin(pool.run)
    yield* after("20 seconds")
    assert.strictEqual(closed, 0)
    yield* after("40 seconds")
    assert.strictEqual(closed, 2)
    assert.deepInclude(yield* pool.state, { currentConcurrency: 2, started: 4, succeeded: 2, abandoned: 0 })
    yield* after("20 seconds")
    // What was abandoned had been given back, and was done by the second run.
    assert.deepInclude(yield* resultOf(second), { outcome: "Finished", started: 4, succeeded: 4, abandoned: 0 })
    assert.strictEqual((yield* resultOf(second)).peakConcurrency, 2)
  })

  test("after a timeout the slot is given up and the run goes on", function*() {
    let stoodIn = 0
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([1, 2, 3, 4]),
      (n) => n <= 2 ? browser("1 hour", n === 1 ? never : "20 seconds") : Effect.sleep("1 second"),
      {
        ...slots(2),
        taskTimeout: "10 seconds",
        finalizerTimeout: "5 seconds",
        onTaskTimeout: () => Effect.sync(() => stoodIn++)
      }
    )
    const run = yield* begin(pool.run)
    yield* after("12 seconds")
    const { blocker, finalizing } = yield* pool.state
    assert.deepStrictEqual(finalizing, { tasks: 2, oldest: Duration.seconds(2) })
    assert.strictEqual(blocker?._tag, "Finalizing")
    yield* after("3 seconds")
    assert.deepInclude(yield* pool.state, { currentConcurrency: 2, abandoned: 2, finalizing: undefined })
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(run), {
      outcome: "Finished",
      started: 4,
      succeeded: 2,
      timedOut: 0,
      failed: 0,
      abandoned: 2
    })
    assert.strictEqual(stoodIn, 2)
    yield* after("1 minute")
    assert.strictEqual(yield* pool.currentConcurrency, 0)
  })

  test("several given up in the same moment are each counted once, and as nothing else", function*() {
    for (const retry of [undefined, { times: 1 }]) {
      const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2]), () => browser("1 hour", never), {
        ...slots(2),
        taskTimeout: "10 seconds",
        finalizerTimeout: "5 seconds",
        retry
      })
      const run = yield* begin(pool.run)
      yield* after("12 seconds")
      assert.deepInclude(yield* pool.state, { started: 2, abandoned: 0, currentConcurrency: 2 })
      yield* after("3 seconds")
      if (retry === undefined) assert.instanceOf(yield* failureOf(run), AutoscaledPool.TaskTimeoutError)
      else assert.deepInclude(yield* pool.state, { started: 4, failed: 0, abandoned: 2, retried: 2 })
      yield* after("20 seconds")
      assert.isTrue(hasEnded(run))
      assert.strictEqual(yield* pool.currentConcurrency, 0)
    }
  })

  test("after a timeout that nobody absorbs the run fails with it", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => browser("1 hour", never), {
      taskTimeout: "10 seconds",
      finalizerTimeout: "5 seconds"
    })
    const run = yield* begin(pool.run)
    yield* after("14 seconds")
    assert.isFalse(hasEnded(run))
    yield* after("1 second")
    assert.instanceOf(yield* failureOf(run), AutoscaledPool.TaskTimeoutError)
  })

  test("an abort during a timeout's finalizers counts from the timeout", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => browser("1 hour", never), {
      taskTimeout: "10 seconds",
      finalizerTimeout: "5 seconds"
    })
    const run = yield* begin(pool.run)
    yield* after("12 seconds")
    yield* begin(pool.abort)
    yield* after("3 seconds")
    assert.deepInclude(yield* resultOf(run), { outcome: "Aborted", abandoned: 1, interrupted: 0 })
  })

  test("a drain that turns into an abort ends in time", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2]), () => browser("1 hour", never), {
      finalizerTimeout: "5 seconds"
    })
    const run = yield* begin(pool.run)
    yield* begin(Effect.timeoutOrElse(pool.drain, { duration: "20 seconds", orElse: () => pool.abort }))
    yield* after("25 seconds")
    assert.deepInclude(yield* resultOf(run), { outcome: "Aborted", abandoned: 2 })
  })

  test("a lease whose source takes it back is given up too", function*() {
    const items = [1, 2]
    const source: TaskSource.TaskSource<number> = {
      take: (handle) =>
        Effect.suspend(() => {
          const item = items.shift()
          if (item === undefined) return Effect.succeed("Done" as const)
          return Effect.as(Effect.timeoutOption(handle(item), "3 seconds"), "Taken" as const)
        })
    }
    const pool = yield* AutoscaledPool.fromSource(
      source,
      (n) => n === 1 ? browser("1 hour", never) : Effect.sleep("1 second"),
      { ...slots(1), finalizerTimeout: "5 seconds" }
    )
    const run = yield* begin(pool.run)
    yield* after("4 seconds")
    assert.deepStrictEqual((yield* pool.state).finalizing, { tasks: 1, oldest: Duration.seconds(1) })
    yield* after("5 seconds")
    assert.deepInclude(yield* resultOf(run), { outcome: "Finished", started: 2, succeeded: 1, abandoned: 1 })
  })

  const stuck = Effect.ensuring(Effect.never, Effect.never)
  const limit = { finalizerTimeout: "5 seconds" } as const
  const stuckPools = {
    "a check": AutoscaledPool.make({
      runTask: Effect.void,
      isTaskReady: stuck,
      isFinished: Effect.succeed(true),
      ...limit
    }),
    "a pull": AutoscaledPool.fromSource(
      TaskSource.fromPull(Effect.as(stuck, Option.some(1))),
      () => Effect.void,
      limit
    ),
    "a pull that cannot be interrupted": AutoscaledPool.fromSource(
      TaskSource.fromPull(Effect.uninterruptible(Effect.never)),
      () => Effect.void,
      limit
    ),
    "an acknowledgement": AutoscaledPool.fromSource(
      TaskSource.make({ pull: Effect.succeedSome(1), settle: () => Effect.never }),
      () => Effect.sleep("1 second"),
      limit
    ),
    "an element of a stream": AutoscaledPool.fromSource(
      TaskSource.fromStream(Stream.concat(Stream.make(1), Stream.fromEffect(stuck))),
      () => Effect.void,
      limit
    ),
    "the end of a stream": AutoscaledPool.fromSource(
      TaskSource.fromStream(Stream.ensuring(Stream.concat(Stream.make(1), Stream.never), Effect.never)),
      () => Effect.void,
      limit
    )
  }
  for (const [what, make] of Object.entries(stuckPools)) {
    for (const ending of ["abort", "drain"] as const) {
      test(`${what} that never ends holds up no ${ending}`, function*() {
        const pool = yield* make
        const run = yield* begin(pool.run)
        yield* begin(pool[ending])
        yield* after("5 seconds")
        if (what === "an acknowledgement") yield* after("1 second") // which is asked for after a second
        assert.isTrue(hasEnded(run))
      })
    }
  }

  for (const ending of ["abort", "drain", "interrupt", "failure"] as const) {
    for (const finalizerTimeout of [undefined, "5 seconds", "20 seconds"] as const) {
      test(`a source that does not close is blamed and warned of once: ${ending}, finalizerTimeout ${finalizerTimeout}`, function*() {
        const { layer, lines } = log()
        const gate = yield* Deferred.make<void>()
        const stream = Stream.ensuring(Stream.concat(Stream.make(1), Stream.never), Deferred.await(gate))
        const pool = yield* AutoscaledPool.fromSource(
          TaskSource.fromStream(stream),
          () => ending === "failure" ? Effect.fail("torn") : Effect.void,
          { ...slots(1), finalizerTimeout, loggingInterval: null }
        )
        const run = yield* Effect.forkDetach(Effect.provide(pool.run, layer))
        yield* after("1 second")
        if (ending === "interrupt") run.interruptUnsafe()
        else if (ending !== "failure") yield* begin(pool[ending])
        yield* after("3 seconds")
        assert.include((yield* pool.snapshot).holding?.words, "its source, or a check,")
        yield* after("7 seconds")
        yield* after("11 seconds")
        const warnings = lines.filter(({ level, message }) =>
          level === "Warn" && message.includes("its source, or a check,")
        )
        assert.strictEqual(warnings.length, 1)
        assert.strictEqual(hasEnded(run), finalizerTimeout !== undefined)
        yield* Deferred.succeed(gate, undefined)
        yield* after("1 second")
        assert.isTrue(hasEnded(run))
      })
    }
  }

  test("a stream whose end was not waited for begins anew in the next run", function*() {
    let isStuck = true
    const end = Effect.suspend(() => isStuck ? Effect.never : Effect.void)
    const stream = Stream.suspend(() => Stream.concat(Stream.make(1, 2), isStuck ? Stream.never : Stream.empty))
    const done: Array<number> = []
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromStream(Stream.concat(stream, Stream.fromEffectDrain(Effect.ensuring(end, end)))),
      (n) => Effect.sync(() => done.push(n)),
      limit
    )
    const run = yield* begin(pool.run)
    yield* begin(pool.abort)
    yield* after("5 seconds")
    yield* after("5 seconds")
    assert.isTrue(hasEnded(run))
    isStuck = false
    yield* resultOf(yield* begin(pool.run))
    assert.deepStrictEqual(done, [1, 2, 1, 2])
  })

  test("what a stream answers that was not waited for does not disturb the next run", function*() {
    let opened = 0
    const stream = Stream.suspend(() => {
      const own = 10 * ++opened
      const late = Effect.uninterruptible(
        Effect.delay(Effect.succeed(own + 1), own === 10 ? "20 seconds" : "30 seconds")
      )
      return Stream.concat(Stream.make(own), Stream.fromEffect(late))
    })
    const done: Array<number> = []
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromStream(stream),
      (n) => Effect.sync(() => done.push(n)),
      limit
    )
    yield* begin(pool.run)
    yield* begin(pool.abort)
    yield* after("5 seconds")
    yield* after("5 seconds")
    const run = yield* begin(pool.run)
    yield* after("1 minute")
    assert.strictEqual((yield* resultOf(run)).succeeded, 2)
    assert.deepStrictEqual(done, [10, 20, 21])
  })

  test("a drain waits for a task that takes longer than its finalizers may", function*() {
    let isDone = false
    const source = TaskSource.fromPull(Effect.succeedSome(1))
    const work = Effect.andThen(Effect.sleep("1 minute"), Effect.sync(() => (isDone = true)))
    const pool = yield* AutoscaledPool.fromSource(source, () => work, { ...limit, ...slots(1) })
    const run = yield* begin(pool.run)
    yield* begin(pool.drain)
    yield* after("59 seconds")
    assert.isFalse(hasEnded(run))
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(run), { outcome: "Drained", succeeded: 1 })
    assert.isTrue(isDone)
  })

  test("what a run waits for is told where no task is left", function*() {
    for (const ending of ["abort", "drain"] as const) {
      const pool = yield* AutoscaledPool.fromSource(
        TaskSource.fromPull(Effect.uninterruptible(Effect.never)),
        () => Effect.void,
        { ...limit, ...slots(1) }
      )
      yield* begin(pool.run)
      yield* begin(pool[ending])
      yield* after("4 seconds")
      assert.include((yield* pool.snapshot).holding?.words, "its source, or a check,")
      yield* after("1 second")
    }
  })

  test("a finalizerTimeout that cannot be is refused", function*() {
    const error = yield* Effect.flip(
      AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.void, { finalizerTimeout: 0 })
    )
    assert.strictEqual(error.field, "finalizerTimeout")
  })
})
