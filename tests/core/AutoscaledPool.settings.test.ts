/**
 * Settings: refused where they cannot be, changed while the pool runs, and the cap on starts per minute.
 *
 * Defects of Crawlee's pools that are impossible here: bounds that contradict each other and are accepted, a default that
 * contradicts a bound and is refused, a setter that does not clamp its neighbours, `NaN` that reads as no cap, a cap that
 * sleeps in the loop or bursts and then stalls, that holds up autoscaling and the log, or that delays the end of a run
 * (weakness 21).
 */
import {
  AutoscaledPool,
  type ConcurrencySettings,
  InvalidOptionsError,
  ScalingPolicy,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Option, Queue, Stream } from "effect"
import { after, begin, counted, hasEnded, jobs, log, resultOf, settled, test } from "./stage.ts"

type Settings = Partial<ConcurrencySettings.ConcurrencySettings>

const poolWith = (concurrencySettings: Settings, count = 1000, duration: Duration.Input = "1 hour") =>
  Effect.gen(function*() {
    const { plan, tally, work } = jobs(count, () => Effect.sleep(duration))
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings, taskTimeout: "2 hours" })
    return { pool, plan, tally }
  })

describe("AutoscaledPool: configure while it runs", () => {
  test("raising desiredConcurrency starts more at once", function*() {
    const { pool, tally } = yield* poolWith({ desiredConcurrency: 2 })
    yield* begin(pool.run)
    yield* pool.configure({ desiredConcurrency: 7 })
    yield* settled
    assert.strictEqual(tally.running, 7)
    assert.strictEqual(yield* pool.desiredConcurrency, 7)
  })

  test("lowering desiredConcurrency interrupts nothing; slots that become free stay empty", function*() {
    const { pool, tally } = yield* poolWith({ desiredConcurrency: 6 }, 1000, "1 second")
    yield* begin(pool.run)
    yield* pool.configure({ desiredConcurrency: 2 })
    yield* after("999 millis")
    assert.deepInclude(tally, { running: 6, interrupted: 0 })
    yield* after("1 millis")
    assert.deepInclude(tally, { running: 2, succeeded: 6, interrupted: 0 })
  })

  test("lowering maxConcurrency lowers desired with it, at once, and interrupts nothing", function*() {
    const { pool, tally } = yield* poolWith({ desiredConcurrency: 6 }, 1000, "1 second")
    yield* begin(pool.run)
    yield* pool.configure({ maxConcurrency: 3 })
    assert.strictEqual(yield* pool.desiredConcurrency, 3)
    assert.strictEqual(tally.running, 6)
    yield* after("1 second")
    assert.deepInclude(tally, { running: 3, interrupted: 0 })
  })

  test("raising maxConcurrency raises no desired; the next decision may", function*() {
    const { pool } = yield* poolWith({ desiredConcurrency: 4, maxConcurrency: 4 })
    yield* begin(pool.run)
    yield* after("20 seconds")
    yield* pool.configure({ maxConcurrency: 10 })
    assert.strictEqual(yield* pool.desiredConcurrency, 4)
    yield* after("10 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 5)
  })

  test("raising minConcurrency raises desired with it, and starts more at once", function*() {
    const { pool, tally } = yield* poolWith({ desiredConcurrency: 2 })
    yield* begin(pool.run)
    yield* pool.configure({ minConcurrency: 5 })
    yield* settled
    assert.strictEqual(yield* pool.desiredConcurrency, 5)
    assert.strictEqual(tally.running, 5)
  })

  test("lowering minConcurrency lowers no desired, and interrupts nothing", function*() {
    const { pool, tally } = yield* poolWith({ minConcurrency: 5, desiredConcurrency: 5 })
    yield* begin(pool.run)
    yield* pool.configure({ minConcurrency: 1 })
    yield* settled
    assert.deepInclude(tally, { running: 5, interrupted: 0 })
    assert.strictEqual(yield* pool.desiredConcurrency, 5)
  })

  test("all bounds at once, beyond the old ones on either side", function*() {
    const { pool, tally } = yield* poolWith(
      { minConcurrency: 2, desiredConcurrency: 3, maxConcurrency: 4 },
      1000,
      "1 second"
    )
    yield* begin(pool.run)
    yield* pool.configure({ minConcurrency: 8, maxConcurrency: 12, desiredConcurrency: 100 })
    yield* settled
    assert.strictEqual(tally.running, 12)
    yield* pool.configure({ minConcurrency: 1, maxConcurrency: 1 })
    yield* after("1 second")
    assert.strictEqual(tally.running, 1)
  })

  test("a change of one field leaves the others as they were", function*() {
    const { pool } = yield* poolWith({
      minConcurrency: 2,
      maxConcurrency: 20,
      desiredConcurrency: 5,
      maxTasksPerMinute: 90
    })
    yield* pool.configure({ maxConcurrency: 30 })
    assert.deepStrictEqual(yield* pool.settings, {
      minConcurrency: 2,
      maxConcurrency: 30,
      desiredConcurrency: 5,
      maxTasksPerMinute: 90
    })
    yield* pool.configure({})
    assert.strictEqual((yield* pool.settings).maxConcurrency, 30)
  })

  test("a change that touches no bound of desired leaves what the policy has made of it", function*() {
    const { pool } = yield* poolWith({ desiredConcurrency: 10 })
    yield* begin(pool.run)
    yield* after("30 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 13)
    yield* pool.configure({ maxTasksPerMinute: 1e6 })
    assert.strictEqual(yield* pool.desiredConcurrency, 13)
  })

  test("between runs, and before the first, takes effect in the next", function*() {
    const { pool, tally } = yield* poolWith({ desiredConcurrency: 2 })
    yield* pool.configure({ desiredConcurrency: 5 })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 5)
    yield* pool.abort
    yield* pool.configure({ maxConcurrency: 3 })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 3)
  })

  test("from inside a task takes effect at once", function*() {
    const holder: { widen: Effect.Effect<void, InvalidOptionsError.InvalidOptionsError> } = { widen: Effect.void }
    const { tally, work } = jobs(
      20,
      (index) => Effect.andThen(index === 0 ? Effect.suspend(() => holder.widen) : Effect.void, Effect.never)
    )
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 1 } })
    holder.widen = pool.configure({ desiredConcurrency: 4 })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 4)
  })

  test("while paused, and while an overload holds, waits for the gate", function*() {
    const { pool, tally } = yield* poolWith({ desiredConcurrency: 2 })
    yield* pool.pause
    yield* begin(pool.run)
    yield* pool.configure({ desiredConcurrency: 5 })
    yield* after("1 second")
    assert.strictEqual(tally.running, 0)
    yield* pool.resume
    yield* settled
    assert.strictEqual(tally.running, 5)
  })

  test("a change that is refused changes nothing, and names what is wrong", function*() {
    const { pool, tally } = yield* poolWith({ minConcurrency: 2, maxConcurrency: 6, desiredConcurrency: 4 })
    yield* begin(pool.run)
    const before = yield* pool.settings
    const events: Array<string> = []
    yield* begin(Stream.runForEach(pool.events, ({ _tag }) => Effect.sync(() => events.push(_tag))))
    const refusals: ReadonlyArray<readonly [Settings, string]> = [
      [{ maxConcurrency: 1 }, "maxConcurrency"],
      [{ minConcurrency: 7 }, "minConcurrency"],
      [{ minConcurrency: 3, maxConcurrency: 2 }, "maxConcurrency"],
      [{ desiredConcurrency: 0 }, "desiredConcurrency"],
      [{ maxConcurrency: 20, maxTasksPerMinute: NaN }, "maxTasksPerMinute"],
      [{ maxConcurrency: 2.5 }, "maxConcurrency"],
      [5 as Settings, "settings"], // the compiler refuses it
      [null as never, "settings"]
    ]
    for (const [change, field] of refusals) {
      const error = yield* Effect.flip(pool.configure(change))
      assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
      assert.strictEqual(error.field, field)
    }
    yield* settled
    assert.deepStrictEqual(yield* pool.settings, before)
    assert.strictEqual(yield* pool.desiredConcurrency, 4)
    assert.strictEqual(tally.running, 4)
    assert.deepStrictEqual(events, [])
  })
})

describe("AutoscaledPool: maxTasksPerMinute", () => {
  /** On a source, which is not asked again at an interval: a wake-up that is lost shows. */
  const startsWith = (settings: Settings, count: number, body: () => Effect.Effect<unknown> = () => Effect.void) =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const plan = { left: count }
      const items = TaskSource.fromPull(
        Effect.suspend(() => plan.left > 0 ? Effect.succeed(Option.some(plan.left--)) : Cause.done())
      )
      const { tally, task } = counted(() =>
        Effect.andThen(
          Clock.currentTimeMillis,
          (at) => Effect.andThen(Effect.sync(() => starts.push(at)), body())
        )
      )
      const pool = yield* AutoscaledPool.fromSource(items, () => task, {
        concurrencySettings: settings
      })
      return { starts, plan, tally, pool }
    })

  test("starts are evenly paced: no burst, no stall", function*() {
    const { pool, starts } = yield* startsWith({ maxTasksPerMinute: 30 }, 7)
    const run = yield* begin(pool.run)
    yield* after("1 minute")
    yield* resultOf(run)
    assert.deepStrictEqual(starts, [0, 2000, 4000, 6000, 8000, 10_000, 12_000])
  })

  test("never delays the end of a run: a single task does not wait for the token after it", function*() {
    const { pool } = yield* startsWith({ maxTasksPerMinute: 30 }, 1)
    const run = yield* begin(pool.run)
    assert.strictEqual(Duration.toMillis((yield* resultOf(run)).duration), 0)
  })

  test("never delays the end of a run on a source either", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2]), () => Effect.sleep("1 second"), {
      concurrencySettings: { maxTasksPerMinute: 1 }
    })
    const run = yield* begin(pool.run)
    yield* after("61 seconds")
    assert.strictEqual(Duration.toMillis((yield* resultOf(run)).duration), 61_000)
  })

  test("a failure, an abort and a pause do not wait for a token", function*() {
    const { pool, tally } = yield* startsWith({ maxTasksPerMinute: 1 }, 10)
    const run = yield* begin(pool.run)
    yield* pool.abort
    assert.isTrue(hasEnded(run))
    assert.strictEqual(tally.started, 1)
  })

  test("idle time earns no burst", function*() {
    const queue = yield* Queue.unbounded<number>()
    const starts: Array<number> = []
    const handle = Effect.map(Clock.currentTimeMillis, (at) => starts.push(at))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => handle, {
      concurrencySettings: { maxTasksPerMinute: 60 }
    })
    yield* begin(pool.run)
    yield* after("10 minutes")
    yield* Queue.offerAll(queue, [1, 2, 3])
    yield* after("5 seconds")
    assert.deepStrictEqual(starts.map((at) => at - 600_000), [0, 1000, 2000])
  })

  test("holds from run to run: a run that follows another at once waits for the token", function*() {
    const { plan, pool, starts } = yield* startsWith({ maxTasksPerMinute: 60 }, 1)
    yield* resultOf(yield* begin(pool.run))
    plan.left = 1
    const run = yield* begin(pool.run)
    assert.isFalse(hasEnded(run))
    yield* after("1 second")
    yield* resultOf(run)
    assert.deepStrictEqual(starts, [0, 1000])
  })

  test("holds up neither autoscaling nor the log", function*() {
    const { layer, lines } = log()
    const { pool, starts } = yield* startsWith({ maxTasksPerMinute: 1, desiredConcurrency: 1 }, 100, () => Effect.never)
    yield* begin(Effect.provide(pool.run, layer))
    yield* after("90 seconds")
    assert.strictEqual(starts.length, 2)
    assert.isAbove(yield* pool.desiredConcurrency, 1)
    assert.isTrue(lines.some(({ message }) => message.includes("because maxTasksPerMinute")))
  })

  test("a cap above what the clock can tell apart is kept on average", function*() {
    const { pool, starts } = yield* startsWith(
      { maxTasksPerMinute: 600_000, desiredConcurrency: 50 },
      100_000,
      () => Effect.sleep("1 millis")
    )
    yield* begin(pool.run)
    yield* after("500 millis")
    assert.isAtLeast(starts.length, 4500)
    assert.isAtMost(starts.length, 5600)
  })

  test("raised while a task waits for a token, takes effect at once", function*() {
    const { pool, starts } = yield* startsWith({ maxTasksPerMinute: 1 }, 4)
    yield* begin(pool.run)
    yield* after("10 seconds")
    yield* pool.configure({ maxTasksPerMinute: 12 })
    yield* after("12 seconds")
    assert.deepStrictEqual(starts, [0, 10_000, 15_000, 20_000])
  })

  test("lifted, starts all that is ready at once", function*() {
    const { pool, starts } = yield* startsWith({ maxTasksPerMinute: 1 }, 4)
    const run = yield* begin(pool.run)
    yield* after("10 seconds")
    yield* pool.configure({ maxTasksPerMinute: Infinity })
    yield* settled
    assert.isTrue(hasEnded(run))
    assert.deepStrictEqual(starts, [0, 10_000, 10_000, 10_000])
  })

  test("lowered while a task waits for a token, counts from the last start", function*() {
    const { pool, starts } = yield* startsWith({ maxTasksPerMinute: 30 }, 3)
    yield* begin(pool.run)
    yield* after("1 second")
    yield* pool.configure({ maxTasksPerMinute: 6 })
    yield* after("30 seconds")
    assert.deepStrictEqual(starts, [0, 10_000, 20_000])
  })

  test("lifted and set again, has not forgotten the last start", function*() {
    const { pool, starts } = yield* startsWith({ maxTasksPerMinute: 6, maxConcurrency: 1 }, 3)
    yield* begin(pool.run)
    yield* pool.pause
    yield* pool.configure({ maxTasksPerMinute: Infinity })
    yield* pool.configure({ maxTasksPerMinute: 6 })
    yield* pool.resume
    yield* after("25 seconds")
    assert.deepStrictEqual(starts, [0, 10_000, 20_000])
  })
})

describe("AutoscaledPool: options that cannot be", () => {
  const numbers = { "NaN": NaN, "0": 0, "-1": -1, "a string": "3", "null": {}, "Infinity": Infinity }
  const ratios = { "NaN": NaN, "0": 0, "-0.1": -0.1, "1.1": 1.1, "a string": "0.5", "Infinity": Infinity }
  const durations = {
    "0": 0,
    "-1": -1,
    "NaN": NaN,
    "nonsense": "5 bananas",
    "an object": {},
    "a negative text": "-1 seconds"
  }
  const neverFinite = { ...durations, "Infinity": Infinity, "Infinity as text": "Infinity" }

  const refused = (field: string, options: Record<string, unknown>, value: unknown) =>
    Effect.gen(function*() {
      const { work } = jobs(0)
      // The types refuse most of these; a caller without types can pass any of them.
      const error = yield* Effect.flip(AutoscaledPool.make({ ...work, ...options } as typeof work))
      assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
      assert.strictEqual(error.field, field)
      assert.deepStrictEqual(error.value, value)
      assert.include(error.message, field)
      assert.match(error.remedy, /^(Use|Leave|Give) .+\.$/)
    })

  for (const field of ["minConcurrency", "maxConcurrency", "desiredConcurrency"]) {
    for (const [name, value] of Object.entries({ ...numbers, "1.5": 1.5 })) {
      test(`concurrencySettings.${field}: ${name}`, function*() {
        yield* refused(`concurrencySettings.${field}`, { concurrencySettings: { [field]: value } }, value)
      })
    }
  }

  for (const [name, value] of Object.entries(numbers)) {
    if (name === "Infinity") continue
    test(`concurrencySettings.maxTasksPerMinute: ${name}`, function*() {
      yield* refused(
        "concurrencySettings.maxTasksPerMinute",
        { concurrencySettings: { maxTasksPerMinute: value } },
        value
      )
    })
  }

  test("concurrencySettings: bounds that contradict each other name both values", function*() {
    const { work } = jobs(0)
    const error = yield* Effect.flip(
      AutoscaledPool.make({ ...work, concurrencySettings: { minConcurrency: 9, maxConcurrency: 5 } })
    )
    assert.strictEqual(error.field, "concurrencySettings.maxConcurrency")
    assert.include(error.message, "9")
    assert.include(error.message, "5")
  })

  for (const field of ["desiredConcurrencyRatio", "scaleUpStepRatio", "scaleDownStepRatio"]) {
    for (const [name, value] of Object.entries(ratios)) {
      test(`${field}: ${name}`, function*() {
        yield* refused(field, { [field]: value }, value)
      })
    }
  }

  for (const field of ["autoscaleInterval", "maybeRunInterval", "loggingInterval"]) {
    for (const [name, value] of Object.entries(neverFinite)) {
      test(`${field}: ${name}`, function*() {
        yield* refused(field, { [field]: value }, value)
      })
    }
  }

  for (const [name, value] of Object.entries(durations)) {
    test(`taskTimeout: ${name}`, function*() {
      yield* refused("taskTimeout", { taskTimeout: value }, value)
    })
  }

  const objects = ["concurrencySettings", "retry", "rateLimit", "governor", "policy"]
  for (const field of [...objects, "onTaskTimeout", "weight"]) {
    for (const [name, value] of Object.entries({ "null": null, "a string": "adaptive", "true": true })) {
      test(`${field}: ${name}`, function*() {
        yield* refused(field, { [field]: value }, value)
      })
    }
  }

  for (const [name, value] of Object.entries({ "nothing": "", "a number": 3, "an object": {} })) {
    test(`taskSpan: ${name}`, function*() {
      yield* refused("taskSpan", { taskSpan: value }, value)
    })
  }

  test("source, handle: what is none is refused before anything runs, by fromSource and by Service", function*() {
    const source = TaskSource.fromIterable([1])
    const handle = () => Effect.void
    const wrong = [
      ...[undefined, null, 5, [1, 2], Effect.succeed(source)].map((value) => ["source", value, handle] as const),
      ...[undefined, Effect.void, 5].map((value) => ["handle", source, value] as const)
    ]
    for (const [field, given, by] of wrong) {
      // The types refuse all of them.
      const error = yield* Effect.flip(AutoscaledPool.fromSource(given as typeof source, by as typeof handle))
      assert.deepInclude(error, { _tag: "InvalidOptionsError", field })
      class Work extends AutoscaledPool.Service<Work>()("test/NoSource", { source: given, handle: by } as never) {}
      const same = yield* Effect.flip(Effect.provide(Work, Work.layer) as Effect.Effect<unknown, unknown>)
      assert.deepInclude(same, { _tag: "InvalidOptionsError", field })
    }
  })

  for (const field of ["runTask", "isTaskReady", "isFinished"]) {
    for (
      const [name, value] of Object.entries({
        "undefined": undefined,
        "a boolean": true,
        "a promise": async () => true
      })
    ) {
      test(`${field}: ${name} in place of an effect`, function*() {
        yield* refused(field, { [field]: value }, value)
      })
    }
  }

  for (const field of objects) {
    test(`${field}: a number`, function*() {
      yield* refused(field, { [field]: 3 }, 3)
    })
  }

  test("policy: an object that is none", function*() {
    yield* refused("policy", { policy: { name: "mine" } }, { name: "mine" })
  })

  for (const field of ["autoscaleInterval", "desiredConcurrencyRatio", "scaleUpStepRatio", "scaleDownStepRatio"]) {
    test(`${field} together with policy`, function*() {
      yield* refused(field, { policy: ScalingPolicy.stepRatio(), [field]: 0.5 }, 0.5)
    })
  }

  for (
    const [field, options] of Object.entries({
      "concurrencySettings.maxConcurrency": { concurrencySettings: { maxConcurrency: 0 } },
      onTaskTimeout: { onTaskTimeout: 3 as never },
      keys: { keys: 3 as never },
      weight: { weight: "2" as never }
    })
  ) {
    test(`${field}: is refused alike by make, fromSource, forEach and Service`, function*() {
      const { work } = jobs(0)
      class Crawl extends AutoscaledPool.Service<Crawl>()("test/Refused", { ...work, ...options }) {}
      const source = TaskSource.fromIterable([1])
      const attempts = [
        AutoscaledPool.make({ ...work, ...options }),
        AutoscaledPool.fromSource(source, () => Effect.void, options),
        AutoscaledPool.forEach([1], () => Effect.void, options),
        Effect.provide(Crawl, Crawl.layer)
      ]
      for (const attempt of attempts) {
        const error = yield* Effect.flip(attempt as Effect.Effect<unknown, unknown>)
        assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
        assert.strictEqual((error as InvalidOptionsError.InvalidOptionsError).field, field)
      }
    })
  }

  test("undefined is left out, whatever the option", function*() {
    const { work } = jobs(0)
    const nothing = {
      concurrencySettings: undefined,
      taskTimeout: undefined,
      onTaskTimeout: undefined,
      loggingInterval: undefined,
      maybeRunInterval: undefined,
      taskSpan: undefined,
      policy: undefined,
      autoscaleInterval: undefined,
      desiredConcurrencyRatio: undefined,
      scaleUpStepRatio: undefined,
      scaleDownStepRatio: undefined
    }
    const pool = yield* AutoscaledPool.make({ ...work, ...nothing })
    assert.strictEqual((yield* pool.run).outcome, "Finished")
    assert.deepStrictEqual(yield* pool.settings, {
      minConcurrency: 1,
      maxConcurrency: 200,
      desiredConcurrency: 10,
      maxTasksPerMinute: Infinity
    })
  })
})
