/**
 * What a failure does to a run: of a task, of a check, of a source, of a policy, of a signal, of a listener, of a logger.
 *
 * Defects of Crawlee's pool that are impossible here: an error of a check or of the status that is logged while the run
 * succeeds (Python's weakness 6), a run that fails while its siblings go on (both), a cleanup loop that skips tasks
 * (weakness 5), new tasks that start for ever after a rejection (weakness 3), a slot that a failed task keeps, a later
 * failure that is dropped without a word, a loop that dies silently at its first error, a time limit that is swallowed or
 * mistaken for a task's own error, a timed-out task that runs on, and a run that stays pending with its last task stuck.
 */
import {
  AutoscaledPool,
  type LoadSignal,
  PoolRegistry,
  type ScalingPolicy,
  SystemStatus,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Duration, Effect, Exit, Fiber, Option, Stream } from "effect"
import {
  after,
  begin,
  brokenLogger,
  causeOf,
  exitOf,
  failureOf,
  hasEnded,
  jobs,
  log,
  resultOf,
  sampled,
  settled,
  test,
  withSlowFinalizer
} from "./stage.ts"

class Torn extends Data.TaggedError("Torn")<{ readonly page: number }> {}

const failAfter = (duration: Duration.Input, page: number) =>
  Effect.andThen(Effect.sleep(duration), Effect.fail(new Torn({ page })))

const reasonsOf = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> =>
  cause.reasons.map((reason) =>
    reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : reason._tag
  )

describe("AutoscaledPool: a task that fails", () => {
  test("ends the run with its typed error", function*() {
    const { work } = jobs(3, (index) => index === 1 ? failAfter("1 second", 1) : Effect.never)
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* after("1 second")
    const error = yield* failureOf(run)
    assert.instanceOf(error, Torn)
    assert.strictEqual(error.page, 1)
  })

  test("interrupts its siblings, and their finalizers have finished before run fails", function*() {
    let finalized = 0
    const { tally, work } = jobs(
      4,
      (index) => index === 2 ? failAfter("1 second", 2) : withSlowFinalizer(Effect.never, () => void finalized++)
    )
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* after("1999 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    assert.instanceOf(yield* failureOf(run), Torn)
    assert.strictEqual(finalized, 3)
    assert.deepInclude(tally, { interrupted: 3, failed: 1, running: 0 })
  })

  test("no sibling is skipped, however long each takes to clean up", function*() {
    const cleaned: Array<number> = []
    const { work } = jobs(4, (index) =>
      index === 3
        ? failAfter("100 millis", 3)
        : Effect.ensuring(
          Effect.never,
          Effect.andThen(Effect.sleep([200, 1000, 300][index]), Effect.sync(() => cleaned.push(index)))
        ))
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* after("1099 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    assert.isTrue(hasEnded(run))
    assert.deepStrictEqual(cleaned, [0, 2, 1])
  })

  test("no task starts after it: not while the siblings end, and not later", function*() {
    const { plan, tally, work } = jobs(
      100,
      (index) => index === 2 ? failAfter("1 second", 2) : Effect.uninterruptible(Effect.sleep("5 seconds"))
    )
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 5 } })
    const run = yield* begin(pool.run)
    yield* after("1 second")
    yield* pool.notify
    yield* pool.configure({ desiredConcurrency: 50 })
    yield* after("4 seconds")
    assert.isTrue(hasEnded(run))
    yield* after("1 hour")
    assert.strictEqual(tally.started, 5)
    assert.strictEqual(plan.readyAsked, 5)
  })

  test("at its first step: what starts with it does not start", function*() {
    const { tally, work } = jobs(10, (index) => index === 1 ? Effect.fail(new Torn({ page: 1 })) : Effect.never)
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    assert.instanceOf(yield* failureOf(run), Torn)
    assert.deepInclude(tally, { started: 2, running: 0 })
  })

  test("first wins; failures of the others while they end are kept in the Cause", function*() {
    const { work } = jobs(3, (index) => {
      if (index === 0) return failAfter("1 second", 0)
      const cleanup = Effect.andThen(Effect.sleep(index * 100), Effect.die(new Error(`socket ${index} is stuck`)))
      return Effect.ensuring(Effect.never, cleanup)
    })
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* after("2 seconds")
    const cause = yield* causeOf(run)
    const reasons = reasonsOf(cause).map(String)
    assert.include(reasons[0], "Torn")
    assert.isTrue(reasons.includes("Error: socket 1 is stuck"))
    assert.isTrue(reasons.includes("Error: socket 2 is stuck"))
    const first = Option.getOrThrow(Cause.findErrorOption(cause))
    assert.isTrue(first._tag === "Torn" && first.page === 0)
  })

  test("first wins where two fail in the same moment, and both are in the Cause", function*() {
    const { work } = jobs(2, (index) => Effect.uninterruptible(failAfter("1 second", index)))
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* after("1 second")
    const pages = reasonsOf(yield* causeOf(run)).flatMap((reason) => reason instanceof Torn ? [reason.page] : [])
    assert.deepStrictEqual(pages, [0, 1])
    assert.isTrue((yield* failureOf(run)) instanceof Torn)
  })

  test("is in the Cause once, whatever the pool works on", function*() {
    const sources = {
      checks: undefined,
      iterable: TaskSource.fromIterable([1, 2]),
      pull: TaskSource.fromPull(Effect.sync(() => ({ _tag: "Some", value: 1 } as never))),
      lease: {
        take: <X, E2, R2>(handle: (item: number) => Effect.Effect<X, E2, R2>) =>
          Effect.as(Effect.andThen(Effect.yieldNow, handle(1)), "Taken" as const)
      }
    }
    for (const [name, source] of Object.entries(sources)) {
      const { work } = jobs(1, () => failAfter("1 second", 0))
      const pool = source === undefined
        ? yield* AutoscaledPool.make(work)
        : yield* AutoscaledPool.fromSource(source as TaskSource.TaskSource<number>, () => failAfter("1 second", 0), {
          concurrencySettings: { maxConcurrency: 1 }
        })
      const run = yield* begin(pool.run)
      yield* after("1 second")
      const reasons = reasonsOf(yield* causeOf(run))
      assert.strictEqual(reasons.length, 1, name)
      assert.instanceOf(reasons[0], Torn)
    }
  })

  test("with a defect ends the run with that defect", function*() {
    const { work } = jobs(1, () => Effect.die(new Error("a bug")))
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    assert.include(Cause.pretty(yield* causeOf(run)), "a bug")
  })

  test("a handler that throws where it should give an effect ends the run with that defect", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2, 3]), (): Effect.Effect<void> => {
      throw new Error("a bug")
    })
    const run = yield* begin(pool.run)
    assert.include(Cause.pretty(yield* causeOf(run)), "a bug")
    assert.strictEqual(yield* pool.currentConcurrency, 0)
  })

  test("that is no effect, as the compiler would say, ends the run and tells what is missing", function*() {
    const given = { nothing: undefined, "a promise": Promise.resolve(1), "something else (number)": 5 }
    for (const [what, value] of Object.entries(given)) {
      const task = value as unknown as Effect.Effect<void>
      const pools = {
        "an item": yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2, 3]), () => task),
        "a leased item": yield* AutoscaledPool.fromSource(
          TaskSource.make({ pull: Effect.succeedSome(1), settle: () => Effect.void }),
          () => task
        ),
        "a time limit": yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.never, {
          taskTimeout: "1 second",
          onTaskTimeout: () => task
        })
      }
      for (const [name, pool] of Object.entries(pools)) {
        const run = yield* begin(pool.run)
        yield* after("1 second")
        assert.include(Cause.pretty(yield* causeOf(run)), `gave ${what}`, name)
        assert.strictEqual(yield* pool.currentConcurrency, 0)
      }
    }
  })

  test("by interrupting itself ends the run as interrupted, and never hangs it", function*() {
    const { work } = jobs(1, () => Effect.andThen(Effect.sleep("1 second"), Effect.interrupt))
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.isTrue(Exit.hasInterrupts(yield* exitOf(run)))
  })

  test("tells who listens, with the Cause", function*() {
    const { work } = jobs(1, () => failAfter("1 second", 7))
    const pool = yield* AutoscaledPool.make(work)
    const events = yield* begin(Stream.runCollect(Stream.take(pool.events, 2)))
    const run = yield* begin(pool.run)
    yield* after("1 second")
    const [started, failed] = yield* resultOf(events)
    assert.strictEqual(started._tag, "RunStarted")
    assert.isTrue(failed._tag === "RunFailed" && Cause.hasFails(failed.cause))
    yield* failureOf(run)
  })

  test("of a time limit of its own is its own error, not the pool's", function*() {
    const { work } = jobs(1, () => Effect.timeout(Effect.never, "1 second"))
    const pool = yield* AutoscaledPool.make({ ...work, taskTimeout: "1 minute" })
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual((yield* failureOf(run))._tag, "TimeoutError")
  })
})

describe("AutoscaledPool: a check that fails", () => {
  for (const check of ["isTaskReady", "isFinished"] as const) {
    test(`${check}: ends the run with its typed error`, function*() {
      const { work } = jobs(0)
      const pool = yield* AutoscaledPool.make(
        {
          ...work,
          [check]: Effect.andThen(Effect.sleep("1 second"), Effect.fail(new Torn({ page: 9 })))
        } as typeof work
      )
      const run = yield* begin(pool.run)
      yield* after("1 second")
      assert.instanceOf(yield* failureOf(run), Torn)
    })

    test(`${check}: ends the run where it fails without suspending`, function*() {
      const { work } = jobs(0)
      const pool = yield* AutoscaledPool.make({ ...work, [check]: Effect.fail(new Torn({ page: 9 })) } as typeof work)
      assert.instanceOf(yield* failureOf(yield* begin(pool.run)), Torn)
    })

    test(`${check}: a defect of it ends the run visibly`, function*() {
      const { work } = jobs(0)
      const bug = Effect.sync(() => {
        throw new Error("a bug")
      })
      const pool = yield* AutoscaledPool.make({ ...work, [check]: bug } as typeof work)
      const run = yield* begin(pool.run)
      assert.include(Cause.pretty(yield* causeOf(run)), "a bug")
    })
  }

  test("isTaskReady: the tasks that run are interrupted, with their finalizers", function*() {
    let asked = 0
    let finalized = 0
    const { work } = jobs(9, () => withSlowFinalizer(Effect.never, () => void finalized++))
    const pool = yield* AutoscaledPool.make({
      ...work,
      isTaskReady: Effect.suspend(() => ++asked > 3 ? Effect.fail(new Torn({ page: 3 })) : Effect.succeed(true))
    })
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.instanceOf(yield* failureOf(run), Torn)
    assert.strictEqual(finalized, 3)
  })

  test("after an abort does not change that the run was aborted, and is logged", function*() {
    const { layer, lines } = log()
    const { work } = jobs(0)
    const late = Effect.uninterruptible(Effect.andThen(Effect.sleep("1 second"), Effect.die(new Error("too late"))))
    const pool = yield* AutoscaledPool.make({ ...work, isTaskReady: late })
    const run = yield* begin(Effect.provide(pool.run, layer))
    yield* begin(pool.abort)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    const warnings = lines.filter(({ level }) => level === "Warn")
    assert.strictEqual(warnings.length, 1)
    assert.include(warnings[0].cause, "too late")
  })
})

describe("AutoscaledPool: a source that fails", () => {
  const sources = {
    "an iterable": TaskSource.fromIterable<number>({
      [Symbol.iterator]: () => ({
        next: () => {
          throw new Error("torn")
        }
      })
    }),
    "an iterable without an iterator": TaskSource.fromIterable<number>({
      [Symbol.iterator]: () => {
        throw new Error("torn")
      }
    }),
    "an async iterable": TaskSource.fromIterable<number>({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("torn")) })
    }),
    "a stream": TaskSource.fromStream<number, Error, never>(Stream.fail(new Error("torn"))),
    "a stream that dies": TaskSource.fromStream<number, never, never>(Stream.die(new Error("torn"))),
    "a pull": TaskSource.fromPull<number, Error, never>(Effect.fail(new Error("torn"))),
    "a pull that fails when it runs": TaskSource.fromPull<number, Error, never>(
      Effect.suspend(() => Effect.fail(new Error("torn")))
    ),
    "a pull that fails later": TaskSource.fromPull<number, Error, never>(
      Effect.andThen(Effect.yieldNow, Effect.fail(new Error("torn")))
    ),
    "a lease": { take: () => Effect.fail(new Error("torn")) } as TaskSource.TaskSource<number, Error>,
    "a lease that throws": {
      take: () => {
        throw new Error("torn")
      }
    } as TaskSource.TaskSource<number, Error>
  }
  for (const [name, source] of Object.entries(sources)) {
    it.effect(`${name}: ends the run visibly, and never hangs it`, () =>
      Effect.gen(function*() {
        const pool = yield* AutoscaledPool.fromSource(source as TaskSource.TaskSource<number, Error>, () => Effect.void)
        const exit = yield* Effect.exit(pool.run)
        assert.isTrue(Exit.isFailure(exit))
        assert.include(Cause.pretty(Exit.isFailure(exit) ? exit.cause : Cause.empty), "torn")
        assert.strictEqual((yield* pool.state).phase, "Idle")
      }).pipe(Effect.provide(SystemStatus.layerTest)))
  }
})

describe("AutoscaledPool: a policy that is broken", () => {
  const policy = (
    decide: ScalingPolicy.ScalingPolicy["decide"],
    decidesAtStart = false
  ): ScalingPolicy.ScalingPolicy => ({
    name: "broken",
    every: Duration.seconds(10),
    decidesAtStart,
    initial: () => undefined,
    decide
  })
  const aBug = policy(() => {
    throw new Error("a bug")
  })

  test("a defect of decide ends the run visibly, with the finalizers of its tasks", function*() {
    let finalized = 0
    const { work } = jobs(3, () => withSlowFinalizer(Effect.never, () => void finalized++))
    const pool = yield* AutoscaledPool.make({ ...work, policy: aBug })
    const run = yield* begin(pool.run)
    yield* after("11 seconds")
    assert.include(Cause.pretty(yield* causeOf(run)), "a bug")
    assert.strictEqual(finalized, 3)
  })

  test("a defect of the first decision ends the run visibly, and who listens hears of it", function*() {
    const { tally, work } = jobs(3)
    const name = "broken at the start"
    const pool = yield* AutoscaledPool.make({ ...work, name, policy: policy(aBug.decide, true) })
    const events = yield* begin(Stream.runCollect(Stream.take(pool.events, 2)))
    const run = yield* begin(pool.run)
    assert.include(Cause.pretty(yield* causeOf(run)), "a bug")
    assert.strictEqual(tally.started, 0)
    assert.strictEqual((yield* pool.state).phase, "Idle")
    assert.deepStrictEqual((yield* resultOf(events)).map(({ _tag }) => _tag), ["RunStarted", "RunFailed"])
    const shown = (yield* PoolRegistry.PoolRegistry).find(name)?.snapshot()
    assert.strictEqual(shown?.totals.runs.Failed, 1)
  })

  test("a defect of initial ends the making of the pool visibly", function*() {
    const initial = () => {
      throw new Error("a bug")
    }
    const { work } = jobs(0)
    const exit = yield* Effect.exit(AutoscaledPool.make({ ...work, policy: { ...aBug, initial } }))
    assert.isTrue(Exit.hasDies(exit))
  })

  for (const desired of [NaN, Infinity, -Infinity, 0, -3, 2.7]) {
    test(`a decision on ${desired} tasks is clamped, rounded or refused, and never takes effect as it is`, function*() {
      const { tally, work } = jobs(100, () => Effect.never)
      const pool = yield* AutoscaledPool.make({
        ...work,
        policy: policy(() => [{ desired, reason: { summary: "none" } }, undefined]),
        concurrencySettings: { minConcurrency: 1, desiredConcurrency: 2, maxConcurrency: 5 }
      })
      const run = yield* begin(pool.run)
      yield* after("10 seconds")
      if (Number.isNaN(desired)) {
        assert.include(Cause.pretty(yield* causeOf(run)), "not a number")
      } else {
        const expected = desired === Infinity ? 5 : desired === 2.7 ? 2 : 1
        assert.strictEqual(yield* pool.desiredConcurrency, expected)
        assert.strictEqual(tally.running, Math.max(2, expected))
      }
    })
  }
})

describe("AutoscaledPool: what stands beside it is broken", () => {
  const withSignal = (sample: Effect.Effect<LoadSignal.Sample, string>) =>
    Effect.provide(SystemStatus.layer({ signals: [sampled(sample)] }))

  for (
    const [name, sample] of Object.entries({
      "fails": Effect.fail("no such disk"),
      "dies": Effect.die(new Error("a bug")),
      "throws": Effect.sync((): LoadSignal.Sample => {
        throw new Error("a bug")
      }),
      "interrupts itself": Effect.interrupt,
      "never answers": Effect.never
    })
  ) {
    it.effect(`a signal that ${name} never hangs a run, and one warning says so`, () => {
      const { layer, lines } = log()
      return Effect.gen(function*() {
        const { work } = jobs(100)
        const pool = yield* AutoscaledPool.make(work)
        const run = yield* begin(pool.run)
        yield* after("1 minute")
        assert.strictEqual((yield* resultOf(run)).succeeded, 100)
        assert.strictEqual(yield* pool.desiredConcurrency, 10)
        const warnings = lines.filter(({ level }) => level === "Warn")
        assert.strictEqual(warnings.length, 1)
        assert.include(warnings[0].message, "disk")
      }).pipe(withSignal(sample), Effect.provide(layer))
    })
  }

  it.effect("a logger that throws is contained in a signal's outage, or ends the run visibly; the run never hangs", () =>
    Effect.gen(function*() {
      const { work } = jobs(1000)
      const pool = yield* AutoscaledPool.make({ ...work, loggingInterval: "10 seconds" })
      const run = yield* begin(pool.run)
      assert.include(Cause.pretty(yield* causeOf(run)), "the disk is full")
      assert.strictEqual(yield* pool.currentConcurrency, 0)
    }).pipe(withSignal(Effect.fail("no such disk")), Effect.provide(brokenLogger)))

  test("a listener that dies ends itself and nothing else", function*() {
    const { work } = jobs(3)
    const pool = yield* AutoscaledPool.make(work)
    const listener = yield* begin(Stream.runForEach(pool.events, () => Effect.die(new Error("a bug"))))
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.include(Cause.pretty(yield* causeOf(listener)), "a bug")
    assert.strictEqual((yield* resultOf(run)).succeeded, 3)
  })

  test("a listener that never reads holds up nothing, and takes no event from another", function*() {
    const { work } = jobs(3)
    const pool = yield* AutoscaledPool.make(work)
    yield* begin(Stream.runForEach(pool.events, () => Effect.never))
    const seen: Array<string> = []
    yield* begin(Stream.runForEach(pool.events, ({ _tag }) => Effect.sync(() => seen.push(_tag))))
    for (let i = 0; i < 400; i++) {
      yield* pool.pause
      yield* pool.resume
      yield* settled
    }
    const run = yield* begin(pool.run)
    yield* after("1 second")
    yield* resultOf(run)
    assert.strictEqual(seen.length, 802)
    assert.strictEqual(seen.at(-1), "RunEnded")
  })
})

describe("AutoscaledPool: taskTimeout", () => {
  test("interrupts the task at its limit and fails the run with a TaskTimeoutError that says what to do", function*() {
    const { tally, work } = jobs(2, (index) => index === 0 ? Effect.never : Effect.sleep("4 seconds"))
    const pool = yield* AutoscaledPool.make({ ...work, taskTimeout: "5 seconds" })
    const run = yield* begin(pool.run)
    yield* after("4999 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    const error = yield* failureOf(run)
    assert.instanceOf(error, AutoscaledPool.TaskTimeoutError)
    assert.strictEqual((error as AutoscaledPool.TaskTimeoutError).limit, 5000)
    assert.include((error as AutoscaledPool.TaskTimeoutError).message, "Raise taskTimeout")
    assert.deepInclude(tally, { interrupted: 1, succeeded: 1 })
  })

  test("the finalizers of the task and of its siblings have run before run fails", function*() {
    let finalized = 0
    const { work } = jobs(3, () => withSlowFinalizer(Effect.never, () => void finalized++))
    const pool = yield* AutoscaledPool.make({
      ...work,
      taskTimeout: "5 seconds",
      concurrencySettings: { maxTasksPerMinute: 60 }
    })
    const run = yield* begin(pool.run)
    yield* after("6999 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    assert.isTrue(hasEnded(run))
    assert.strictEqual(finalized, 3)
  })

  test("is counted from the start of each task", function*() {
    const { work } = jobs(5, () => Effect.sleep("4 seconds"))
    const pool = yield* AutoscaledPool.make({
      ...work,
      taskTimeout: "5 seconds",
      concurrencySettings: { desiredConcurrency: 2 }
    })
    const run = yield* begin(pool.run)
    yield* after("12 seconds")
    assert.strictEqual((yield* resultOf(run)).succeeded, 5)
  })

  test("finds the task that is late among others that started later and earlier", function*() {
    const { tally, work } = jobs(6, (index) => index === 3 ? Effect.never : Effect.sleep("3 seconds"))
    const pool = yield* AutoscaledPool.make({
      ...work,
      taskTimeout: "4 seconds",
      concurrencySettings: { maxTasksPerMinute: 60 }
    })
    const run = yield* begin(pool.run)
    yield* after("6999 millis")
    assert.isFalse(hasEnded(run))
    assert.strictEqual(tally.interrupted, 0)
    yield* after("1 millis")
    assert.instanceOf(yield* failureOf(run), AutoscaledPool.TaskTimeoutError)
  })

  test("onTaskTimeout that succeeds absorbs it: the run goes on, the task counts as timed out", function*() {
    const absorbed: Array<unknown> = []
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(["fast", "stuck", "fast"]),
      (item) => item === "stuck" ? Effect.never : Effect.sleep("1 second"),
      {
        taskTimeout: "5 seconds",
        onTaskTimeout: (error, item) => Effect.sync(() => absorbed.push([error._tag, item]))
      }
    )
    const run = yield* begin(pool.run)
    yield* after("5 seconds")
    assert.deepInclude(yield* resultOf(run), { outcome: "Finished", started: 3, succeeded: 2, timedOut: 1 })
    assert.deepStrictEqual(absorbed, [["TaskTimeoutError", "stuck"]])
  })

  test("onTaskTimeout begins when the task's finalizers have run, in the slot of the task", function*() {
    const order: Array<string> = []
    const { work } = jobs(1, () => withSlowFinalizer(Effect.never, () => void order.push("finalizer")))
    const pool = yield* AutoscaledPool.make({
      ...work,
      taskTimeout: "5 seconds",
      onTaskTimeout: () => Effect.andThen(Effect.sync(() => void order.push("handler")), Effect.sleep("2 seconds"))
    })
    const run = yield* begin(pool.run)
    yield* after("6 seconds")
    assert.deepStrictEqual(order, ["finalizer", "handler"])
    assert.strictEqual(yield* pool.currentConcurrency, 1)
    yield* after("2 seconds")
    assert.strictEqual((yield* resultOf(run)).timedOut, 1)
  })

  test("onTaskTimeout that fails, fails the run with its own error", function*() {
    const { work } = jobs(1, () => Effect.never)
    const pool = yield* AutoscaledPool.make({
      ...work,
      taskTimeout: "5 seconds",
      onTaskTimeout: ({ limit }) => Effect.fail(new Torn({ page: limit }))
    })
    const run = yield* begin(pool.run)
    yield* after("5 seconds")
    const error = yield* failureOf(run)
    assert.instanceOf(error, Torn)
    assert.strictEqual((error as Torn).page, 5000)
  })

  test("onTaskTimeout that throws ends the run visibly", function*() {
    const { work } = jobs(1, () => Effect.never)
    const pool = yield* AutoscaledPool.make({
      ...work,
      taskTimeout: "5 seconds",
      onTaskTimeout: () => {
        throw new Error("a bug")
      }
    })
    const run = yield* begin(pool.run)
    yield* after("5 seconds")
    assert.include(Cause.pretty(yield* causeOf(run)), "a bug")
  })

  test("a task that fails in its finalizer when it is timed out, fails the run with that, whatever onTaskTimeout says", function*() {
    const { work } = jobs(1, () => Effect.ensuring(Effect.never, Effect.die(new Error("the socket is stuck"))))
    const pool = yield* AutoscaledPool.make({ ...work, taskTimeout: "5 seconds", onTaskTimeout: () => Effect.void })
    const run = yield* begin(pool.run)
    yield* after("5 seconds")
    assert.include(Cause.pretty(yield* causeOf(run)), "the socket is stuck")
  })

  test("a task that cannot be interrupted is waited for, and has timed out all the same", function*() {
    const { work } = jobs(1, () => Effect.uninterruptible(Effect.sleep("8 seconds")))
    const pool = yield* AutoscaledPool.make({ ...work, taskTimeout: "5 seconds" })
    const run = yield* begin(pool.run)
    yield* after("7999 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    assert.instanceOf(yield* failureOf(run), AutoscaledPool.TaskTimeoutError)
  })

  test("an abort while onTaskTimeout runs interrupts it", function*() {
    const { work } = jobs(1, () => Effect.never)
    const pool = yield* AutoscaledPool.make({ ...work, taskTimeout: "5 seconds", onTaskTimeout: () => Effect.never })
    const run = yield* begin(pool.run)
    yield* after("6 seconds")
    const abort = yield* begin(pool.abort)
    assert.isTrue(hasEnded(abort))
    assert.deepInclude(yield* resultOf(run), { outcome: "Aborted", interrupted: 1, timedOut: 0 })
  })

  test("an abort from inside onTaskTimeout does not wait for itself", function*() {
    const { work } = jobs(1, () => Effect.never)
    const holder: { abort: Effect.Effect<void> } = { abort: Effect.void }
    const pool = yield* AutoscaledPool.make({
      ...work,
      taskTimeout: "5 seconds",
      onTaskTimeout: () => Effect.uninterruptible(Effect.suspend(() => holder.abort))
    })
    holder.abort = pool.abort
    const run = yield* begin(pool.run)
    yield* after("5 seconds")
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
  })

  test("is that of each task, whatever became of the last one in its slot", function*() {
    const { work } = jobs(5, (index) => index % 2 === 0 ? Effect.never : Effect.sleep("1 second"))
    const pool = yield* AutoscaledPool.make({
      ...work,
      taskTimeout: "3 seconds",
      onTaskTimeout: () => Effect.void,
      concurrencySettings: { maxConcurrency: 1 }
    })
    const run = yield* begin(pool.run)
    yield* after("11 seconds")
    assert.deepInclude(yield* resultOf(run), { timedOut: 3, succeeded: 2 })
  })

  test("keeps the last task of a run from holding it for ever", function*() {
    const { work } = jobs(50, (index) => index === 49 ? Effect.never : Effect.sleep("1 second"))
    const pool = yield* AutoscaledPool.make({ ...work, taskTimeout: "10 seconds", onTaskTimeout: () => Effect.void })
    const run = yield* begin(pool.run)
    yield* after("1 minute")
    assert.deepInclude(yield* resultOf(run), { succeeded: 49, timedOut: 1 })
  })

  test("of a pause does not count against it: a pool has no time limit but that of its tasks", function*() {
    const { plan, work } = jobs(1)
    const pool = yield* AutoscaledPool.make({ ...work, taskTimeout: "2 seconds" })
    yield* pool.pause
    const run = yield* begin(pool.run)
    yield* after("2 minutes")
    yield* pool.resume
    yield* settled
    assert.strictEqual(plan.left, 0)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).succeeded, 1)
  })

  test("Infinity is no limit", function*() {
    const { work } = jobs(1, () => Effect.sleep("30 days"))
    const pool = yield* AutoscaledPool.make({ ...work, taskTimeout: "Infinity", loggingInterval: null })
    const run = yield* Effect.forkChild(pool.run)
    yield* after("2 minutes")
    assert.isFalse(hasEnded(run))
    yield* Fiber.interrupt(run)
  })
})
