import { AutoscaledPool, InvalidOptionsError, PoolRegistry, SystemStatus } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Data, Effect, Exit, Fiber, pipe, Stream } from "effect"
import type { NonEmptyArray, NonEmptyReadonlyArray } from "effect/Array"
import {
  after,
  begin,
  causeOf,
  counted,
  exitOf,
  failureOf,
  hasEnded,
  resultOf,
  test,
  withSlowFinalizer
} from "./stage.ts"

class Torn extends Data.TaggedError("Torn")<{ readonly page: number }> {}

const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

describe("AutoscaledPool.forEach", () => {
  for (const control of ["abort", "drain"] as const) {
    for (const discard of [false, true]) {
      test(`a view's ${control}${discard ? ", without results" : ""}: interrupted, as there are not all results`, function*() {
        const registry = yield* PoolRegistry.PoolRegistry
        const options = { name: `forEach ${control}`, concurrencySettings: { maxConcurrency: 2 } }
        const task = (item: number) => Effect.as(Effect.sleep("1 second"), item)
        const run = yield* begin(
          discard
            ? AutoscaledPool.forEach(range(4), task, { ...options, discard })
            : AutoscaledPool.forEach(range(4), task, options)
        )
        const { controls } = registry.find(options.name) ?? assert.fail("the pool is not registered")
        yield* begin(controls?.[control] ?? Effect.die("no controls"))
        yield* after("2 seconds")
        assert.isTrue(Cause.hasInterruptsOnly(yield* causeOf(run)))
      })
    }
  }

  test("results come in the order of the items, whatever the order of their ends", function*() {
    const run = yield* begin(
      AutoscaledPool.forEach(range(20), (item) => Effect.as(Effect.sleep(1000 - item * 37), `page ${item}`))
    )
    yield* after("10 seconds")
    assert.deepStrictEqual(yield* resultOf(run), range(20).map((item) => `page ${item}`))
  })

  test("does what Effect.forEach does, on any iterable", function*() {
    const iterables: Record<string, () => Iterable<unknown>> = {
      array: () => [3, 1, 2],
      empty: () => [],
      set: () => new Set([3, 1, 3, 2]),
      map: () => new Map([["a", 1], ["b", 2]]),
      string: () => "añ🙂",
      generator: function*() {
        yield 1
        yield undefined
        yield 3
      },
      "an array with holes": () => Array<number>(3),
      "an iterable of its own": () => ({ [Symbol.iterator]: () => [1, 2][Symbol.iterator]() })
    }
    for (const [name, iterable] of Object.entries(iterables)) {
      const f = (item: unknown, index: number) => Effect.succeed([item, index] as const)
      assert.deepStrictEqual(
        yield* AutoscaledPool.forEach(iterable(), f),
        yield* Effect.forEach(Array.from(iterable()), f),
        name
      )
    }
  })

  test("results may be undefined, and none is missing", function*() {
    const results = yield* AutoscaledPool.forEach([1, 2, 3], () => Effect.undefined)
    assert.deepStrictEqual(results, [undefined, undefined, undefined])
    assert.deepStrictEqual(Object.keys(results), ["0", "1", "2"])
  })

  test("discard keeps none", function*() {
    const { tally, task } = counted()
    const run = yield* begin(AutoscaledPool.forEach(range(25), () => task, { discard: true }))
    yield* after("3 seconds")
    assert.isUndefined(yield* resultOf(run))
    assert.deepInclude(tally, { succeeded: 25, peak: 10 })
  })

  test("runs at the concurrency that is desired, and keeps the minimum under overload", function*() {
    const { tally, task } = counted()
    yield* (yield* SystemStatus.TestSystemStatus).set("cpu", { isOverloaded: true })
    const run = yield* begin(
      AutoscaledPool.forEach(range(6), () => task, {
        concurrencySettings: { minConcurrency: 2, desiredConcurrency: 5 }
      })
    )
    yield* after("2 seconds")
    assert.strictEqual(tally.peak, 2)
    yield* (yield* SystemStatus.TestSystemStatus).set("cpu", {})
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).length, 6)
  })

  test("asks for items one at a time, as they can start", function*() {
    let asked = 0
    const pages = function*() {
      while (true) yield asked++
    }
    const run = yield* begin(AutoscaledPool.forEach(pages(), () => Effect.sleep("1 second"), { discard: true }))
    assert.strictEqual(asked, 10)
    yield* after("1 second")
    assert.strictEqual(asked, 20)
    yield* Fiber.interrupt(run)
    yield* after("1 minute")
    assert.strictEqual(asked, 20)
  })

  test("the first failure interrupts the others, waits for their finalizers, and is typed", function*() {
    let finalized = 0
    const run = yield* begin(AutoscaledPool.forEach(range(5), (item) =>
      item === 3
        ? Effect.andThen(Effect.sleep("1 second"), Effect.fail(new Torn({ page: item })))
        : withSlowFinalizer(Effect.never, () => void finalized++)))
    yield* after("1999 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    const error = yield* failureOf(run)
    assert.isTrue(error._tag === "Torn" && error.page === 3)
    assert.strictEqual(finalized, 4)
    assert.isFalse(Cause.hasDies(yield* causeOf(run)))
  })

  test("a defect in the function that makes the task is the defect of the whole", function*() {
    const run = yield* begin(AutoscaledPool.forEach([1, 2, 3], (item): Effect.Effect<number> => {
      if (item === 2) throw new Error("a bug")
      return Effect.succeed(item)
    }))
    assert.include(Cause.pretty(yield* causeOf(run)), "a bug")
  })

  test("a defect of the iterable is the defect of the whole", function*() {
    const pages = function*() {
      yield 1
      throw new Error("no more paper")
    }
    const run = yield* begin(AutoscaledPool.forEach(pages(), () => Effect.void))
    assert.include(Cause.pretty(yield* causeOf(run)), "no more paper")
  })

  test("interruption interrupts the tasks, and waits for their finalizers", function*() {
    let finalized = 0
    const run = yield* begin(
      AutoscaledPool.forEach(range(3), () => withSlowFinalizer(Effect.never, () => void finalized++))
    )
    const interruption = yield* begin(Fiber.interrupt(run))
    assert.isFalse(hasEnded(interruption))
    yield* after("1 second")
    assert.isTrue(Exit.hasInterrupts(yield* exitOf(run)))
    assert.strictEqual(finalized, 3)
  })

  test("what onTaskTimeout succeeds with stands in for the result, in its place", function*() {
    const run = yield* begin(AutoscaledPool.forEach(
      ["fast", "stuck", "fast"],
      (item, index) => item === "stuck" ? Effect.never : Effect.as(Effect.sleep("1 second"), index),
      { taskTimeout: "3 seconds", onTaskTimeout: (_error, item) => Effect.succeed(item === "stuck" ? -1 : -2) }
    ))
    yield* after("3 seconds")
    assert.deepStrictEqual(yield* resultOf(run), [0, -1, 2])
  })

  test("a time limit that nothing absorbs is a TaskTimeoutError of the whole", function*() {
    const run = yield* begin(AutoscaledPool.forEach([1], () => Effect.never, { taskTimeout: "3 seconds" }))
    yield* after("3 seconds")
    assert.instanceOf(yield* failureOf(run), AutoscaledPool.TaskTimeoutError)
  })

  test("is an effect like any other: it can be run again, and at the same time with itself", function*() {
    const { tally, task } = counted()
    const twice = AutoscaledPool.forEach([1, 2, 3], (item) => Effect.as(task, item))
    const run = yield* begin(Effect.all([twice, twice], { concurrency: 2 }))
    yield* after("1 second")
    assert.deepStrictEqual(yield* resultOf(run), [[1, 2, 3], [1, 2, 3]])
    assert.strictEqual(tally.peak, 6)
  })

  test("options that cannot be are an InvalidOptionsError before anything starts", function*() {
    const { tally, task } = counted()
    const error = yield* Effect.flip(
      AutoscaledPool.forEach([1], () => task, { concurrencySettings: { minConcurrency: 0 } })
    )
    assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
    assert.strictEqual(tally.started, 0)
  })

  test("ten thousand items that never suspend need no stack and keep their order", function*() {
    const results = yield* AutoscaledPool.forEach(range(10_000), (item) => Effect.succeed(item * 2))
    assert.strictEqual(results.length, 10_000)
    assert.isTrue(results.every((result, index) => result === index * 2))
  })

  test("works in a finalizer and in another region that cannot be interrupted", function*() {
    const { tally, task } = counted()
    const run = yield* begin(Effect.scoped(
      Effect.addFinalizer(() => Effect.orDie(Effect.asVoid(AutoscaledPool.forEach([1, 2], () => task))))
    ))
    yield* after("1 second")
    yield* resultOf(run)
    assert.strictEqual(tally.succeeded, 2)
  })

  test("an iterator that was used up is not closed, as by a loop over it", function*() {
    let given = 0
    let closed = 0
    const items: Iterable<number> = {
      [Symbol.iterator]: () => ({
        next: () => given < 3 ? { value: given++ } : { value: undefined, done: true },
        return: () => {
          closed++
          return { value: undefined, done: true }
        }
      })
    }
    assert.deepStrictEqual(yield* AutoscaledPool.forEach(items, (n) => Effect.succeed(n)), [0, 1, 2])
    assert.strictEqual(closed, 0)
  })

  test("a generator that was not used up is closed when a failure ends the run", function*() {
    let closed = 0
    const pages = function*() {
      try {
        while (true) yield 1
      } finally {
        closed++
      }
    }
    const run = yield* begin(AutoscaledPool.forEach(pages(), () => Effect.fail("torn")))
    assert.strictEqual(yield* failureOf(run), "torn")
    assert.strictEqual(closed, 1)
  })

  test("data-last, with options and without, does the same", function*() {
    const double = (n: number) => Effect.succeed(n * 2)
    assert.deepStrictEqual(yield* pipe([1, 2], AutoscaledPool.forEach(double)), [2, 4])
    assert.deepStrictEqual(yield* pipe([1, 2], AutoscaledPool.forEach(double, { taskTimeout: "1 second" })), [2, 4])
    assert.isUndefined(yield* pipe(new Set([1, 2]), AutoscaledPool.forEach(double, { discard: true })))
  })

  test("goes through async iterables and streams, in order, closes them, and fails as they do", function*() {
    let closed = 0
    const pages = async function*() {
      try {
        yield "a"
        yield "b"
      } finally {
        closed++
      }
    }
    const label = (page: string, index: number) => Effect.succeed(`${index} ${page}`)
    assert.deepStrictEqual(yield* AutoscaledPool.forEach(pages(), label), ["0 a", "1 b"])
    assert.strictEqual(closed, 1)
    assert.deepStrictEqual(yield* AutoscaledPool.forEach(Stream.make("a", "b"), label), ["0 a", "1 b"])
    const torn = Stream.concat(Stream.make("a"), Stream.fail("torn" as const))
    const error: "torn" | AutoscaledPool.TaskTimeoutError | InvalidOptionsError.InvalidOptionsError = yield* Effect
      .flip(
        AutoscaledPool.forEach(torn, label)
      )
    assert.strictEqual(error, "torn")
  })

  test("what is not empty gives results that are not empty", function*() {
    const items: NonEmptyReadonlyArray<number> = [1, 2]
    const results: NonEmptyArray<string> = yield* AutoscaledPool.forEach(items, (n) => Effect.succeed(`${n}`))
    assert.deepStrictEqual(results, ["1", "2"])
    // @ts-expect-error: an array may be empty
    const none: NonEmptyArray<number> = yield* AutoscaledPool.forEach(Array<number>(), Effect.succeed)
    assert.strictEqual(none.length, 0)
  })
})
