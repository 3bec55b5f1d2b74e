/**
 * A pool on a source: leases, queues, streams, iterables and pulls.
 *
 * Defects of Crawlee's pools that are impossible here: readiness and taking as two steps, so that a task starts for an
 * item that another one has taken (weakness 8; empty tasks spawned flat out while the only request is in progress); slow
 * readiness that caps the concurrency (weakness 9); a slow fetch that holds a slot; a pool that waits for more work than
 * there is; more tasks started than there are items.
 */
import { AutoscaledPool, ClientErrors, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Option, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  after,
  begin,
  causeOf,
  counted,
  exitOf,
  failureOf,
  hasEnded,
  resultOf,
  settled,
  test,
  withSlowFinalizer
} from "./stage.ts"

const overload = (isOverloaded: boolean) =>
  Effect.flatMap(SystemStatus.TestSystemStatus, (status) => status.set("cpu", { isOverloaded }))

/**
 * A source that leases, and that knows where each of its items is. It waits for items until it is closed; an
 * acknowledgement takes `ackTime`; where `isStubborn`, waiting for an item cannot be interrupted.
 */
const ledger = (options: { readonly ackTime?: Duration.Input; readonly isStubborn?: boolean } = {}) => {
  const waiting: Array<number> = []
  const leased = new Set<number>()
  const record = {
    acknowledged: [] as Array<number>,
    failed: [] as Array<number>,
    returned: 0,
    takers: 0,
    withdrawn: 0
  }
  let isClosed = false
  let news = Deferred.makeUnsafe<void>()
  const tell = () => {
    const told = news
    news = Deferred.makeUnsafe<void>()
    Deferred.doneUnsafe(told, Exit.void)
  }
  const next: Effect.Effect<number | "Done"> = Effect.suspend(() => {
    const item = waiting.shift()
    if (item !== undefined) {
      leased.add(item)
      return Effect.succeed(item)
    }
    return isClosed ? Effect.succeed("Done" as const) : Effect.andThen(Deferred.await(news), next)
  })
  const waitForNext = Effect.suspend(() => {
    record.takers++
    return Effect.onExit(next, (exit) =>
      Effect.sync(() => {
        record.takers--
        if (Exit.isFailure(exit)) record.withdrawn++
      }))
  })
  const source: TaskSource.TaskSource<number> = {
    take: (handle) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const item = yield* options.isStubborn === true ? waitForNext : restore(waitForNext)
          if (item === "Done") return "Done" as const
          const exit = yield* Effect.exit(restore(handle(item)))
          leased.delete(item)
          if (Exit.isSuccess(exit)) {
            yield* Effect.sleep(options.ackTime ?? 0)
            record.acknowledged.push(item)
            return "Taken" as const
          }
          if (Cause.hasInterruptsOnly(exit.cause)) {
            record.returned++
            waiting.unshift(item)
          } else {
            record.failed.push(item)
          }
          return yield* Effect.failCause(exit.cause)
        })
      )
  }
  return {
    source,
    record,
    waiting,
    leased,
    offer: (...items: ReadonlyArray<number>) => {
      waiting.push(...items)
      tell()
    },
    close: () => {
      isClosed = true
      tell()
    }
  }
}

const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

const sorted = (items: ReadonlyArray<number>): ReadonlyArray<number> => items.toSorted((a, b) => a - b)

describe("AutoscaledPool on leases", () => {
  test("a take that waits holds no slot; a task counts as in flight when its handler starts", function*() {
    const items = ledger()
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(items.source, () => task, {
      concurrencySettings: { desiredConcurrency: 4 }
    })
    yield* begin(pool.run)
    yield* after("10 seconds")
    assert.strictEqual(items.record.takers, 4)
    assert.strictEqual(yield* pool.currentConcurrency, 0)
    assert.deepStrictEqual((yield* pool.state).blocker, { _tag: "NoTaskReady" })
    items.offer(1)
    yield* settled
    assert.strictEqual(tally.running, 1)
    assert.strictEqual(yield* pool.currentConcurrency, 1)
    assert.strictEqual(items.record.takers, 3)
  })

  test("an item that arrives starts at once", function*() {
    const items = ledger()
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(items.source, () => task)
    yield* begin(pool.run)
    yield* after("123 millis")
    items.offer(1, 2, 3)
    yield* settled
    assert.strictEqual(tally.running, 3)
  })

  for (
    const [what, close, open] of [
      [
        "pause",
        (pool: AutoscaledPool.AutoscaledPool<unknown>) => pool.pause,
        (pool: AutoscaledPool.AutoscaledPool<unknown>) => pool.resume
      ],
      ["an overload", () => overload(true), () => overload(false)],
      [
        "a lower maximum",
        (pool: AutoscaledPool.AutoscaledPool<unknown>) => Effect.orDie(pool.configure({ maxConcurrency: 1 })),
        (pool: AutoscaledPool.AutoscaledPool<unknown>) =>
          Effect.orDie(pool.configure({ maxConcurrency: 4, desiredConcurrency: 4 }))
      ]
    ] as const
  ) {
    test(`takes that wait are withdrawn by ${what}, and begin again after it`, function*() {
      const items = ledger()
      const { tally, task } = counted(() => Effect.never)
      const pool = yield* AutoscaledPool.fromSource(items.source, () => task, {
        concurrencySettings: { desiredConcurrency: 4 }
      })
      items.offer(0)
      yield* begin(pool.run)
      assert.strictEqual(items.record.takers, 3)
      yield* close(pool)
      yield* settled
      assert.deepInclude(items.record, { takers: 0, withdrawn: 3 })
      items.offer(1, 2, 3, 4, 5)
      yield* after("9 seconds")
      assert.strictEqual(tally.running, 1)
      assert.strictEqual(items.waiting.length, 5)
      yield* open(pool)
      yield* settled
      assert.strictEqual(tally.running, 4)
    })

    test(`an item that arrives before a take is withdrawn by ${what} waits for the gate, and is never lost`, function*() {
      const items = ledger({ isStubborn: true })
      const { tally, task } = counted(() => Effect.never)
      const pool = yield* AutoscaledPool.fromSource(items.source, () => task, {
        concurrencySettings: { desiredConcurrency: 4 }
      })
      items.offer(0)
      yield* begin(pool.run)
      yield* close(pool)
      yield* settled
      items.offer(1, 2, 3)
      yield* after("9 seconds")
      assert.strictEqual(tally.running, 1)
      yield* open(pool)
      yield* settled
      assert.strictEqual(tally.running, 4)
      assert.deepStrictEqual(sorted([...items.leased, ...items.waiting]), [0, 1, 2, 3])
    })
  }

  test("an abort while items wait at a closed gate gives them back", function*() {
    const items = ledger({ isStubborn: true })
    const { tally, task } = counted(() => Effect.never)
    const pool = yield* AutoscaledPool.fromSource(items.source, () => task, {
      concurrencySettings: { desiredConcurrency: 3 }
    })
    const run = yield* begin(pool.run)
    yield* pool.pause
    yield* settled
    items.offer(1, 2, 3)
    yield* settled
    yield* pool.abort
    assert.strictEqual((yield* resultOf(run)).started, 0)
    assert.strictEqual(tally.started, 0)
    assert.deepStrictEqual(sorted(items.waiting), [1, 2, 3])
    assert.strictEqual(items.leased.size, 0)
  })

  test("an abort gives the items of its tasks back; the next run works on each of them once", function*() {
    const items = ledger()
    items.offer(...range(10))
    let duration = Duration.infinity
    const { tally, task } = counted(() => Effect.suspend(() => Effect.sleep(duration)))
    const pool = yield* AutoscaledPool.fromSource(items.source, () => task, {
      concurrencySettings: { desiredConcurrency: 4 }
    })
    const first = yield* begin(pool.run)
    yield* after("1 second")
    yield* pool.abort
    assert.strictEqual((yield* resultOf(first)).interrupted, 4)
    assert.strictEqual(items.record.returned, 4)
    assert.strictEqual(items.waiting.length, 10)
    duration = Duration.seconds(1)
    items.close()
    const second = yield* begin(pool.run)
    yield* after("3 seconds")
    assert.strictEqual((yield* resultOf(second)).succeeded, 10)
    assert.deepStrictEqual(sorted(items.record.acknowledged), range(10))
    assert.strictEqual(tally.running, 0)
  })

  test("a failure gives the items of its siblings back, and not its own; it is in the Cause once", function*() {
    const items = ledger()
    items.offer(0, 1, 2)
    const pool = yield* AutoscaledPool.fromSource(
      items.source,
      (item) => item === 1 ? Effect.andThen(Effect.sleep("1 second"), Effect.fail("torn" as const)) : Effect.never
    )
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(yield* failureOf(run), "torn")
    assert.strictEqual((yield* causeOf(run)).reasons.length, 1)
    assert.deepStrictEqual(items.record.failed, [1])
    assert.deepStrictEqual(sorted(items.waiting), [0, 2])
  })

  test("the finalizers of a task have run before its item goes back, and before abort returns", function*() {
    const items = ledger()
    items.offer(1)
    let returnedAtFinalizer = -1
    const pool = yield* AutoscaledPool.fromSource(items.source, () =>
      withSlowFinalizer(Effect.never, () => {
        returnedAtFinalizer = items.record.returned
      }))
    yield* begin(pool.run)
    const abort = yield* begin(pool.abort)
    yield* after("999 millis")
    assert.isFalse(hasEnded(abort))
    yield* after("1 millis")
    assert.isTrue(hasEnded(abort))
    assert.strictEqual(returnedAtFinalizer, 0)
    assert.strictEqual(items.record.returned, 1)
  })

  test("interrupting run gives the items back too", function*() {
    const items = ledger()
    items.offer(1, 2)
    const pool = yield* AutoscaledPool.fromSource(items.source, () => Effect.never)
    const run = yield* begin(pool.run)
    yield* Fiber.interrupt(run)
    assert.isTrue(Exit.hasInterrupts(yield* exitOf(run)))
    assert.deepStrictEqual(sorted(items.waiting), [1, 2])
  })

  test("acknowledgements are awaited before the run ends, and hold no slot", function*() {
    const items = ledger({ ackTime: "3 seconds" })
    items.offer(1, 2)
    items.close()
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(items.source, () => task, {
      concurrencySettings: { maxConcurrency: 1 }
    })
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(tally.started, 2)
    yield* after("1 second")
    assert.strictEqual(yield* pool.currentConcurrency, 0)
    yield* after("2999 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    assert.isTrue(hasEnded(run))
    assert.deepStrictEqual(items.record.acknowledged, [1, 2])
  })

  test("where acknowledgements pile up, no more is taken than they and the slots can hold", function*() {
    const items = ledger({ ackTime: "1 hour" })
    items.offer(...range(1_000))
    const pool = yield* AutoscaledPool.fromSource(items.source, () => Effect.sleep("1 millis"), {
      concurrencySettings: { maxConcurrency: 4 }
    })
    const run = yield* begin(pool.run)
    yield* after("10 minutes")
    assert.isAtMost((yield* pool.state).succeeded, 2 * 4 + 1)
    yield* after("1 hour")
    assert.isAbove((yield* pool.state).succeeded, 2 * 4 + 1)
    yield* begin(Fiber.interrupt(run))
    yield* after("1 hour")
    assert.isTrue(hasEnded(run))
  })

  test("an abort waits for acknowledgements that are under way, and takes none of them back", function*() {
    const items = ledger({ ackTime: "3 seconds" })
    items.offer(1)
    const pool = yield* AutoscaledPool.fromSource(items.source, () => Effect.sleep("1 second"))
    yield* begin(pool.run)
    yield* after("2 seconds")
    const abort = yield* begin(pool.abort)
    assert.isFalse(hasEnded(abort))
    yield* after("2 seconds")
    assert.isTrue(hasEnded(abort))
    assert.deepStrictEqual(items.record.acknowledged, [1])
  })

  test("a task that has succeeded is acknowledged, though the run is aborted in the same moment", function*() {
    const items = ledger()
    items.offer(1, 2, 3)
    const holder: { abort: Effect.Effect<void> } = { abort: Effect.void }
    const pool = yield* AutoscaledPool.fromSource(
      items.source,
      (item) => Effect.andThen(Effect.sleep("1 second"), item === 2 ? Effect.suspend(() => holder.abort) : Effect.void)
    )
    holder.abort = pool.abort
    const run = yield* begin(pool.run)
    yield* after("1 second")
    const report = yield* resultOf(run)
    assert.strictEqual(report.outcome, "Aborted")
    assert.strictEqual(items.record.acknowledged.length, report.succeeded)
    assert.strictEqual(items.record.returned, report.interrupted)
  })

  test("a source that takes an item back from its task interrupts that task and no other; the run goes on", function*() {
    const { tally, task } = counted(() => Effect.sleep("10 seconds"))
    let taken = 0
    const source: TaskSource.TaskSource<number> = {
      take: (handle) =>
        Effect.suspend(() => {
          const item = taken++
          if (item >= 3) return Effect.succeed("Done" as const)
          const held = Effect.timeoutOption(handle(item), item === 1 ? "2 seconds" : "1 hour")
          return Effect.as(held, "Taken" as const)
        })
    }
    const pool = yield* AutoscaledPool.fromSource(source, () => task)
    const run = yield* begin(pool.run)
    yield* after("2 seconds")
    assert.deepInclude(tally, { running: 2, interrupted: 1 })
    assert.strictEqual(yield* pool.currentConcurrency, 2)
    yield* after("8 seconds")
    assert.deepInclude(yield* resultOf(run), { outcome: "Finished", succeeded: 2, interrupted: 1 })
  })

  test("a source that takes back an item which waits at the gate: its task never starts", function*() {
    const { tally, task } = counted(() => Effect.sleep("1 second"))
    let taken = 0
    let lost = 0
    const source: TaskSource.TaskSource<number> = {
      take: (handle) =>
        Effect.uninterruptible(
          Effect.suspend(() => {
            const item = taken++
            if (item >= 2) return Effect.succeed("Done" as const)
            const held = Effect.andThen(Effect.sleep("1 second"), Effect.timeoutOption(handle(item), "5 seconds"))
            return Effect.map(held, (outcome) => {
              if (outcome._tag === "None") lost++
              return "Taken" as const
            })
          })
        )
    }
    const pool = yield* AutoscaledPool.fromSource(source, () => task, {
      concurrencySettings: { desiredConcurrency: 2 }
    })
    const run = yield* begin(pool.run)
    yield* pool.pause
    yield* after("6 seconds")
    assert.strictEqual(lost, 2)
    yield* pool.resume
    yield* after("10 seconds")
    assert.strictEqual(tally.started, 0)
    assert.deepInclude(yield* resultOf(run), { outcome: "Finished", started: 0 })
  })

  test("a source that loses an item while the rate cap holds it up: its task never starts", function*() {
    const { tally, task } = counted(() => Effect.void)
    let taken = 0
    const source: TaskSource.TaskSource<number> = {
      take: (handle) =>
        Effect.suspend(() => {
          const item = taken++
          if (item >= 2) return Effect.succeed("Done" as const)
          return Effect.as(Effect.timeoutOption(handle(item), "5 seconds"), "Taken" as const)
        })
    }
    const pool = yield* AutoscaledPool.fromSource(source, () => task, { concurrencySettings: { maxTasksPerMinute: 2 } })
    const run = yield* begin(pool.run)
    yield* after("1 minute")
    assert.strictEqual(tally.started, 1)
    assert.deepInclude(yield* resultOf(run), { outcome: "Finished", succeeded: 1 })
  })

  test("what a source provides to its handler reaches the task, and what the task reports reaches its own record", function*() {
    const attempt = Context.Reference<number>("test/attempt", { defaultValue: () => 0 })
    const seen: Array<number> = []
    let taken = 0
    const source: TaskSource.TaskSource<number> = {
      take: (handle) =>
        Effect.suspend(() =>
          ++taken > 2
            ? Effect.succeed("Done" as const)
            : Effect.as(Effect.provideService(handle(taken), attempt, taken * 10), "Taken" as const)
        )
    }
    const pool = yield* AutoscaledPool.fromSource(source, (item) =>
      Effect.gen(function*() {
        seen.push(yield* attempt)
        if (item === 1) yield* ClientErrors.report
      }))
    const run = yield* begin(pool.run)
    assert.deepInclude(yield* resultOf(run), { succeeded: 2, rejected: 1 })
    assert.deepStrictEqual(seen, [10, 20])
  })

  test("a source that passes items over makes the pool wait for nothing", function*() {
    const numbers = TaskSource.fromIterable(range(2000))
    const even: TaskSource.TaskSource<number> = {
      take: (handle) => numbers.take((item) => item % 500 === 0 ? handle(item) : Effect.void)
    }
    const { tally, task } = counted(() => Effect.void)
    const pool = yield* AutoscaledPool.fromSource(even, () => task)
    const run = yield* begin(pool.run)
    assert.strictEqual((yield* resultOf(run)).succeeded, 4)
    assert.strictEqual(tally.succeeded, 4)
  })

  test("a source that passes every item over, for ever, can be aborted", function*() {
    let passed = 0
    const source: TaskSource.TaskSource<number> = {
      take: () =>
        Effect.sync(() => {
          passed++
          return "Taken"
        })
    }
    const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void)
    const run = yield* begin(pool.run)
    yield* pool.abort
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    assert.isAbove(passed, 0)
  })

  test("an abort from inside a take does not wait for itself, and what it goes on to hand out does not start", function*() {
    const holder: { abort: Effect.Effect<void> } = { abort: Effect.void }
    const { tally, task } = counted()
    const source: TaskSource.TaskSource<number> = {
      take: (handle) => Effect.as(Effect.andThen(Effect.suspend(() => holder.abort), handle(1)), "Taken" as const)
    }
    const pool = yield* AutoscaledPool.fromSource(source, () => task)
    holder.abort = pool.abort
    const run = yield* begin(pool.run)
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    assert.strictEqual(tally.started, 0)
  })

  test("a task that times out keeps its lease until onTaskTimeout has ended", function*() {
    const items = ledger()
    items.offer(1)
    items.close()
    const pool = yield* AutoscaledPool.fromSource(items.source, () => Effect.never, {
      taskTimeout: "1 second",
      onTaskTimeout: () => Effect.sleep("1 second")
    })
    const run = yield* begin(pool.run)
    yield* after("1900 millis")
    assert.strictEqual(items.leased.size, 1)
    yield* after("100 millis")
    assert.strictEqual((yield* resultOf(run)).timedOut, 1)
    assert.deepStrictEqual(items.record.acknowledged, [1])
  })

  test("whatever happens to the pool, every item is worked on, acknowledged once, and never in two places", function*() {
    let seed = 12345
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return Math.floor(seed / 65_536) % below
    }
    for (let round = 0; round < 12; round++) {
      const items = ledger({ ackTime: random(50), isStubborn: round % 2 === 0 })
      const total = 40
      const pool = yield* AutoscaledPool.fromSource(items.source, () => Effect.sleep(1 + random(300)), {
        concurrencySettings: { desiredConcurrency: 1 + random(8), maxTasksPerMinute: round % 3 === 0 ? 6000 : Infinity }
      })
      let run = yield* begin(pool.run)
      let offered = 0
      for (let step = 0; step < 50; step++) {
        const action = random(9)
        if (action === 0) yield* pool.pause
        else if (action === 1) yield* pool.resume
        else if (action === 2) yield* overload(true)
        else if (action === 3) yield* overload(false)
        else if (action === 4) {
          yield* begin(pool.abort)
          yield* Effect.yieldNow
        } else if (action === 5) yield* pool.configure({ desiredConcurrency: 1 + random(8) })
        else if (offered < total) items.offer(offered++)
        yield* TestClock.adjust(random(100))
        if (hasEnded(run)) run = yield* begin(pool.run)
      }
      while (offered < total) items.offer(offered++)
      items.close()
      yield* pool.resume
      yield* overload(false)
      if (hasEnded(run)) run = yield* begin(pool.run)
      yield* after("20 seconds")
      if (hasEnded(run) && items.waiting.length > 0) run = yield* begin(pool.run)
      yield* after("20 seconds")
      assert.isTrue(hasEnded(run), `round ${round} goes on`)
      assert.deepStrictEqual(sorted(items.record.acknowledged), range(total), `round ${round}`)
      assert.strictEqual(items.leased.size, 0)
      assert.strictEqual(items.record.takers, 0)
    }
  })
})

describe("AutoscaledPool on a pull", () => {
  test("several free slots pull at once: 20 ms of pull, 100 ms of task, 50 slots make 50", function*() {
    const { tally, task } = counted(() => Effect.sleep("100 millis"))
    let concurrent = 0
    let peak = 0
    const pull = Effect.gen(function*() {
      peak = Math.max(peak, ++concurrent)
      yield* Effect.sleep("20 millis")
      concurrent--
      return Option.some("page")
    })
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task, {
      concurrencySettings: { desiredConcurrency: 50 }
    })
    yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(tally.peak, 50)
    assert.strictEqual(peak, 50)
    assert.isAtLeast(tally.started, 8 * 50)
  })

  test("None is asked again when a task ends, at notify, and every maybeRunInterval", function*() {
    const pages: Array<number> = [0]
    let asked = 0
    const pull = Effect.sync(() => {
      asked++
      return Option.fromUndefinedOr(pages.shift())
    })
    const { tally, task } = counted(() => Effect.sleep("90 millis"))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task)
    yield* begin(pool.run)
    const atFirst = asked
    pages.push(1)
    yield* after("89 millis")
    assert.strictEqual(asked, atFirst)
    yield* after("1 millis")
    assert.strictEqual(tally.started, 2)
    yield* after("100 millis")
    pages.push(2)
    yield* pool.notify
    yield* settled
    assert.strictEqual(tally.started, 3)
    yield* after("100 millis")
    pages.push(3)
    yield* after("500 millis")
    assert.strictEqual(tally.started, 4)
  })

  test("None with the only item in progress starts nothing: no empty tasks", function*() {
    const pages = [0]
    const { tally, task } = counted(() => Effect.sleep("10 seconds"))
    const pull = Effect.sync(() => Option.fromUndefinedOr(pages.shift()))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task)
    yield* begin(pool.run)
    yield* after("9 seconds")
    assert.strictEqual(tally.started, 1)
  })

  test("a notify while several pulls are pending is not lost: all that came in starts without the interval", function*() {
    let pages = 0
    const pull = Effect.suspend(() => {
      const seen = pages
      return Effect.andThen(
        Effect.sleep("50 millis"),
        Effect.sync(() => seen > 0 && pages-- > 0 ? Option.some("page") : Option.none())
      )
    })
    const { tally, task } = counted(() => Effect.sleep("1 minute"))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task, {
      concurrencySettings: { desiredConcurrency: 5 },
      maybeRunInterval: "1 minute"
    })
    yield* begin(pool.run)
    pages = 5
    yield* pool.notify
    yield* after("100 millis")
    assert.strictEqual(tally.running, 5)
  })

  test("Done ends the run when its last task has ended", function*() {
    const pages = range(5)
    let next = 0
    const pull = Effect.suspend(() => next < pages.length ? Effect.succeed(Option.some(pages[next++])) : Cause.done())
    const { task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task)
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).succeeded, 5)
  })

  test("Done to one slot while another's pull is still under way loses nothing", function*() {
    let asked = 0
    const pull = Effect.suspend(() =>
      asked++ === 0 ? Effect.as(Effect.sleep("1 second"), Option.some("late")) : Cause.done()
    )
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task)
    const run = yield* begin(pool.run)
    assert.isFalse(hasEnded(run))
    yield* after("2 seconds")
    assert.strictEqual((yield* resultOf(run)).succeeded, 1)
    assert.strictEqual(tally.succeeded, 1)
  })

  test("a pull under way is interrupted by an abort", function*() {
    let interrupted = 0
    const pull = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => Effect.void, {
      concurrencySettings: { desiredConcurrency: 3 }
    })
    yield* begin(pool.run)
    yield* pool.abort
    assert.strictEqual(interrupted, 3)
  })

  test("a slow pull under a rate cap neither spins nor stalls", function*() {
    let pulls = 0
    const pull = Effect.suspend(() => {
      pulls++
      return Effect.as(Effect.sleep("100 millis"), Option.some("page"))
    })
    const { tally, task } = counted(() => Effect.void)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task, {
      concurrencySettings: { maxTasksPerMinute: 60 }
    })
    yield* begin(pool.run)
    yield* after("10 seconds")
    assert.isAtLeast(tally.succeeded, 9)
    assert.isAtMost(tally.succeeded, 11)
    assert.isAtMost(pulls, 30)
  })

  test("its failure ends the run, typed", function*() {
    const pull = Effect.andThen(Effect.sleep("1 second"), Effect.fail("no connection" as const))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => Effect.void)
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(yield* failureOf(run), "no connection")
  })
})

describe("AutoscaledPool on a queue", () => {
  test("nothing is taken out of the queue before it can start", function*() {
    const queue = yield* Queue.unbounded<number>()
    yield* Queue.offerAll(queue, range(10))
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => task, {
      concurrencySettings: { desiredConcurrency: 3 }
    })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 3)
    assert.strictEqual(yield* Queue.size(queue), 7)
    yield* pool.pause
    yield* after("1 minute")
    assert.strictEqual(yield* Queue.size(queue), 7)
  })

  test("an offer starts at once; waiting for one holds no slot and nothing is polled", function*() {
    const queue = yield* Queue.unbounded<number>()
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => task)
    yield* begin(pool.run)
    yield* after("1 minute")
    assert.strictEqual(yield* pool.currentConcurrency, 0)
    yield* Queue.offer(queue, 1)
    yield* settled
    assert.strictEqual(tally.running, 1)
  })

  test("an offer while paused or overloaded is not lost", function*() {
    const queue = yield* Queue.unbounded<number>()
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => task)
    yield* begin(pool.run)
    yield* pool.pause
    yield* Queue.offerAll(queue, [1, 2])
    yield* after("1 minute")
    assert.strictEqual(tally.started, 0)
    yield* overload(true)
    yield* pool.resume
    yield* settled
    assert.strictEqual(tally.running, 1)
    yield* overload(false)
    yield* settled
    assert.strictEqual(tally.running, 2)
  })

  test("Queue.end ends the run when what was in it is done", function*() {
    const queue = yield* Queue.make<number, Cause.Done>()
    yield* Queue.offerAll(queue, range(5))
    const { task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => task, {
      concurrencySettings: { maxConcurrency: 2 }
    })
    const run = yield* begin(pool.run)
    yield* Queue.end(queue)
    yield* after("3 seconds")
    assert.strictEqual((yield* resultOf(run)).succeeded, 5)
  })

  test("Queue.end on an empty queue ends a waiting run at once", function*() {
    const queue = yield* Queue.make<number, Cause.Done>()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => Effect.void)
    const run = yield* begin(pool.run)
    assert.isFalse(hasEnded(run))
    yield* Queue.end(queue)
    yield* settled
    assert.strictEqual((yield* resultOf(run)).outcome, "Finished")
  })

  test("Queue.shutdown ends the run as well, before it and while it waits", function*() {
    for (const isEarly of [true, false]) {
      const queue = yield* Queue.unbounded<number>()
      const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => Effect.void)
      if (isEarly) yield* Queue.shutdown(queue)
      const run = yield* begin(pool.run)
      if (!isEarly) yield* Queue.shutdown(queue)
      yield* settled
      assert.strictEqual((yield* resultOf(run)).outcome, "Finished")
    }
  })

  test("Queue.fail fails the run with its error, before it and while it waits", function*() {
    for (const isEarly of [true, false]) {
      const queue = yield* Queue.make<number, string>()
      const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => Effect.void)
      if (isEarly) yield* Queue.fail(queue, "no connection")
      const run = yield* begin(pool.run)
      if (!isEarly) yield* Queue.fail(queue, "no connection")
      yield* settled
      assert.strictEqual(yield* failureOf(run), "no connection")
    }
  })

  test("an abort gives items back; the next run begins with them, in order, and loses none", function*() {
    const queue = yield* Queue.make<number, Cause.Done>()
    yield* Queue.offerAll(queue, range(6))
    const seen: Array<number> = []
    let isStuck = true
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromQueue(queue),
      (item) => Effect.suspend(() => isStuck ? Effect.never : Effect.sync(() => seen.push(item))),
      {
        concurrencySettings: { desiredConcurrency: 3 }
      }
    )
    yield* begin(pool.run)
    yield* pool.abort
    isStuck = false
    yield* Queue.end(queue)
    yield* resultOf(yield* begin(pool.run))
    assert.deepStrictEqual(seen, range(6))
  })

  test("an abort while it waits loses nothing that comes later", function*() {
    for (const capacity of [0, 1, 16]) {
      const queue = yield* Queue.bounded<number, Cause.Done>(capacity)
      const { tally, task } = counted(() => Effect.void)
      const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => task)
      yield* begin(pool.run)
      yield* pool.abort
      yield* begin(Effect.andThen(Queue.offerAll(queue, [1, 2, 3]), Queue.end(queue)))
      const run = yield* begin(pool.run)
      yield* after("1 second")
      assert.strictEqual((yield* resultOf(run)).succeeded, 3, `capacity ${capacity}`)
      assert.strictEqual(tally.started, 3)
    }
  })

  test("two pools on one queue share its items, each of them once", function*() {
    const queue = yield* Queue.make<number, Cause.Done>()
    const seen: Array<number> = []
    const handle = (item: number) => Effect.andThen(Effect.sleep(10 + item % 7), Effect.sync(() => seen.push(item)))
    const pools = [
      yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), handle),
      yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), handle)
    ]
    const runs = [yield* begin(pools[0].run), yield* begin(pools[1].run)]
    for (const item of range(100)) {
      yield* Queue.offer(queue, item)
      yield* after(item % 3)
    }
    yield* Queue.end(queue)
    yield* after("1 second")
    assert.deepStrictEqual(sorted(seen), range(100))
    for (const run of runs) assert.strictEqual((yield* resultOf(run)).outcome, "Finished")
  })

  test("items may be undefined, null, false and 0", function*() {
    const queue = yield* Queue.make<unknown, Cause.Done>()
    const items = [undefined, null, false, 0, undefined]
    yield* Queue.offerAll(queue, items)
    yield* Queue.end(queue)
    const seen: Array<unknown> = []
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromQueue(queue),
      (item) => Effect.sync(() => seen.push(item)),
      {
        concurrencySettings: { maxTasksPerMinute: 6000 }
      }
    )
    const run = yield* begin(pool.run)
    yield* after("1 second")
    yield* resultOf(run)
    assert.deepStrictEqual(seen, items)
  })
})

describe("AutoscaledPool on a stream", () => {
  const watched = <A, E>(stream: Stream.Stream<A, E>) => {
    const record = { opened: 0, closed: 0 }
    const resource = Effect.acquireRelease(
      Effect.sync(() => void record.opened++),
      () => Effect.sync(() => void record.closed++)
    )
    return { record, stream: Stream.flatMap(Stream.scoped(Stream.fromEffect(resource)), () => stream) }
  }

  test("a chunk is pulled when all of the last one has started", function*() {
    const pulled: Array<number> = []
    const stream = Stream.fromIterable(range(100)).pipe(
      Stream.rechunk(5),
      Stream.mapArray((chunk) => {
        pulled.push(chunk[0])
        return chunk
      })
    )
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromStream(stream), () => task, {
      concurrencySettings: { desiredConcurrency: 7 }
    })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 7)
    assert.deepStrictEqual(pulled, [0, 5])
  })

  test("is open while the run needs it, and closed at its end: finished, aborted, failed and interrupted", function*() {
    const { record, stream } = watched(Stream.concat(Stream.make(1, 2), Stream.never))
    let behave: Effect.Effect<void, string> = Effect.never
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromStream(stream), () => Effect.suspend(() => behave))
    yield* begin(pool.run)
    assert.deepStrictEqual(record, { opened: 1, closed: 0 })
    yield* pool.abort
    assert.deepStrictEqual(record, { opened: 1, closed: 1 })
    behave = Effect.fail("torn")
    assert.strictEqual(yield* failureOf(yield* begin(pool.run)), "torn")
    assert.strictEqual(record.opened, record.closed)
    behave = Effect.never
    yield* Fiber.interrupt(yield* begin(pool.run))
    assert.strictEqual(record.opened, record.closed)

    const finite = watched(Stream.make(1, 2, 3))
    const { task } = counted()
    const finishing = yield* AutoscaledPool.fromSource(TaskSource.fromStream(finite.stream), () => task)
    const run = yield* begin(finishing.run)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).succeeded, 3)
    assert.deepStrictEqual(finite.record, { opened: 1, closed: 1 })
  })

  test("is not opened by a run that is paused, and begins anew in the next run", function*() {
    const { record, stream } = watched(Stream.make(1, 2, 3))
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromStream(stream), () => task)
    yield* pool.pause
    yield* begin(pool.run)
    assert.strictEqual(record.opened, 0)
    yield* pool.resume
    yield* after("1 second")
    const again = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(again)).succeeded, 3)
    assert.deepStrictEqual(record, { opened: 2, closed: 2 })
    assert.strictEqual(tally.succeeded, 6)
  })

  test("a run that begins a stream anew works on each of its elements once, after an abort too", function*() {
    const seen: Array<number> = []
    let isStuck = true
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromStream(Stream.fromIterable(range(5))),
      (item) => Effect.suspend(() => isStuck ? Effect.never : Effect.sync(() => seen.push(item))),
      {
        concurrencySettings: { desiredConcurrency: 2 }
      }
    )
    yield* begin(pool.run)
    yield* pool.abort
    isStuck = false
    yield* resultOf(yield* begin(pool.run))
    assert.deepStrictEqual(sorted(seen), range(5))
  })

  test("an element starts as soon as the stream has it, however slow the stream", function*() {
    const stream = Stream.mapEffect(Stream.fromIterable(range(3)), (n) => Effect.as(Effect.sleep("1 second"), n))
    const { tally, task } = counted(() => Effect.never)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromStream(stream), () => task)
    yield* begin(pool.run)
    yield* after("2 seconds")
    assert.strictEqual(tally.running, 2)
  })

  test("its failure ends the run, typed, when what came before has not", function*() {
    const stream = Stream.concat(Stream.make(1, 2), Stream.fail("no connection" as const))
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromStream(stream), () => task)
    const run = yield* begin(pool.run)
    assert.strictEqual(yield* failureOf(run), "no connection")
    assert.deepInclude(tally, { started: 2, interrupted: 2 })
  })

  test("an error in closing it ends the run visibly", function*() {
    const resource = Effect.acquireRelease(Effect.void, () => Effect.die(new Error("will not close")))
    const stream = Stream.flatMap(Stream.scoped(Stream.fromEffect(resource)), () => Stream.make(1))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromStream(stream), () => Effect.void)
    const run = yield* begin(pool.run)
    assert.include(Cause.pretty(yield* causeOf(run)), "will not close")
    assert.strictEqual((yield* pool.state).phase, "Idle")
  })

  test("an async generator is closed at the end of the run: finished, aborted and failed", function*() {
    const generate = (record: { closed: number }, count: number) =>
      (async function*() {
        try {
          for (let i = 0; i < count; i++) yield i
        } finally {
          record.closed++
        }
      })()
    const turns = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    const endings: Record<string, (pool: AutoscaledPool.AutoscaledPool<unknown>) => Effect.Effect<unknown, unknown>> = {
      finished: (pool) => pool.run,
      aborted: (pool) => Effect.race(pool.run, Effect.andThen(turns, Effect.andThen(pool.abort, Effect.never))),
      failed: (pool) => Effect.exit(pool.run)
    }
    for (const [ending, run] of Object.entries(endings)) {
      const record = { closed: 0 }
      const source = TaskSource.fromIterable(generate(record, ending === "finished" ? 3 : Infinity))
      const pool = yield* AutoscaledPool.fromSource(
        source,
        (item) =>
          ending === "failed" && item === 2 ? Effect.fail("torn") : ending === "aborted" ? Effect.never : Effect.void
      )
      yield* run(pool)
      assert.strictEqual(record.closed, 1, ending)
    }
  })
})

describe("AutoscaledPool on an iterable", () => {
  test("an endless generator is asked for one item at a time, as it can start", function*() {
    let asked = 0
    const numbers = function*() {
      while (true) yield asked++
    }
    const { task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(numbers()), () => task, {
      concurrencySettings: { desiredConcurrency: 4 }
    })
    yield* begin(pool.run)
    assert.strictEqual(asked, 4)
    yield* pool.pause
    yield* after("1 minute")
    assert.strictEqual(asked, 4)
    yield* pool.resume
    yield* after("1 second")
    assert.strictEqual(asked, 12)
  })

  test("an aborted run is continued by the next one: interrupted items come first, none is lost and none is repeated", function*() {
    const seen: Array<number> = []
    let isStuck = true
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(new Set(range(8))),
      (item) => Effect.suspend(() => item % 2 === 1 && isStuck ? Effect.never : Effect.sync(() => seen.push(item))),
      {
        concurrencySettings: { desiredConcurrency: 3 }
      }
    )
    yield* begin(pool.run)
    yield* pool.abort
    assert.deepStrictEqual(seen, [0, 2, 4])
    isStuck = false
    yield* resultOf(yield* begin(pool.run))
    assert.deepStrictEqual(seen, [0, 2, 4, 1, 3, 5, 6, 7])
  })

  test("an item that waits for a token goes back too", function*() {
    const seen: Array<number> = []
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([1, 2, 3]),
      (item) => Effect.sync(() => seen.push(item)),
      { concurrencySettings: { maxTasksPerMinute: 1 } }
    )
    const first = yield* begin(pool.run)
    yield* pool.abort
    assert.strictEqual((yield* resultOf(first)).started, 1)
    yield* pool.configure({ maxTasksPerMinute: Infinity })
    yield* resultOf(yield* begin(pool.run))
    assert.deepStrictEqual(seen, [1, 2, 3])
  })

  test("not more tasks start than there are items, however many slots there are", function*() {
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(range(5)), () => task, {
      concurrencySettings: { desiredConcurrency: 200, minConcurrency: 50 }
    })
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).started, 5)
    assert.strictEqual(tally.started, 5)
  })

  test("is done after its last item, and stays so", function*() {
    const { task } = counted(() => Effect.void)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => task)
    assert.strictEqual((yield* pool.run).started, 1)
    assert.strictEqual((yield* pool.run).started, 0)
  })
})
