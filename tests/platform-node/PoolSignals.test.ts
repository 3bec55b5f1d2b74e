import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { PoolSignals } from "@autoscaled-pool/platform-node"
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { after, begin, hasEnded, resultOf, test } from "../core/stage.ts"

const signal = "SIGUSR2"

const send = Effect.andThen(Effect.sync(() => process.emit(signal, signal)), after(0))

/** A pool of endless work, one minute a task, that a signal drains. */
const worker = Effect.fnUntraced(function*(gracePeriod: "10 seconds" | "2 minutes", told: Array<string> = []) {
  function* jobs() {
    for (let n = 0;; n++) yield n
  }
  const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(jobs()), () => Effect.sleep("1 minute"), {
    concurrencySettings: { maxConcurrency: 2 },
    loggingInterval: null
  })
  const drained = PoolSignals.drainOnSignal(pool, { gracePeriod, signals: [signal] })
  const telling = Effect.tap(drained, ({ outcome }) => Effect.sync(() => told.push(outcome)))
  const run = yield* begin(told.length > 0 ? Effect.uninterruptible(telling) : drained)
  return { pool, run }
})

describe("PoolSignals.drainOnSignal", () => {
  test("drains at the first signal", function*() {
    const { pool, run } = yield* worker("2 minutes")
    yield* send
    assert.deepInclude(yield* pool.state, { phase: "Draining", currentConcurrency: 2 })
    yield* after("1 minute")
    assert.deepInclude(yield* resultOf(run), { outcome: "Drained", started: 2, succeeded: 2 })
    assert.strictEqual(process.listenerCount(signal), 0)
  })

  test("aborts at the second signal, and when the grace period is over", function*() {
    const first = yield* worker("2 minutes")
    yield* send
    yield* send
    assert.deepInclude(yield* resultOf(first.run), { outcome: "Aborted", interrupted: 2 })

    const second = yield* worker("10 seconds")
    yield* send
    yield* after("9 seconds")
    assert.isFalse(hasEnded(second.run))
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(second.run), { outcome: "Aborted", interrupted: 2 })
  })

  test("holds up an interruption that comes with a signal, and no other", function*() {
    const signalled = yield* worker("2 minutes")
    yield* Effect.sync(() => process.emit(signal, signal))
    signalled.run.interruptUnsafe()
    yield* after("59 seconds")
    assert.isFalse(hasEnded(signalled.run))
    yield* after("1 second")
    assert.isTrue(hasEnded(signalled.run))

    const interrupted = yield* worker("2 minutes")
    yield* Fiber.interrupt(interrupted.run)
    assert.strictEqual(yield* interrupted.pool.currentConcurrency, 0)
    assert.strictEqual(process.listenerCount(signal), 0)
  })

  test("gives the report to what shares its uninterruptible region", function*() {
    const told = ["begins"]
    const { run } = yield* worker("2 minutes", told)
    yield* Effect.sync(() => process.emit(signal, signal))
    run.interruptUnsafe()
    yield* after("1 minute")
    assert.isTrue(hasEnded(run))
    assert.deepStrictEqual(told, ["begins", "Drained"])
  })

  test("fails where the pool does, and finishes where it does", function*() {
    const failing = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.fail("broken"))
    assert.strictEqual(yield* Effect.flip(PoolSignals.drainOnSignal(failing)), "broken")
    const empty = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([]), () => Effect.void)
    assert.deepInclude(yield* PoolSignals.drainOnSignal(empty), { outcome: "Finished" })
  })

  test("refuses an invalid grace period", function*() {
    const empty = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([]), () => Effect.void)
    const error = yield* Effect.flip(PoolSignals.drainOnSignal(empty, { gracePeriod: 0 }))
    assert.deepInclude(error, { _tag: "InvalidOptionsError", field: "gracePeriod" })
  })

  test("refuses signals that no process hears, and none at all", function*() {
    const empty = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([]), () => Effect.void)
    for (
      const signals of [[], ["SIGKILL"], ["SIGTERM", "SIGSTOP"], ["sigterm"], ["toString"], [15], "SIGTERM", 15, {}]
    ) {
      // The compiler refuses some of them.
      const error = yield* Effect.flip(PoolSignals.drainOnSignal(empty, { signals: signals as Array<NodeJS.Signals> }))
      assert.deepInclude(error, { _tag: "InvalidOptionsError", field: "signals" })
    }
  })

  test("a signal that is named twice is heard once", function*() {
    const jobs = TaskSource.fromIterable([1, 2, 3])
    const pool = yield* AutoscaledPool.fromSource(jobs, () => Effect.sleep("1 second"), {
      concurrencySettings: { maxConcurrency: 1 }
    })
    const run = yield* begin(PoolSignals.drainOnSignal(pool, { signals: [signal, signal] }))
    yield* send
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(run), { outcome: "Drained", succeeded: 1 })
  })
})
