/**
 * Iterators that can be gone through only once, that are left before their end, and that fail.
 */
import { AutoscaledPool, InvalidOptionsError, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { Readable } from "node:stream"
import { begin, causeOf, failureOf, resultOf, settled, test } from "./stage.ts"

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
