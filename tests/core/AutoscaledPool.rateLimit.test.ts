/**
 * The option `rateLimit`: a rate of starts that several pools share, and that holds no slot.
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Logger, Queue, Schedule } from "effect"
import { RateLimiter } from "effect/persistence"
import { after, begin, resultOf, test } from "./stage.ts"

const makeLimiter = Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory)

/** Answers as it is told, and counts the questions. */
const limiterOf = (consume: Effect.Effect<Duration.Duration, RateLimiter.RateLimiterError>) => {
  let asked = 0
  const limiter = {
    consume: () =>
      Effect.suspend(() => {
        asked++
        return Effect.map(consume, (delay) => ({ delay, limit: 1, remaining: 0, resetAfter: Duration.zero }))
      })
  } as unknown as RateLimiter.RateLimiter // of the rest a pool uses nothing
  return { limiter, asked: () => asked }
}

const away = new RateLimiter.RateLimiterError({
  reason: new RateLimiter.RateLimitStoreError({ message: "Redis is away" })
})

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

describe("AutoscaledPool: rateLimit", () => {
  test("two pools share the rate: what is saved up at once, the rest evenly", function*() {
    const limiter = yield* makeLimiter
    const starts: Array<number> = []
    const start = Effect.map(Clock.currentTimeMillis, (now) => void starts.push(now))
    const make = Effect.suspend(() =>
      AutoscaledPool.fromSource(TaskSource.fromIterable(numbers(6)), () => start, {
        rateLimit: { limiter, key: "service", limit: 4, window: "1 second" }
      })
    )
    const runs = [yield* begin((yield* make).run), yield* begin((yield* make).run)]
    yield* after("3 seconds")
    for (const run of runs) assert.strictEqual((yield* resultOf(run)).succeeded, 6)
    assert.strictEqual(starts.filter((at) => at === 0).length, 4)
    const later = starts.filter((at) => at > 0).toSorted((a, b) => a - b)
    assert.deepStrictEqual(later, numbers(8).map((n) => 250 * (n + 1)))
  })

  test("waiting for a token holds no slot, and is told as such", function*() {
    const { asked, limiter } = limiterOf(Effect.succeed(Duration.seconds(10)))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(numbers(5)), () => Effect.void, {
      rateLimit: { limiter, key: "service", limit: 1, window: "10 seconds" }
    })
    const run = yield* begin(pool.run)
    const state = yield* pool.state
    assert.deepInclude(state, { currentConcurrency: 0, blocker: { _tag: "SharedRateLimited" } })
    yield* after("9999 millis")
    assert.strictEqual(asked(), 1) // one ahead
    assert.strictEqual((yield* pool.state).succeeded, 0)
    yield* after("1 milli")
    assert.strictEqual((yield* pool.state).succeeded, 1)
    assert.strictEqual(asked(), 2)
    yield* after("40 seconds")
    const report = yield* resultOf(run)
    assert.deepInclude(report, { succeeded: 5, outcome: "Finished" })
    assert.deepStrictEqual(report.blockedShare, { SharedRateLimited: 1 })
  })

  test("while an item waits for its token no other is taken from the source", function*() {
    const { limiter } = limiterOf(Effect.succeed(Duration.minutes(1)))
    let asked = 0
    let handedOut = 0
    const source: TaskSource.TaskSource<number> = {
      take: (handle) =>
        Effect.delay(
          Effect.suspend(() => Effect.as(handle(handedOut++), "Taken" as const)),
          Duration.seconds(++asked) // one after another, so that the others can be withdrawn
        )
    }
    const pool = yield* AutoscaledPool.fromSource(source, () => Effect.sleep("1 hour"), {
      concurrencySettings: { desiredConcurrency: 5 },
      rateLimit: { limiter, key: "service", limit: 1, window: "1 minute" }
    })
    yield* begin(pool.run)
    yield* after("50 seconds")
    assert.strictEqual(handedOut, 1)
    yield* pool.abort
  })

  test("nothing is reserved while no task could start", function*() {
    const { asked, limiter } = limiterOf(Effect.succeed(Duration.zero))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(numbers(3)), () => Effect.sleep("1 second"), {
      concurrencySettings: { maxConcurrency: 1 },
      rateLimit: { limiter, key: "service", limit: 1, window: "1 second" }
    })
    yield* begin(pool.run)
    assert.strictEqual(asked(), 1)
    yield* after("999 millis")
    assert.strictEqual(asked(), 1)
    yield* after("1 milli")
    assert.strictEqual(asked(), 2)
  })

  test("while the store of the rate is away nothing starts, and one warning is given", function*() {
    const warnings: Array<unknown> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === "Warn") warnings.push(message)
    })
    let isAway = true
    const { limiter } = limiterOf(Effect.suspend(() => isAway ? Effect.fail(away) : Effect.succeed(Duration.zero)))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(numbers(2)), () => Effect.void, {
      rateLimit: { limiter, key: "service", limit: 1, window: "1 second" }
    }).pipe(Effect.provide(Logger.layer([logger])))
    const run = yield* begin(pool.run.pipe(Effect.provide(Logger.layer([logger]))))
    yield* after("1 minute")
    assert.strictEqual((yield* pool.state).succeeded, 0)
    assert.strictEqual(warnings.length, 1)
    isAway = false
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).succeeded, 2)
  })

  test("a store that hangs is asked again, and is away", function*() {
    let hangs = true
    const { asked, limiter } = limiterOf(Effect.suspend(() => hangs ? Effect.never : Effect.succeed(Duration.zero)))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.void, {
      rateLimit: { limiter, key: "service", limit: 1, window: "1 second" }
    })
    const run = yield* begin(pool.run)
    yield* after("6 seconds")
    hangs = false
    assert.strictEqual(asked(), 2)
    yield* after("6 seconds")
    assert.strictEqual((yield* resultOf(run)).succeeded, 1)
  })

  for (const [how, end] of [["aborted", "abort"], ["drained", "drain"]] as const) {
    test(`what waits for a token when the run is ${how} goes back to its source`, function*() {
      const queue = yield* Queue.unbounded<number>()
      yield* Queue.offerAll(queue, [1, 2])
      const { limiter } = limiterOf(Effect.succeed(Duration.hours(1)))
      const source = TaskSource.fromQueue(queue)
      const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void, {
        rateLimit: { limiter, key: "service", limit: 1, window: "1 hour" }
      })
      const run = yield* begin(pool.run)
      yield* pool[end]
      yield* after("1 milli")
      assert.strictEqual((yield* resultOf(run)).started, 0)
      const seen: Array<number> = []
      const other = yield* AutoscaledPool.fromSource(source, (n) => Effect.sync(() => void seen.push(n)))
      const second = yield* begin(other.run)
      yield* after("1 second")
      assert.deepStrictEqual(seen, [1, 2])
      yield* Fiber.interrupt(second)
    })
  }

  const unanswered = {
    "has not answered": Effect.never,
    "is away": Effect.fail(away),
    "answers late": Effect.delay(Effect.succeed(Duration.zero), "3 seconds")
  }
  for (const [state, answer] of Object.entries(unanswered)) {
    for (const [outcome, end] of [["Aborted", "abort"], ["Drained", "drain"]] as const) {
      test(`a run whose limiter ${state} is ${outcome.toLowerCase()}, and what waits goes back`, function*() {
        const { limiter } = limiterOf(answer)
        const source = TaskSource.fromIterable([1])
        const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void, {
          rateLimit: { limiter, key: "service", limit: 1, window: "1 second" }
        })
        const run = yield* begin(pool.run)
        yield* after("1 second")
        yield* pool[end]
        yield* after("1 milli")
        assert.deepInclude(yield* resultOf(run), { outcome, started: 0 })
        const other = yield* AutoscaledPool.fromSource(source, () => Effect.void)
        assert.strictEqual((yield* other.run).succeeded, 1)
      })
    }
  }

  test("a further try takes a token too", function*() {
    const { asked, limiter } = limiterOf(Effect.succeed(Duration.seconds(1)))
    let tries = 0
    const flaky = Effect.suspend(() => ++tries < 3 ? Effect.fail("not yet" as const) : Effect.void)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => flaky, {
      rateLimit: { limiter, key: "service", limit: 1, window: "1 second" },
      retry: { schedule: Schedule.spaced("100 millis") }
    })
    const run = yield* begin(pool.run)
    yield* after("4 seconds")
    assert.deepInclude(yield* resultOf(run), { succeeded: 1, failed: 2 })
    assert.strictEqual(asked(), 3)
  })

  for (
    const [field, change] of [
      ["rateLimit.key", { key: "" }],
      ["rateLimit.limit", { limit: 0 }],
      ["rateLimit.limit", { limit: Infinity }],
      ["rateLimit.window", { window: 0 }],
      ["rateLimit.limiter", { limiter: undefined as never }]
    ] as const
  ) {
    test(`${field} of ${JSON.stringify(change)} is refused`, function*() {
      const limiter = yield* makeLimiter
      const rateLimit = { limiter, key: "service", limit: 1, window: "1 second", ...change } as const
      const error = yield* Effect.flip(
        AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.void, { rateLimit })
      )
      assert.strictEqual(error.field, field)
    })
  }
})
