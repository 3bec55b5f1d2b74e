/**
 * Iterators that can be gone through only once, that are left before their end, and that fail.
 */
import { AutoscaledPool, InvalidOptionsError, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Effect, Fiber, Queue, Stream } from "effect"
import { Readable } from "node:stream"
import { begin, causeOf, failureOf, log, resultOf, settled, test } from "./stage.ts"

const turns = Effect.andThen(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), settled)

/** A pool whose tasks never end until `goOn`, and what it has done. */
const workOn = Effect.fnUntraced(function*(items: Iterable<number> | AsyncIterable<number>) {
  const done: Array<number> = []
  const state = { isStuck: true }
  const pool = yield* AutoscaledPool.fromSource(
    TaskSource.fromIterable(items),
    (item) => Effect.suspend(() => state.isStuck ? Effect.never : Effect.sync(() => done.push(item))),
    { concurrencySettings: { desiredConcurrency: 4 } }
  )
  return { done, pool, goOn: () => void (state.isStuck = false) }
})

const ten = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

/** As those of databases: each iterator is a new one over the same rows, and whoever leaves it closes the cursor. */
class Cursor implements AsyncIterable<number> {
  closed = false

  async *[Symbol.asyncIterator](): AsyncGenerator<number> {
    try {
      if (!this.closed) yield* ten
    } finally {
      this.closed = true
    }
  }
}

const endings: Record<string, (pool: AutoscaledPool.AutoscaledPool<unknown>) => Effect.Effect<unknown>> = {
  abort: (pool) =>
    Effect.gen(function*() {
      yield* begin(pool.run)
      yield* turns
      yield* pool.abort
    }),
  interruption: (pool) =>
    Effect.gen(function*() {
      const run = yield* begin(pool.run)
      yield* turns
      yield* Fiber.interrupt(run)
    })
}

describe("a run that ended before its iterable did", () => {
  const generate = function*() {
    yield* ten
  }
  const iterables: Record<string, () => Iterable<number>> = {
    "a generator": generate,
    "an array": () => ten,
    "an iterable that begins anew": () => ({ [Symbol.iterator]: generate })
  }
  for (const [ending, end] of Object.entries(endings)) {
    for (const [name, make] of Object.entries(iterables)) {
      test(`${name}, ${ending}: the next run goes on where it was`, function*() {
        const { done, goOn, pool } = yield* workOn(make())
        yield* end(pool)
        goOn()
        yield* resultOf(yield* begin(pool.run))
        assert.deepStrictEqual(done, ten)
      })
    }

    test(`an async generator, ${ending}: the next run dies and says why, and so does the one after it`, function*() {
      const { done, goOn, pool } = yield* workOn((async function*() {
        yield* ten
      })())
      yield* end(pool)
      goOn()
      for (let again = 0; again < 2; again++) {
        const run = yield* begin(pool.run)
        yield* turns
        assert.include(Cause.pretty(yield* causeOf(run)), "can be gone through only once")
      }
      assert.deepStrictEqual(done, [])
    })

    const streams: Record<string, () => AsyncIterable<number>> = {
      "a web stream": () => Readable.toWeb(Readable.from(ten)) as AsyncIterable<number>,
      "a stream of Node.js": () => Readable.from(ten),
      "a cursor": () => new Cursor()
    }
    for (const [name, make] of Object.entries(streams)) {
      test(`${name}, ${ending}: the next run dies and says why, though there is a new iterator each time`, function*() {
        const { done, goOn, pool } = yield* workOn(make())
        yield* end(pool)
        for (let turn = 0; turn < 5; turn++) yield* turns
        goOn()
        const run = yield* begin(pool.run)
        for (let turn = 0; turn < 5; turn++) yield* turns
        assert.include(Cause.pretty(yield* causeOf(run)), "can be gone through only once")
        assert.deepStrictEqual(done, [])
      })
    }

    test(`an async iterable that begins anew, ${ending}: the next run goes through all of it`, function*() {
      const { done, goOn, pool } = yield* workOn({
        [Symbol.asyncIterator]: async function*() {
          yield* ten
        }
      })
      yield* end(pool)
      goOn()
      const run = yield* begin(pool.run)
      for (let turn = 0; turn < 30; turn++) yield* turns
      yield* resultOf(run)
      assert.deepStrictEqual(done, ten)
    })
  }

  test("an async generator that a run has used up is no error: there is nothing left", function*() {
    const { goOn, pool } = yield* workOn((async function*() {
      yield 1
    })())
    goOn()
    for (const started of [1, 0]) {
      const run = yield* begin(pool.run)
      for (let turn = 0; turn < 5; turn++) yield* turns
      assert.strictEqual((yield* resultOf(run)).started, started)
    }
  })

  test("a web stream that a run has used up is no error: there is nothing left", function*() {
    const { goOn, pool } = yield* workOn(Readable.toWeb(Readable.from([1])) as AsyncIterable<number>)
    goOn()
    for (const started of [1, 0]) {
      const run = yield* begin(pool.run)
      for (let turn = 0; turn < 10; turn++) yield* turns
      assert.strictEqual((yield* resultOf(run)).started, started)
    }
  })

  test("an async iterator whose next rejects: a defect, and then an error that it cannot go on", function*() {
    let asked = 0
    const iterator: AsyncIterator<number> & AsyncIterable<number> = {
      next: () =>
        asked++ === 0 ? Promise.resolve({ done: false, value: 1 }) : Promise.reject(new Error("no more paper")),
      [Symbol.asyncIterator]: () => iterator
    }
    const { goOn, pool } = yield* workOn(iterator)
    goOn()
    for (const message of ["no more paper", "can be gone through only once"]) {
      const run = yield* begin(pool.run)
      for (let turn = 0; turn < 5; turn++) yield* turns
      assert.include(Cause.pretty(yield* causeOf(run)), message)
    }
  })

  test("a generator that throws: a defect, and then an error that it cannot go on, each time", function*() {
    const { done, goOn, pool } = yield* workOn((function*() {
      yield 1
      throw new Error("no more paper")
    })())
    goOn()
    assert.include(Cause.pretty(yield* causeOf(yield* begin(pool.run))), "no more paper")
    for (let again = 0; again < 2; again++) {
      assert.include(Cause.pretty(yield* causeOf(yield* begin(pool.run))), "no further run can go on with it")
    }
    assert.deepStrictEqual(done, [1])
  })

  test("an iterator that throws once and goes on is gone on with", function*() {
    let asked = 0
    const { done, goOn, pool } = yield* workOn({
      [Symbol.iterator]: () => ({
        next: () => {
          if (asked++ === 1) throw new Error("the paper is stuck")
          return asked < 5 ? { done: false, value: asked } : { done: true, value: 0 }
        }
      })
    })
    goOn()
    assert.include(Cause.pretty(yield* causeOf(yield* begin(pool.run))), "stuck")
    assert.strictEqual((yield* resultOf(yield* begin(pool.run))).outcome, "Finished")
    assert.deepStrictEqual(done, [1, 3, 4])
  })

  test("an iterator that said it is done is not asked again", function*() {
    let asked = 0
    const source = TaskSource.fromIterable({
      [Symbol.iterator]: () => ({ next: () => asked++ === 0 ? { done: false, value: 1 } : { done: true, value: 1 } })
    })
    const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void)
    yield* pool.run
    yield* pool.run
    assert.strictEqual(asked, 2)
  })
})

describe("a stream that a run left before its end", () => {
  const warnings = Effect.fnUntraced(function*(stream: Stream.Stream<number>, isStuck = true) {
    const { layer, lines } = log()
    const state = { isStuck }
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromStream(stream),
      () => Effect.suspend(() => state.isStuck ? Effect.never : Effect.void),
      { concurrencySettings: { desiredConcurrency: 4 } }
    )
    const run = yield* begin(Effect.provide(pool.run, layer))
    yield* turns
    yield* begin(pool.abort)
    state.isStuck = false
    const again = yield* begin(Effect.provide(pool.run, layer))
    for (let turn = 0; turn < 10; turn++) yield* turns
    yield* begin(pool.abort)
    for (const fiber of [run, again]) yield* resultOf(fiber)
    return lines.filter(({ level }) => level === "Warn").map(({ message }) => message)
  })

  test("tells how much of it was in hand, which is not given back", function*() {
    const queue = yield* Queue.unbounded<number>()
    yield* Queue.offerAll(queue, ten)
    const [inHand, ...others] = yield* warnings(Stream.fromQueue(queue))
    assert.include(inHand, "with 10 elements of its stream in hand")
    assert.include(inHand, "TaskSource.fromQueue")
    assert.deepStrictEqual(others, [])
  })

  test("and that gives nothing to the next run is told of: it may go through only once", function*() {
    const generate = async function*() {
      yield* ten
    }
    const [inHand, nothingLeft, ...others] = yield* warnings(
      Stream.fromAsyncIterable(generate(), String).pipe(Stream.orDie)
    )
    assert.include(inHand, "in hand")
    assert.include(nothingLeft, "gives nothing now that another run has begun it anew")
    assert.deepStrictEqual(others, [])
  })

  test("that begins anew, or was used up, is not told of", function*() {
    const beginsAnew = yield* warnings(Stream.rechunk(Stream.fromIterable(ten), 1))
    assert.strictEqual(beginsAnew.length, 1) // of the elements in hand alone
    assert.deepStrictEqual(yield* warnings(Stream.fromIterable(ten), false), [])
    assert.deepStrictEqual(yield* warnings(Stream.empty), [])
  })
})

describe("an iterator of AutoscaledPool.forEach", () => {
  const watched = () => {
    const record = { opened: 0, closed: 0 }
    const items = {
      *[Symbol.iterator]() {
        record.opened++
        try {
          yield* ten
        } finally {
          record.closed++
        }
      }
    }
    return { items, record }
  }

  test("is not opened where an option is refused", function*() {
    let opened = 0
    const items: Iterable<number> = {
      [Symbol.iterator]: () => {
        opened++
        return ten[Symbol.iterator]()
      }
    }
    const error = yield* Effect.flip(AutoscaledPool.forEach(items, Effect.succeed, { taskTimeout: -1 }))
    assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
    assert.strictEqual(opened, 0)
  })

  test("is closed where it is left before its end: by a failure and by an interruption", function*() {
    const failing = watched()
    assert.strictEqual(
      yield* failureOf(yield* begin(AutoscaledPool.forEach(failing.items, () => Effect.fail("torn")))),
      "torn"
    )
    assert.deepStrictEqual(failing.record, { opened: 1, closed: 1 })
    const stuck = watched()
    const run = yield* begin(
      AutoscaledPool.forEach(stuck.items, () => Effect.never, { concurrencySettings: { maxConcurrency: 2 } })
    )
    yield* Fiber.interrupt(run)
    assert.deepStrictEqual(stuck.record, { opened: 1, closed: 1 })
  })
})
