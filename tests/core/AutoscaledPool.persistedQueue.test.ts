/**
 * A pool on a persisted queue: failures are the queue's affair, and nothing stays claimed for no one.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Data, Effect, Exit, Fiber, Latch, Layer, Queue, Schedule, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"
import { after, begin, causeOf, counted, failureOf, hasEnded, resultOf, test } from "./stage.ts"

class Torn extends Data.TaggedError("Torn")<{ readonly page: number }> {}

const memory = Layer.provideMerge(PersistedQueue.layer, PersistedQueue.layerStoreMemory)

/** A queue of numbers over a store, the one in memory where none is given. */
const numbers = Effect.fnUntraced(function*(
  options: { readonly maxAttempts?: number; readonly store?: Layer.Layer<PersistedQueue.PersistedQueueStore> } = {}
) {
  const { maxAttempts = 3, store } = options
  const layer = store === undefined ? memory : Layer.provideMerge(PersistedQueue.layer, store)
  const context = yield* Layer.build(layer)
  const queue = yield* Effect.provideContext(
    PersistedQueue.make({
      name: "pages",
      schema: Schema.Number,
      maxAttempts,
      retrySchedule: Schedule.spaced("1 second")
    }),
    context
  )
  const offer = (...values: ReadonlyArray<number>) =>
    Effect.orDie(Effect.forEach(values, (value) => queue.offer(value, { id: `page ${value}` }), { discard: true }))
  /** What can be taken now, without keeping any of it. */
  const waiting = Effect.gen(function*() {
    const seen: Array<readonly [value: number, attempts: number]> = []
    while (true) {
      const take = yield* begin(queue.take((value, { attempts }) => {
        seen.push([value, attempts])
        return Effect.never
      }))
      takes.push(take)
      if (seen.length < takes.length) break
    }
    for (const take of takes.splice(0).toReversed()) yield* Fiber.interrupt(take)
    return seen
  })
  const takes: Array<Fiber.Fiber<unknown, unknown>> = []
  return { queue, offer, waiting }
})

interface Element {
  readonly id: string
  readonly element: unknown
  attempts: number
}

/**
 * A store that claims as the stores on Redis and SQL do: one statement, which takes 20 ms, for as many elements as takes
 * wait, into a mailbox of the process. `acknowledge` is what becomes of an element whose task has succeeded.
 */
const claiming = (acknowledge: Effect.Effect<void> = Effect.void) => {
  const record = { pending: [] as Array<Element>, claimed: new Set<Element>(), statements: 0 }
  const store = Effect.gen(function*() {
    const mailbox = yield* Queue.unbounded<Element>()
    const polls = Latch.makeUnsafe()
    const taken = Latch.makeUnsafe()
    let takers = 0
    yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
      yield* polls.await
      yield* Effect.yieldNow
      if (takers > 0) {
        record.statements++
        const elements = record.pending.splice(0, takers)
        for (const element of elements) {
          element.attempts++
          record.claimed.add(element)
        }
        yield* Effect.sleep("20 millis")
        taken.closeUnsafe()
        yield* Queue.offerAll(mailbox, elements)
        if (elements.length > 0) return yield* taken.await
      }
      yield* Effect.sleep("1 second")
    })))
    const settle = (element: Element, exit: Exit.Exit<unknown, unknown>) =>
      Effect.suspend(() => {
        record.claimed.delete(element)
        if (Exit.isSuccess(exit)) return acknowledge
        if (Cause.hasInterruptsOnly(exit.cause)) element.attempts--
        record.pending.push(element)
        return Effect.void
      })
    return PersistedQueue.PersistedQueueStore.of({
      offer: ({ element, id }) => Effect.sync(() => void record.pending.push({ id, element, attempts: 0 })),
      take: () =>
        Effect.uninterruptibleMask((restore) =>
          Effect.suspend(() => {
            if (++takers === 1) polls.openUnsafe()
            return Effect.onExit(restore(Queue.take(mailbox)), () =>
              Effect.sync(() => {
                if (--takers === 0) polls.closeUnsafe()
                if (takers === 0 || Queue.sizeUnsafe(mailbox) === 0) taken.openUnsafe()
              }))
          }).pipe(
            Effect.tap((element) => Effect.addFinalizer((exit) => settle(element, exit))),
            Effect.map(({ attempts, element, id }) => ({ attempts, element, id }))
          )
        ),
      cleanup: () => Effect.void
    })
  })
  return { record, layer: Layer.effect(PersistedQueue.PersistedQueueStore, store) }
}

/** On the wall clock: the queue imports a module when it is first needed, and no test clock moves an import. */
const loaded = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))

const overload = (isOverloaded: boolean) =>
  Effect.flatMap(SystemStatus.TestSystemStatus, (status) => status.set("cpu", { isOverloaded }))

describe("AutoscaledPool on a persisted queue", () => {
  test("without a source of its own, the first failure of a task ends the run", function*() {
    const { offer, queue } = yield* numbers()
    yield* offer(1, 2)
    const bare: TaskSource.TaskSource<number, PersistedQueue.PersistedQueueError> = {
      take: (handle) => Effect.as(queue.take(handle), "Taken" as const)
    }
    const pool = yield* AutoscaledPool.fromSource(bare, (page) => Effect.fail(new Torn({ page })))
    assert.strictEqual((yield* failureOf(yield* begin(pool.run)))._tag, "Torn")
  })

  test("a failure, a defect and a time limit are the queue's affair: tried again by its rules, dead at the end", function*() {
    const { offer, queue, waiting } = yield* numbers({ maxAttempts: 3 })
    yield* offer(0, 1, 2, 3)
    const seen: Array<string> = []
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromPersistedQueue(queue),
      ({ attempts, id, value }) => {
        seen.push(`${id}: ${attempts}`)
        if (value === 0) return Effect.fail(new Torn({ page: value }))
        if (value === 1) return Effect.die(new Error("a bug"))
        return value === 2 ? Effect.never : Effect.void
      },
      { taskTimeout: "500 millis" }
    )
    const run = yield* begin(pool.run)
    yield* after("10 seconds")
    assert.isFalse(hasEnded(run))
    for (const attempt of [1, 2, 3]) {
      for (const page of [0, 1, 2]) assert.include(seen, `page ${page}: ${attempt}`)
    }
    assert.strictEqual(seen.length, 3 * 3 + 1)
    yield* pool.abort
    assert.deepInclude(yield* resultOf(run), { outcome: "Aborted", started: 10, succeeded: 1, failed: 9, retried: 6 })
    assert.deepStrictEqual(yield* waiting, [])
  })

  test("what onTaskTimeout absorbs is acknowledged", function*() {
    const { offer, queue, waiting } = yield* numbers()
    yield* offer(1)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(queue), () => Effect.never, {
      taskTimeout: "1 second",
      onTaskTimeout: () => Effect.void
    })
    const run = yield* begin(pool.run)
    yield* after("10 seconds")
    yield* pool.abort
    assert.deepInclude(yield* resultOf(run), { timedOut: 1, failed: 0 })
    assert.deepStrictEqual(yield* waiting, [])
  })

  for (const ending of ["abort", "interruption"] as const) {
    test(`an ${ending} gives items back without counting an attempt`, function*() {
      const { offer, queue, waiting } = yield* numbers()
      yield* offer(1, 2)
      const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(queue), () => Effect.never)
      const run = yield* begin(pool.run)
      assert.strictEqual(yield* pool.currentConcurrency, 2)
      yield* ending === "abort" ? pool.abort : Fiber.interrupt(run)
      assert.deepStrictEqual(yield* waiting, [[1, 1], [2, 1]])
    })
  }

  test("no more items are leased than can start", function*() {
    const { offer, queue, waiting } = yield* numbers()
    yield* offer(1, 2, 3, 4, 5)
    const { tally, task } = counted(() => Effect.never)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(queue), () => task, {
      concurrencySettings: { desiredConcurrency: 2 }
    })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 2)
    assert.deepStrictEqual((yield* waiting).map(([page]) => page), [3, 4, 5])
  })

  test("idle: done when there was no work for that long, and not while a task runs", function*() {
    const { offer, queue } = yield* numbers()
    yield* offer(1)
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromPersistedQueue(queue, { idle: "2 seconds" }),
      () => Effect.sleep("5 seconds")
    )
    const run = yield* begin(pool.run)
    yield* after("5 seconds")
    yield* after("1 second")
    yield* offer(2)
    yield* after("1 second")
    assert.isFalse(hasEnded(run))
    yield* after("5900 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(run), { outcome: "Finished", succeeded: 2 })
    const again = yield* begin(pool.run)
    yield* after("1900 millis")
    assert.isFalse(hasEnded(again))
    yield* after("100 millis")
    assert.strictEqual((yield* resultOf(again)).started, 0)
  })

  test("idle is no limit to an acknowledgement", function*() {
    let acknowledged = 0
    const acknowledge = Effect.andThen(Effect.sleep("1 minute"), Effect.sync(() => void acknowledged++))
    const { offer, queue } = yield* numbers({ store: claiming(acknowledge).layer })
    yield* offer(1)
    const source = TaskSource.fromPersistedQueue(queue, { idle: "2 seconds" })
    const run = yield* begin((yield* AutoscaledPool.fromSource(source, () => Effect.void)).run)
    yield* after("50 seconds")
    assert.isFalse(hasEnded(run))
    yield* after("20 seconds")
    assert.deepInclude(yield* resultOf(run), { outcome: "Finished", succeeded: 1 })
    assert.strictEqual(acknowledged, 1)
  })

  test("idle cannot be nothing", function*() {
    const { queue } = yield* numbers()
    const source = TaskSource.fromPersistedQueue(queue, { idle: 0 })
    const error = yield* Effect.flip(AutoscaledPool.fromSource(source, () => Effect.void))
    assert.strictEqual(error.field, "idle")
  })

  test("an acknowledgement that fails ends the run, as a typed error that tells why", function*() {
    const broken = Effect.die(new Error("no connection"))
    const trap = yield* numbers({ store: claiming(broken).layer })
    yield* trap.offer(1)
    const bare: TaskSource.TaskSource<number, PersistedQueue.PersistedQueueError> = {
      take: (handle) => Effect.as(trap.queue.take(handle), "Taken" as const)
    }
    const dying = yield* begin((yield* AutoscaledPool.fromSource(bare, () => Effect.void)).run)
    yield* after("1 second")
    assert.isTrue(Cause.hasDies(yield* causeOf(dying)))

    const { offer, queue } = yield* numbers({ store: claiming(broken).layer })
    yield* offer(1)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(queue), () => Effect.void)
    const run = yield* begin(pool.run)
    yield* after("1 second")
    yield* loaded
    const error = yield* failureOf(run)
    assert.instanceOf(error, PersistedQueue.PersistedQueueError)
    assert.isFalse(Cause.hasDies(yield* causeOf(run)))
    assert.include(String(error.cause), "no connection")
  })

  for (
    const [what, close] of [
      ["a pause", (pool: AutoscaledPool.AutoscaledPool<unknown>) => pool.pause],
      ["an overload", () => overload(true)],
      ["an abort", (pool: AutoscaledPool.AutoscaledPool<unknown>) => pool.abort]
    ] as const
  ) {
    const play = Effect.fnUntraced(function*(
      sourceOf: (queue: PersistedQueue.PersistedQueue<number>) => TaskSource.TaskSource<unknown, unknown>
    ) {
      const { layer, record } = claiming()
      const { offer, queue } = yield* numbers({ store: layer })
      const { tally, task } = counted(() => Effect.never)
      const pool = yield* AutoscaledPool.fromSource(sourceOf(queue), () => task, {
        concurrencySettings: { desiredConcurrency: 4 }
      })
      yield* offer(0)
      yield* begin(pool.run)
      yield* after("20 millis")
      assert.strictEqual(tally.running, 1)
      yield* offer(1, 2, 3, 4, 5)
      yield* after("1030 millis") // in the middle of a statement that claims three
      assert.strictEqual(record.claimed.size, 4)
      yield* begin(close(pool))
      yield* after("1 second")
      return { pool, record, tally }
    })

    test(`nothing stays claimed for takes that ${what} has withdrawn`, function*() {
      const trap = yield* play((queue) => ({ take: (handle) => Effect.as(queue.take(handle), "Taken" as const) }))
      yield* after("10 seconds")
      assert.strictEqual(trap.record.claimed.size - trap.tally.running, 3)

      yield* overload(false)
      const { pool, record, tally } = yield* play((queue) => TaskSource.fromPersistedQueue(queue))
      assert.strictEqual(record.claimed.size, tally.running)
      assert.isTrue(record.pending.every(({ attempts }) => attempts === 0))
      const statements = record.statements
      yield* after("1 minute")
      assert.strictEqual(record.statements, statements)
      yield* pool.resume
      yield* overload(false)
      yield* pool.configure({ desiredConcurrency: 4 })
      if (what === "an abort") yield* begin(pool.run)
      yield* after("2 seconds")
      assert.strictEqual(tally.running, 4)
    })
  }

  test("an item that arrives as the gate closes goes back, for others to take", function*() {
    const { offer, queue, waiting } = yield* numbers()
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(queue), () => task)
    yield* begin(pool.run)
    yield* Effect.andThen(offer(1), pool.pause)
    yield* after("1 second")
    assert.strictEqual(tally.started, 0)
    assert.deepStrictEqual(yield* waiting, [[1, 1]])
    yield* pool.resume
    yield* after("1 second")
    assert.strictEqual(tally.succeeded, 1)
  })

  test("a source of one's own may settle failures too, and fails the run with what is its own", function*() {
    const record = { failed: 0, taken: 0 }
    const source: TaskSource.TaskSource<number, "no connection", never, true> = {
      settlesFailures: true,
      take: (handle) =>
        Effect.gen(function*() {
          const page = record.taken++
          if (page === 3) return yield* Effect.fail("no connection" as const)
          yield* Effect.tapCause(handle(page), () => Effect.sync(() => record.failed++))
          return "Taken" as const
        })
    }
    const pool = yield* AutoscaledPool.fromSource(source, (page) => Effect.fail(new Torn({ page })), {
      concurrencySettings: { maxConcurrency: 1 }
    })
    const run = yield* begin(pool.run)
    const error: "no connection" | AutoscaledPool.AlreadyRunningError = yield* failureOf(run)
    assert.strictEqual(error, "no connection")
    assert.strictEqual(record.failed, 3)
  })
})
