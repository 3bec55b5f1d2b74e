/**
 * Several pools that take from one source at a time: each item is worked on once, and what one gives back another takes.
 */
import { AutoscaledPool, ConcurrencyGovernor, KeyedLimits, type SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, type Option, Queue, Random, type Scope, Stream } from "effect"
import type { RateLimiter } from "effect/persistence"
import { after, begin, failureOf, hasEnded, resultOf, test } from "./stage.ts"

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

const sorted = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)

/** Two pools on a source, of two slots each, whose tasks take a second. */
const twoOn = Effect.fnUntraced(function*<E>(source: TaskSource.TaskSource<number, E>) {
  const done: Array<number> = []
  const started: Array<number> = []
  const make = AutoscaledPool.fromSource(
    source,
    (item) => {
      started.push(item)
      return Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => done.push(item)))
    },
    { concurrencySettings: { desiredConcurrency: 2, maxConcurrency: 2 } }
  )
  return { done, started, first: yield* make, second: yield* make }
})

/** A queue that is filled and goes on, as a source of its own kind each. */
const sources: Record<string, () => Effect.Effect<TaskSource.TaskSource<number>>> = {
  "an array": () => Effect.succeed(TaskSource.fromIterable(range(20))),
  "a queue": () =>
    Effect.gen(function*() {
      const queue = yield* Queue.make<number, Cause.Done>()
      yield* Queue.offerAll(queue, range(20))
      yield* Queue.end(queue)
      return TaskSource.fromQueue(queue)
    }),
  "a stream in chunks": () => Effect.succeed(TaskSource.fromStream(Stream.rechunk(Stream.range(0, 19), 6))),
  "a stream of single elements": () => Effect.succeed(TaskSource.fromStream(Stream.rechunk(Stream.range(0, 19), 1))),
  "a stream that takes its time": () =>
    Effect.succeed(
      TaskSource.fromStream(Stream.mapEffect(Stream.range(0, 19), (n) => Effect.delay(Effect.succeed(n), 300)))
    ),
  "an async generator": () =>
    Effect.succeed(TaskSource.fromIterable((async function*() {
      yield* range(20)
    })()))
}

const turns = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const long = Effect.gen(function*() {
  for (let second = 0; second < 30; second++) {
    yield* turns
    yield* after("1 second")
  }
})

describe("two pools on one source", () => {
  for (const [name, make] of Object.entries(sources)) {
    test(`${name}: each item is worked on once`, function*() {
      const { done, first, second } = yield* twoOn(yield* make())
      const runs = [yield* begin(first.run), yield* begin(second.run)]
      yield* long
      for (const run of runs) assert.strictEqual((yield* resultOf(run)).outcome, "Finished")
      assert.deepStrictEqual(sorted(done), range(20))
    })

    for (const ending of ["abort", "drain", "interrupt"] as const) {
      test(`${name}: what one gives back by ${ending} the other works on`, function*() {
        const { done, first, second, started } = yield* twoOn(yield* make())
        const run = yield* begin(first.run)
        yield* turns
        const other = yield* begin(second.run)
        for (let turn = 0; turn < 5; turn++) yield* turns
        yield* after("1300 millis")
        yield* ending === "interrupt" ? Fiber.interrupt(run) : begin(first[ending])
        yield* long
        assert.isTrue(hasEnded(run))
        assert.strictEqual((yield* resultOf(other)).outcome, "Finished")
        assert.deepStrictEqual(sorted(done), range(20))
        if (ending === "drain") assert.deepStrictEqual(sorted(started), range(20))
      })
    }
  }

  test("what one gives back starts at once where the other waits for something to arrive", function*() {
    for (
      const source of [
        TaskSource.fromQueue,
        (queue: Queue.Queue<number>) => TaskSource.fromPull(Effect.asSome(Queue.take(queue))),
        (queue: Queue.Queue<number>) => TaskSource.fromStream(Stream.fromQueue(queue))
      ]
    ) {
      const queue = yield* Queue.unbounded<number>()
      const { done, first, second } = yield* twoOn(source(queue))
      yield* begin(first.run)
      yield* Queue.offer(queue, 7)
      yield* after("500 millis")
      yield* begin(second.run)
      yield* begin(first.abort)
      yield* after("1 second")
      assert.deepStrictEqual(done, [7])
      yield* Queue.offer(queue, 8)
      yield* after("1 second")
      assert.deepStrictEqual(done, [7, 8])
      yield* begin(second.abort)
    }
  })

  test("an answer that comes after its run was not waited for starts at once where the next run waits", function*() {
    const answers: Array<(item: number) => void> = []
    const pull = Effect.callback<Option.Option<number>>((resume) => {
      answers.push((item) => resume(Effect.succeedSome(item)))
    })
    const done: Array<number> = []
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromPull(Effect.uninterruptible(pull)),
      (item) => Effect.sync(() => done.push(item)),
      { finalizerTimeout: "1 second", concurrencySettings: { maxConcurrency: 1 } }
    )
    yield* begin(pool.run)
    yield* begin(pool.abort)
    yield* after("1 second")
    yield* begin(pool.run)
    assert.strictEqual(answers.length, 2)
    answers[0](7)
    yield* after("100 millis")
    assert.deepStrictEqual(done, [7])
    answers[1](8)
    yield* after("100 millis")
    assert.deepStrictEqual(done, [7, 8])
    const ending = yield* begin(pool.abort)
    answers.at(-1)?.(9)
    yield* after("100 millis")
    assert.isTrue(hasEnded(ending))
  })

  test("a stream that fails, fails both", function*() {
    const { first, second } = yield* twoOn(
      TaskSource.fromStream(Stream.concat(Stream.range(0, 9), Stream.fail("no more paper" as const)))
    )
    const runs = [yield* begin(first.run), yield* begin(second.run)]
    yield* after("10 seconds")
    for (const run of runs) assert.strictEqual(yield* failureOf(run), "no more paper")
  })

  test("a stream is opened once and closed when the last run ends, and then begins anew", function*() {
    let opened = 0
    let closed = 0
    const stream = Stream.ensuring(
      Stream.concat(
        Stream.suspend(() => {
          opened++
          return Stream.range(0, 9)
        }),
        Stream.never
      ),
      Effect.sync(() => closed++)
    )
    const { first, second } = yield* twoOn(TaskSource.fromStream(stream))
    yield* begin(first.run)
    yield* begin(second.run)
    yield* after("500 millis")
    yield* begin(first.abort)
    assert.deepStrictEqual([opened, closed], [1, 0])
    yield* begin(second.abort)
    assert.deepStrictEqual([opened, closed], [1, 1])
    const again = yield* begin(first.run)
    assert.deepStrictEqual([opened, closed], [2, 1])
    yield* begin(first.abort)
    assert.isTrue(hasEnded(again))
    assert.deepStrictEqual([opened, closed], [2, 2])
  })

  test("one that leaves while it waits for the stream takes nothing with it", function*() {
    const stream = Stream.mapEffect(Stream.range(0, 2), (n) => Effect.delay(Effect.succeed(n), "10 seconds"))
    const { done, first, second } = yield* twoOn(TaskSource.fromStream(stream))
    const run = yield* begin(first.run)
    const other = yield* begin(second.run)
    yield* after("5 seconds")
    yield* begin(first.abort)
    assert.isTrue(hasEnded(run))
    yield* after("27 seconds")
    assert.deepStrictEqual(done, [0, 1, 2])
    yield* resultOf(other)
  })
})

/** Sources of forty items that may be given back. */
const lasting: Record<string, Effect.Effect<TaskSource.TaskSource<number>, never, Scope.Scope>> = {
  "an array": Effect.sync(() => TaskSource.fromIterable(range(40))),
  "a queue without room": Effect.gen(function*() {
    const queue = yield* Queue.bounded<number, Cause.Done>(0)
    const offers = Effect.forEach(range(40), (item) => Effect.delay(Queue.offer(queue, item), 30))
    yield* Effect.forkScoped(Effect.andThen(offers, Queue.end(queue)))
    return TaskSource.fromQueue(queue)
  }),
  "a pull that cannot be interrupted": Effect.sync(() => TaskSource.fromPull(Effect.uninterruptible(popOf(range(40))))),
  "a source of one's own": Effect.sync(() => {
    const list = range(40)
    const settle = (item: number, exit: Exit.Exit<unknown, unknown>) =>
      Effect.delay(Effect.sync(() => void (Exit.isFailure(exit) && list.unshift(item))), 10)
    return TaskSource.make({ pull: popOf(list), settle })
  })
}

const popOf = (list: Array<number>) =>
  Effect.delay(
    Effect.suspend(() => {
      const item = list.shift()
      return item === undefined ? Cause.done() : Effect.succeedSome(item)
    }),
    20
  )

/** What stands between a source and a slot. */
const between: Record<
  string,
  Effect.Effect<AutoscaledPool.PoolOptions<number>, unknown, Scope.Scope | SystemStatus.SystemStatus>
> = {
  nothing: Effect.succeed({}),
  "keys, a rate and retries": Effect.gen(function*() {
    const keys = yield* KeyedLimits.make({ key: (item: number) => `${item % 3}`, concurrency: 2 })
    const answer = { delay: Duration.millis(50), limit: 1, remaining: 0, resetAfter: Duration.zero }
    const limiter = { consume: () => Effect.delay(Effect.succeed(answer), 10) } as unknown as RateLimiter.RateLimiter // of the rest a pool uses nothing
    const retry = { times: 3, while: () => Effect.delay(Effect.succeed(true), 70) }
    return { keys, rateLimit: { limiter, key: "service", limit: 1, window: "1 second" }, retry }
  }),
  "a shared governor": Effect.map(
    ConcurrencyGovernor.make({ maxConcurrency: 6, desiredConcurrency: 6 }),
    (governor) => ({ governor, weight: (item: number) => 1 + item % 3 })
  )
}

describe("whatever happens to two pools on one source, each item is worked on once", () => {
  for (const [name, make] of Object.entries(lasting)) {
    for (const [what, options] of Object.entries(between)) {
      test(`${name}, with ${what} in between`, function*() {
        const source = yield* make
        const done: Array<number> = []
        const failed = new Set<number>()
        const given = yield* Effect.orDie(options)
        const work = (item: number) =>
          Effect.suspend(() => {
            if (given.retry === undefined || item % 2 === 0 || failed.has(item)) {
              return Effect.sync(() => done.push(item))
            }
            failed.add(item)
            return Effect.fail("again")
          })
        const pool = AutoscaledPool.fromSource(source, (item) => Effect.delay(work(item), 100), {
          ...given,
          concurrencySettings: { maxConcurrency: 4 }
        })
        const pools = [yield* pool, yield* pool]
        const runs = [yield* begin(pools[0].run), yield* begin(pools[1].run)]
        const random = Random.withSeed(`${name} ${what}`)
        yield* Effect.gen(function*() {
          for (let step = 0; step < 60; step++) {
            const at = yield* Random.nextIntBetween(0, 1)
            const acts = [
              begin(pools[at].abort),
              begin(pools[at].drain),
              pools[at].pause,
              pools[at].resume,
              pools[at].pauseFor("100 millis"),
              begin(Fiber.interrupt(runs[at])),
              pools[at].notify
            ]
            yield* acts[yield* Random.nextIntBetween(0, acts.length - 1)]
            yield* after(yield* Random.nextIntBetween(0, 120))
            for (const index of [0, 1]) if (hasEnded(runs[index])) runs[index] = yield* begin(pools[index].run)
          }
        }).pipe(random)
        yield* pools[0].resume
        yield* pools[1].resume
        yield* after("10 seconds")
        for (const run of runs) assert.strictEqual((yield* resultOf(run)).outcome, "Finished")
        assert.deepStrictEqual(sorted(done), range(40))
      })
    }
  }
})
