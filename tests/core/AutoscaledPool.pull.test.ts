/**
 * A pool over a server that is asked for its items: what a pull has answered is never thrown away, and how many ask at a
 * time grows with the answers.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { after, begin, counted, failureOf, hasEnded, resultOf, settled, test } from "./stage.ts"

const overload = (isOverloaded: boolean) =>
  Effect.flatMap(SystemStatus.TestSystemStatus, (status) => status.set("cpu", { isOverloaded }))

type Pool = AutoscaledPool.AutoscaledPool<unknown>

/** A list on a server with a pop that waits for an item: what was popped is gone from it. */
const server = () => {
  const list: Array<string> = []
  const waiting: Array<(item: string) => void> = []
  const answer = () => {
    while (list.length > 0 && waiting.length > 0) waiting.shift()?.(list.shift() ?? "")
  }
  return {
    list,
    waiting,
    push: (...items: ReadonlyArray<string>) => {
      list.push(...items)
      answer()
    },
    /** Hands the next item to `take`; what it returns forgets about it. */
    pop: (take: (item: string) => void) => {
      waiting.push(take)
      answer()
      return () => {
        const index = waiting.indexOf(take)
        if (index >= 0) waiting.splice(index, 1)
      }
    }
  }
}

type Server = ReturnType<typeof server>

const popped = (server: Server, signal?: AbortSignal) =>
  new Promise<string>((resolve) => {
    const forget = server.pop(resolve)
    signal?.addEventListener("abort", forget)
  })

const pops: Record<string, (server: Server) => Effect.Effect<string>> = {
  "a promise": (server) => Effect.promise(() => popped(server)),
  "a promise with a signal": (server) => Effect.promise((signal) => popped(server, signal)),
  "a promise that is not interrupted": (server) => Effect.uninterruptible(Effect.promise(() => popped(server))),
  "a callback": (server) =>
    Effect.callback((resume) => {
      const forget = server.pop((item) => resume(Effect.succeed(item)))
      return Effect.sync(forget)
    }),
  "a callback that is not interrupted": (server) =>
    Effect.uninterruptible(Effect.callback((resume) => void server.pop((item) => resume(Effect.succeed(item)))))
}

/** Lets promises answer as well. */
const turns = Effect.andThen(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), settled)

const workOn = Effect.fnUntraced(function*(pop: Effect.Effect<string>) {
  const done: Array<string> = []
  const pool = yield* AutoscaledPool.fromSource(
    TaskSource.fromPull(Effect.asSome(pop)),
    (item) => Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => done.push(item))),
    { concurrencySettings: { desiredConcurrency: 3, maxConcurrency: 3 } }
  )
  return { done, pool }
})

describe("a pull that answered is never thrown away", () => {
  const gates: Record<
    string,
    readonly [
      close: (pool: Pool) => Effect.Effect<unknown, unknown, SystemStatus.TestSystemStatus>,
      open: (pool: Pool) => Effect.Effect<unknown, unknown, SystemStatus.TestSystemStatus>
    ]
  > = {
    "a pause": [(pool) => pool.pause, (pool) => pool.resume],
    "an overload": [() => overload(true), () => overload(false)],
    "a lower maximum": [
      (pool) => pool.configure({ maxConcurrency: 1 }),
      (pool) => pool.configure({ maxConcurrency: 3, desiredConcurrency: 3 })
    ]
  }
  for (const [kind, popOf] of Object.entries(pops)) {
    for (const [gate, [close, open]] of Object.entries(gates)) {
      test(`${kind}, ${gate}`, function*() {
        for (const isSameTurn of [false, true]) {
          const items = server()
          const { done, pool } = yield* workOn(popOf(items))
          yield* begin(pool.run)
          yield* turns
          assert.strictEqual(items.waiting.length, 3)
          if (isSameTurn) {
            yield* Effect.andThen(Effect.sync(() => items.push("a")), close(pool))
            items.push("b", "c")
          } else {
            yield* close(pool)
            yield* turns
            items.push("a", "b", "c")
          }
          yield* turns
          yield* after("2 seconds")
          yield* open(pool)
          yield* turns
          yield* after("3 seconds")
          yield* after("1 second")
          assert.sameMembers(done, ["a", "b", "c"])
          yield* begin(pool.abort)
          items.push("d", "e", "f") // ends the pops that cannot be interrupted
          yield* turns
        }
      })
    }

    if (kind.includes("not interrupted")) {
      test(`${kind}, taken by a source of one's own that knows nothing of pools`, function*() {
        for (const [gate, [close, open]] of Object.entries(gates)) {
          const items = server()
          const done: Array<string> = []
          const source: TaskSource.TaskSource<string> = {
            take: (handle) => Effect.as(Effect.flatMap(popOf(items), handle), "Taken" as const)
          }
          const pool = yield* AutoscaledPool.fromSource(source, (item) => Effect.sync(() => done.push(item)), {
            concurrencySettings: { desiredConcurrency: 3, maxConcurrency: 3 }
          })
          yield* begin(pool.run)
          yield* close(pool)
          yield* turns
          items.push("a", "b", "c")
          yield* turns
          yield* open(pool)
          yield* turns
          assert.sameMembers(done, ["a", "b", "c"], gate)
          yield* begin(pool.abort)
          items.push("d", "e", "f")
          yield* turns
        }
      })
    }

    if (kind === "a promise") continue // goes on when it is interrupted, as every promise does that has no signal
    for (const ending of ["abort", "interruption"] as const) {
      test(`${kind}, ${ending}: the next run works on it`, function*() {
        for (const when of ["before", "in the same turn", "after"] as const) {
          const items = server()
          const { done, pool } = yield* workOn(popOf(items))
          const run = yield* begin(pool.run)
          yield* turns
          const end = ending === "abort" ? pool.abort : Fiber.interrupt(run)
          if (when === "before") {
            items.push("a", "b", "c")
            yield* turns
          }
          if (when === "in the same turn") items.push("a", "b", "c")
          const ended = yield* begin(end)
          if (when === "after") items.push("a", "b", "c")
          yield* turns
          assert.isTrue(hasEnded(ended), when)
          assert.deepStrictEqual(done, [])
          const again = yield* begin(pool.run)
          yield* turns
          yield* after("1 second")
          assert.sameMembers(done, ["a", "b", "c"], when)
          yield* begin(Fiber.interrupt(again))
          items.push("d", "e", "f")
          yield* turns
        }
      })
    }
  }

  test("what was interrupted comes first, before anything is asked for again", function*() {
    const items = server()
    const { done, pool } = yield* workOn(pops["a callback"](items))
    yield* begin(pool.run)
    items.push("a", "b", "c")
    yield* settled
    yield* pool.abort
    items.push("d")
    yield* begin(pool.run)
    assert.deepStrictEqual(items.list, ["d"])
    yield* after("2 seconds")
    assert.deepStrictEqual(done, ["a", "b", "c", "d"])
  })

  test("a failure of one task keeps the items of the others", function*() {
    const items = server()
    const done: Array<string> = []
    let isBroken = true
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromPull(Effect.asSome(pops["a callback"](items))),
      (item) =>
        Effect.andThen(
          Effect.sleep(item === "a" ? "1 second" : "2 seconds"),
          Effect.suspend(() => item === "a" && isBroken ? Effect.fail("torn") : Effect.sync(() => done.push(item)))
        )
    )
    const run = yield* begin(pool.run)
    items.push("a", "b", "c")
    yield* after("1 second")
    assert.isTrue(hasEnded(run))
    isBroken = false
    yield* begin(pool.run)
    yield* after("2 seconds")
    assert.sameMembers(done, ["b", "c"])
  })
})

describe("asking grows with the answers", () => {
  /** A table so far away, with a record of who asks. */
  const table = (millis: number) => {
    const record = { rows: 0, asked: 0, asking: 0, most: 0 }
    const pull = Effect.suspend(() => {
      record.asked++
      record.most = Math.max(record.most, ++record.asking)
      return Effect.andThen(
        Effect.sleep(millis),
        Effect.sync(() => {
          record.asking--
          return record.rows-- > 0 ? Option.some("row") : (record.rows = 0, Option.none())
        })
      )
    })
    return { record, pull }
  }

  test("an empty table is asked by one, once an interval", function*() {
    const { pull, record } = table(5)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => Effect.void, {
      concurrencySettings: { desiredConcurrency: 100 }
    })
    yield* begin(pool.run)
    yield* after("250 millis")
    assert.isAtMost(record.asked, 100)
    record.asked = record.most = 0
    yield* after("10 seconds")
    assert.strictEqual(record.asked, 20)
    assert.strictEqual(record.most, 1)
  })

  test("an empty table is asked by one while tasks end all the time", function*() {
    const { pull, record } = table(5)
    record.rows = 50
    const { tally, task } = counted((index) => Effect.sleep(1000 + 7 * index))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task, {
      concurrencySettings: { desiredConcurrency: 100 }
    })
    yield* begin(pool.run)
    yield* after("500 millis")
    assert.strictEqual(tally.running, 50)
    record.most = 0
    for (let n = 0; n < 1000; n++) yield* TestClock.adjust(1)
    assert.isBelow(tally.running, 10)
    assert.strictEqual(record.most, 1)
  })

  test("what comes into an empty table fills all slots, twice as many with each round", function*() {
    const { pull, record } = table(5)
    const { tally, task } = counted(() => Effect.sleep("1 minute"))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task, {
      concurrencySettings: { desiredConcurrency: 100 }
    })
    yield* begin(pool.run)
    yield* after("750 millis")
    record.rows = 1000
    yield* after("250 millis") // the interval
    for (const running of [1, 3, 7, 15, 31, 63, 100]) {
      yield* after("5 millis")
      assert.strictEqual(tally.running, running)
    }
  })

  test("a pull that waits is asked by all slots, and by all of them again after it had nothing", function*() {
    let waitsOn = false
    const record = { asking: 0 }
    const pull = Effect.suspend(() => {
      record.asking++
      const wait = waitsOn ? Effect.never : Effect.as(Effect.sleep("5 seconds"), Option.none<string>())
      return Effect.ensuring(wait, Effect.sync(() => record.asking--))
    })
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => Effect.void, {
      concurrencySettings: { desiredConcurrency: 20 }
    })
    yield* begin(pool.run)
    assert.strictEqual(record.asking, 20)
    yield* after("4 seconds")
    waitsOn = true
    yield* after("1600 millis")
    assert.strictEqual(record.asking, 1)
    yield* after("5 seconds")
    assert.strictEqual(record.asking, 20)
  })

  test("a notify does not make all slots ask a table that has nothing", function*() {
    const { pull, record } = table(5)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => Effect.void, {
      concurrencySettings: { desiredConcurrency: 100 }
    })
    const run = yield* begin(pool.run)
    yield* after("100 millis")
    record.most = 0
    yield* pool.notify
    yield* after("100 millis")
    assert.strictEqual(record.most, 1)
    yield* pool.abort
    yield* resultOf(run)
  })
})

describe("a source of one's own, by pull and settle", () => {
  const leasing = (items: Server, settlesFailures: boolean) => {
    const settled: Array<string> = []
    const source = TaskSource.make({
      pull: Effect.asSome(pops["a callback that is not interrupted"](items)),
      settle: (item, exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) return void settled.push(`${item} done`)
          if (!Cause.hasInterruptsOnly(exit.cause)) return void settled.push(`${item} failed`)
          settled.push(`${item} back`)
        }),
      settlesFailures
    })
    return { settled, source }
  }

  test("each item is settled once: done, failed, or given back, late answers too", function*() {
    const items = server()
    const { settled: record, source } = leasing(items, true)
    const pool = yield* AutoscaledPool.fromSource(
      source,
      (item) => item === "a" ? Effect.fail("torn") : item === "b" ? Effect.void : Effect.never,
      { concurrencySettings: { desiredConcurrency: 4, maxConcurrency: 4 } }
    )
    const run = yield* begin(pool.run)
    items.push("a", "b", "c")
    yield* turns
    assert.deepStrictEqual(record, ["a failed", "b done"])
    const abort = yield* begin(pool.abort)
    assert.isFalse(hasEnded(abort)) // three pulls cannot be interrupted
    items.push("d", "e", "f")
    yield* turns
    assert.isTrue(hasEnded(abort))
    assert.deepInclude(yield* resultOf(run), { failed: 1, succeeded: 1, interrupted: 1 })
    assert.sameMembers(record, ["a failed", "b done", "c back", "d back", "e back", "f back"])
  })

  test("where it does not settle failures, the first one ends the run, settled", function*() {
    const items = server()
    const { settled: record, source } = leasing(items, false)
    const pool = yield* AutoscaledPool.fromSource(source, () => Effect.fail("torn" as const), {
      concurrencySettings: { maxConcurrency: 1 }
    })
    items.push("a")
    const run = yield* begin(pool.run)
    yield* turns
    const error: "torn" | AutoscaledPool.TaskTimeoutError | AutoscaledPool.AlreadyRunningError = yield* failureOf(run)
    assert.strictEqual(error, "torn")
    assert.deepStrictEqual(record, ["a failed"])
  })

  test("a settlement that fails ends the run, typed", function*() {
    const source = TaskSource.make({
      pull: Effect.succeedSome("a"),
      settle: () => Effect.fail("no connection" as const),
      settlesFailures: true
    })
    const pool = yield* AutoscaledPool.fromSource(source, () => Effect.fail("torn" as const))
    const error: "no connection" | AutoscaledPool.AlreadyRunningError = yield* failureOf(yield* begin(pool.run))
    assert.strictEqual(error, "no connection")
  })
})
