/**
 * Limits per key: what is held back, for how long, and at whose cost.
 */
import {
  AutoscaledPool,
  ClientErrors,
  ConcurrencyGovernor,
  InvalidOptionsError,
  KeyedLimits,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Queue, Random, Semaphore } from "effect"
import { after, begin, causeOf, counted, exitOf, hasEnded, log, resultOf, settled, test } from "../stage.ts"

interface Page {
  readonly host: string
  readonly n: number
}

const pages = (host: string, count: number): ReadonlyArray<Page> =>
  Array.from({ length: count }, (_, n) => ({ host, n }))

const hostOf = ({ host }: Page) => host

/** Tasks by host: how many run, and at most ran. */
const watched = (body: (page: Page) => Effect.Effect<unknown> = () => Effect.sleep("1 second")) => {
  const running = new Map<string, number>()
  const peak = new Map<string, number>()
  const done: Array<string> = []
  const starts: Array<readonly [string, number]> = []
  const change = (host: string, by: number) => {
    const now = (running.get(host) ?? 0) + by
    running.set(host, now)
    peak.set(host, Math.max(peak.get(host) ?? 0, now))
  }
  const task = (page: Page) =>
    Effect.acquireUseRelease(
      Effect.map(Clock.currentTimeMillis, (at) => {
        starts.push([page.host, at])
        change(page.host, 1)
      }),
      () => body(page),
      () =>
        Effect.sync(() => {
          change(page.host, -1)
          done.push(`${page.host}${page.n}`)
        })
    )
  return { running, peak, done, starts, task }
}

const limit = (keys: KeyedLimits.KeyedLimits<Page, string>, host: string) =>
  Effect.map(keys.state, ({ heldBack }) => heldBack.find(({ key }) => key === host))

describe("KeyedLimits: concurrency", () => {
  test("no more tasks of a key run than it allows, and those of others are not held up by it", function*() {
    const { done, peak, task } = watched()
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 2 })
    const items = [...pages("a", 20), ...pages("b", 4)]
    const run = yield* begin(AutoscaledPool.forEach(items, task, { keys }))
    yield* after("2 seconds")
    assert.isTrue(["b0", "b1", "b2", "b3"].every((page) => done.includes(page)))
    yield* after("8 seconds")
    yield* resultOf(run)
    assert.deepStrictEqual([...peak], [["a", 2], ["b", 2]])
    assert.deepStrictEqual(done.filter((page) => page.startsWith("a")), pages("a", 20).map(({ n }) => `a${n}`))
  })

  test("what waits for its key holds no permit", function*() {
    const { running, task } = watched()
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 1 })
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(pages("a", 100)), task, { keys })
    yield* begin(pool.run)
    yield* after("60 seconds")
    assert.strictEqual(running.get("a"), 1)
    assert.strictEqual(yield* pool.currentConcurrency, 1)
    assert.strictEqual(yield* pool.desiredConcurrency, 10) // nothing that waits looks like use
    assert.deepInclude((yield* pool.state).blocker, { _tag: "KeysFull", key: "a" })
  })

  test("is a function of the key, and changes while it runs", function*() {
    const { running, task } = watched()
    const allowed = { a: 1, b: 3 }
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: (host) => host === "a" ? allowed.a : allowed.b })
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable([...pages("a", 100), ...pages("b", 100)]),
      task,
      { keys }
    )
    yield* begin(pool.run)
    yield* settled
    assert.deepStrictEqual([...running], [["a", 1], ["b", 3]])
    allowed.a = 4
    yield* after("1 second")
    yield* settled
    assert.strictEqual(running.get("a"), 4)
    yield* keys.configure({ concurrency: 5 })
    yield* settled
    assert.deepStrictEqual([...running], [["a", 5], ["b", 5]])
    yield* keys.configure({ concurrency: 2 })
    assert.deepStrictEqual([...running], [["a", 5], ["b", 5]]) // nobody is interrupted
    yield* after("1 second")
    assert.deepStrictEqual([...running], [["a", 2], ["b", 2]])
    const refused = yield* Effect.flip(keys.configure({ concurrency: 0 }))
    assert.strictEqual(refused.field, "concurrency")
  })

  test("is shared by two pools", function*() {
    const { peak, task } = watched()
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 3 })
    const run = AutoscaledPool.forEach(pages("a", 9), task, { keys })
    const both = yield* begin(Effect.all([run, run], { concurrency: 2 }))
    yield* after("6 seconds")
    yield* resultOf(both)
    assert.strictEqual(peak.get("a"), 3)
    assert.deepStrictEqual(yield* keys.state, { keys: 0, parked: 0, heldBack: [] })
  })

  test("a tenant that floods the queue does not hold up the others for longer than its look-ahead", function*() {
    const { done, task } = watched()
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 1 })
    const items = [...pages("flood", 200), ...pages("small", 5)]
    yield* begin(AutoscaledPool.forEach(items, task, { keys, concurrencySettings: { maxConcurrency: 4 } }))
    yield* after("6 seconds")
    assert.strictEqual(done.filter((page) => page.startsWith("small")).length, 5)
  })

  test("with retries: a try that is due passes its key too", function*() {
    let tries = 0
    let peak = 0
    let running = 0
    const task = () =>
      Effect.acquireUseRelease(
        Effect.sync(() => peak = Math.max(peak, ++running)),
        () => Effect.andThen(Effect.sleep("1 second"), ++tries < 4 ? Effect.fail("again") : Effect.void),
        () => Effect.sync(() => running--)
      )
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 1 })
    const run = yield* begin(AutoscaledPool.forEach(pages("a", 2), task, { keys, retry: { times: 5 } }))
    yield* after("20 seconds")
    yield* resultOf(run)
    assert.strictEqual(peak, 1)
    assert.strictEqual((yield* keys.state).keys, 0)
  })

  test("with weights and a governor", function*() {
    const governor = yield* ConcurrencyGovernor.make({ desiredConcurrency: 6, maxConcurrency: 6 })
    const { peak, task } = watched()
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 2 })
    const items = [...pages("a", 6), ...pages("b", 6)]
    const run = yield* begin(
      AutoscaledPool.forEach(items, task, { keys, governor, weight: ({ host }) => host === "a" ? 2 : 1 })
    )
    yield* after("10 seconds")
    yield* resultOf(run)
    assert.deepStrictEqual([...peak], [["a", 2], ["b", 2]])
    assert.strictEqual((yield* governor.state).inUse, 0)
  })
})

describe("KeyedLimits: turns of the pools that share a key", () => {
  /** Pools that always have something of one key to do, and how many tasks each has started; they begin one after the other. */
  const pools = Effect.fnUntraced(function*(
    options: KeyedLimits.KeyOptions<string>,
    bounds: ReadonlyArray<{ readonly maxConcurrency?: number }>,
    duration: Duration.Input = "1 second"
  ) {
    const keys = yield* KeyedLimits.make({ key: hostOf, ...options })
    const started = bounds.map(() => 0)
    const all = yield* Effect.forEach(bounds, (concurrencySettings, index) => {
      const task = () => Effect.andThen(Effect.sync(() => started[index]++), Effect.sleep(duration))
      return AutoscaledPool.fromSource(TaskSource.fromIterable(pages("a", 10_000)), task, { keys, concurrencySettings })
    })
    for (const pool of all) yield* begin(pool.run)
    return { all, started }
  })

  test("a slot that a task of one leaves goes to the others first", function*() {
    const { started } = yield* pools({ concurrency: 1 }, [{}, {}, {}])
    yield* after("29 seconds")
    for (const starts of started) assert.approximately(starts, 10, 1)
  })

  test("of several slots, and where tasks take no time", function*() {
    const some = yield* pools({ concurrency: 7 }, [{}, {}])
    yield* after("40 seconds")
    assert.approximately(some.started[0], some.started[1], 7)
    const quick = yield* pools({ concurrency: 1, lookAhead: 4 }, [{}, {}], 1)
    yield* after("1 second")
    assert.approximately(quick.started[0], quick.started[1], 1)
  })

  test("starts at a pace are shared too", function*() {
    const { started } = yield* pools({ rate: { limit: 10, window: "1 second" } }, [{}, {}, {}], 0)
    yield* after("29900 millis")
    for (const starts of started) assert.approximately(starts, 100, 1)
  })

  test("one whose items come singly has its turn beside one that holds many back", function*() {
    const { started } = yield* pools({ concurrency: 1 }, [{ maxConcurrency: 1 }, {}])
    yield* after("40 seconds")
    assert.approximately(started[0], started[1], 1)
  })

  test("one that is paused, or full, has no turn", function*() {
    const { all, started } = yield* pools({ concurrency: 1 }, [{}, {}])
    yield* after("10 seconds")
    yield* all[0].pause
    const before = [...started]
    yield* after("10 seconds")
    assert.approximately(started[1] - before[1], 10, 1)
    yield* all[0].resume
    yield* after("10 seconds")
    assert.approximately(started[0] - before[0], 5, 1)
    yield* begin(all[1].abort)
    yield* after("10 seconds")
    assert.approximately(started[0] - before[0], 15, 1)
  })

  test("one that is paused while its next task waits for permits leaves the key to the others", function*() {
    const governor = yield* ConcurrencyGovernor.make({ desiredConcurrency: 3, maxConcurrency: 3 })
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 1 })
    const done: Array<string> = []
    const pool = (name: string, weight: number) =>
      AutoscaledPool.fromSource(
        TaskSource.fromIterable(pages("a", 3)),
        ({ n }) => Effect.tap(Effect.sleep("1 second"), () => Effect.sync(() => done.push(`${name}${n}`))),
        { keys, governor, weight, name }
      )
    const holder = yield* begin(governor.withPermit(Effect.sleep("10 seconds")))
    const heavy = yield* pool("heavy", 3)
    const light = yield* pool("light", 1)
    const runs = [yield* begin(heavy.run), yield* begin(light.run)]
    assert.deepInclude(yield* limit(keys, "a"), { inFlight: 1 })
    yield* heavy.pause
    yield* after("4 seconds")
    assert.deepStrictEqual(done, ["light0", "light1", "light2"])
    yield* heavy.resume
    yield* after("10 seconds")
    yield* resultOf(holder)
    for (const run of runs) yield* resultOf(run)
    assert.deepStrictEqual(done.slice(3), ["heavy0", "heavy1", "heavy2"])
    assert.deepStrictEqual(yield* keys.state, { keys: 0, parked: 0, heldBack: [] })
  })
})

describe("KeyedLimits: look-ahead", () => {
  test("ends where so many are parked: the pool says why, warns once, and goes on as they start", function*() {
    const { layer, lines } = log()
    const { done, task } = watched()
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 1, lookAhead: 5 })
    let asked = 0
    const source = function*() {
      for (const page of [...pages("a", 30), ...pages("b", 1)]) {
        asked++
        yield page
      }
    }
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(source()), task, { keys })
    const run = yield* begin(Effect.provide(pool.run, layer))
    assert.strictEqual(asked, 6)
    assert.deepStrictEqual((yield* pool.state).blocker, { _tag: "KeysFull", key: "a", tasks: 5 })
    yield* after("31 seconds")
    yield* resultOf(run)
    assert.strictEqual(done.length, 31)
    assert.strictEqual(lines.filter(({ level, message }) => level === "Warn" && message.includes("\"a\"")).length, 1)
  })

  test("what is parked is given back where the run ends", function*() {
    const { task } = watched()
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 1 })
    const source = TaskSource.fromIterable(pages("a", 10))
    const first = yield* AutoscaledPool.fromSource(source, task, { keys })
    const run = yield* begin(first.run)
    yield* after("1500 millis")
    yield* first.abort
    assert.strictEqual((yield* resultOf(run)).succeeded, 1)
    assert.deepStrictEqual(yield* keys.state, { keys: 0, parked: 0, heldBack: [] })
    const second = yield* AutoscaledPool.fromSource(source, task, { keys })
    const again = yield* begin(second.run)
    yield* after("9 seconds")
    assert.strictEqual((yield* resultOf(again)).succeeded, 9)
  })

  test("drained: what is parked does not start, and the next run has it", function*() {
    const { task } = watched()
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 1 })
    const queue = yield* Queue.unbounded<Page, Cause.Done>()
    yield* Queue.offerAll(queue, pages("a", 5))
    yield* Queue.end(queue)
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), task, { keys })
    const run = yield* begin(pool.run)
    yield* after("500 millis")
    yield* begin(pool.drain)
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(run), { outcome: "Drained", succeeded: 1 })
    const again = yield* begin(pool.run)
    yield* after("4 seconds")
    assert.strictEqual((yield* resultOf(again)).succeeded, 4)
  })

  test("a task that fails ends the run as ever, and frees its key", function*() {
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: 1 })
    const run = yield* begin(
      AutoscaledPool.forEach(pages("a", 5), ({ n }) => n === 1 ? Effect.fail("no") : Effect.void, { keys })
    )
    assert.isTrue(Exit.hasFails(yield* exitOf(run)))
    assert.strictEqual((yield* keys.state).keys, 0)
  })

  test("a key that cannot be told is a defect of the run, and loses no item", function*() {
    const source = TaskSource.fromIterable(pages("a", 2))
    const keys = yield* KeyedLimits.make({
      key: (): string => {
        throw new Error("no key")
      }
    })
    const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void, { keys })
    assert.isTrue(Cause.hasDies(yield* causeOf(yield* begin(pool.run))))
    const other = yield* AutoscaledPool.fromSource(source, () => Effect.void)
    assert.strictEqual((yield* resultOf(yield* begin(other.run))).succeeded, 2)
  })
})

describe("KeyedLimits: rate", () => {
  test("starts of a key are evenly paced, each key for itself", function*() {
    const { starts, task } = watched(() => Effect.void)
    const keys = yield* KeyedLimits.make({ key: hostOf, rate: { limit: 2, window: "1 second" } })
    const run = yield* begin(AutoscaledPool.forEach([...pages("a", 4), ...pages("b", 4)], task, { keys }))
    yield* after("1500 millis")
    yield* resultOf(run)
    for (const host of ["a", "b"]) {
      const times = starts.filter(([of]) => of === host).map(([, at]) => at)
      times.forEach((at, n) => assert.approximately(at, 500 * n, 20, host))
    }
  })

  test("no window has more starts than the rate says, the first after a rest included", function*() {
    const { starts, task } = watched(() => Effect.void)
    const keys = yield* KeyedLimits.make({ key: hostOf, rate: { limit: 5, window: "1 second" } })
    const queue = yield* Queue.unbounded<Page>()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), task, { keys })
    yield* begin(pool.run)
    yield* after("10 seconds")
    yield* Queue.offerAll(queue, pages("a", 20))
    yield* after("10 seconds")
    const times = starts.map(([, at]) => at)
    assert.strictEqual(times.length, 20)
    for (const from of times) assert.isAtMost(times.filter((at) => at >= from && at < from + 1_000).length, 5)
  })

  test("fast rates hold too, where each task ends before the next one comes", function*() {
    for (const perSecond of [50, 100, 400, 2_000]) {
      const { starts, task } = watched(() => Effect.void)
      const keys = yield* KeyedLimits.make({ key: hostOf, rate: { limit: perSecond, window: "1 second" } })
      const begun = yield* Clock.currentTimeMillis
      const run = yield* begin(AutoscaledPool.forEach(pages("a", perSecond), task, { keys }))
      yield* after("1 second")
      yield* resultOf(run)
      const times = starts.map(([, at]) => at - begun)
      for (const [n, at] of times.entries()) assert.isAtLeast(at, 1_000 * n / perSecond - 20, `${perSecond}: ${n}`)
      assert.isAtLeast(times.at(-1) ?? 0, 950)
    }
  })

  test("the pace of a key counts from when a task starts, not from when its item was found", function*() {
    const { starts, task } = watched(() => Effect.void)
    const governor = yield* ConcurrencyGovernor.make({ desiredConcurrency: 2, maxConcurrency: 2 })
    const keys = yield* KeyedLimits.make({ key: hostOf, rate: { limit: 1, window: "1 second" } })
    yield* begin(governor.withPermit(Effect.sleep("900 millis")))
    yield* begin(AutoscaledPool.forEach(pages("a", 3), task, { keys, governor, weight: 2 }))
    yield* after("5 seconds")
    assert.deepStrictEqual(starts.map(([, at]) => at), [900, 1_900, 2_900])
  })

  test("holds at once when it is changed, counted from the last start, and no longer when it is taken away", function*() {
    const rateOf = (limit: number) => ({ rate: { limit, window: "1 minute" as const } })
    const keys = yield* KeyedLimits.make({ key: hostOf, ...rateOf(1) })
    const { done, task } = watched(() => Effect.void)
    const run = yield* begin(AutoscaledPool.forEach(pages("a", 100), task, { keys }))
    assert.strictEqual(done.length, 1)
    yield* keys.configure(rateOf(60))
    yield* after("900 millis")
    assert.strictEqual(done.length, 1)
    yield* after("100 millis")
    assert.strictEqual(done.length, 2)
    yield* keys.configure({ rate: { limit: () => 1, window: "10 minutes" } })
    yield* after("9 minutes")
    assert.strictEqual(done.length, 2)
    yield* keys.configure({ rate: { limit: () => 60, window: "1 minute" } })
    yield* settled
    assert.strictEqual(done.length, 3)
    yield* keys.configure({ rate: undefined })
    yield* settled
    yield* resultOf(run)
    assert.strictEqual(done.length, 100)
  })

  test("is forgotten with its key when the next start would be free anyway", function*() {
    const { task } = watched(() => Effect.void)
    const keys = yield* KeyedLimits.make({ key: hostOf, rate: { limit: 1, window: "1 second" }, maxKeys: 3 })
    for (let n = 0; n < 20; n++) yield* AutoscaledPool.forEach(pages(`host ${n}`, 1), task, { keys })
    assert.strictEqual((yield* keys.state).keys, 3)
  })
})

describe("KeyedLimits: adapt", () => {
  test("of limits that keys found, those used least lately are forgotten first", function*() {
    const { running, task } = watched(() => Effect.sleep("100 millis"))
    const keys = yield* KeyedLimits.make({ key: hostOf, adapt: { max: 8 }, maxKeys: 2 })
    const crawl = (host: string, count: number) => AutoscaledPool.forEach(pages(host, count), task, { keys })
    for (const [host, count] of [["a", 40], ["b", 40], ["a", 1], ["c", 40]] as const) {
      const run = yield* begin(crawl(host, count))
      yield* after("10 seconds")
      yield* resultOf(run)
    }
    const begun: Array<number | undefined> = []
    for (const host of ["a", "b"]) {
      const run = yield* begin(crawl(host, 10))
      begun.push(running.get(host))
      yield* after("10 seconds")
      yield* resultOf(run)
    }
    assert.deepStrictEqual(begun, [8, 2]) // b begins anew
  })

  /** A service that serves so many at once and refuses the rest. */
  const service = (most: number, retryAfter?: Duration.Input) => {
    const tally = { served: 0, refused: 0, running: 0, peak: 0 }
    const page = Effect.suspend(() => {
      if (tally.running >= most) {
        tally.refused++
        const report = retryAfter === undefined ? ClientErrors.report : ClientErrors.reportWith({ retryAfter })
        return Effect.andThen(report, Effect.fail("refused"))
      }
      tally.running++
      tally.peak = Math.max(tally.peak, tally.running)
      return Effect.ensuring(Effect.sleep("100 millis"), Effect.sync(() => tally.running--))
    })
    return { tally, page: Effect.tap(page, () => Effect.sync(() => tally.served++)) }
  }

  /** A service that serves so many a second, of which it saves up to `burst`, and refuses the rest. */
  const limitedByRate = (perSecond: number, burst: number, retryAfter?: Duration.Input) => {
    const tally = { served: 0, refused: 0 }
    let tokens = burst
    let filledAt = 0
    const page = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      tokens = Math.min(burst, tokens + (now - filledAt) * perSecond / 1_000)
      filledAt = now
      if (tokens < 1) {
        tally.refused++
        const report = retryAfter === undefined ? ClientErrors.report : ClientErrors.reportWith({ retryAfter })
        return Effect.andThen(report, Effect.fail("refused"))
      }
      tokens--
      return Effect.tap(Effect.sleep("30 millis"), () => Effect.sync(() => tally.served++))
    })
    return { tally, page }
  }

  const crawlFor = Effect.fnUntraced(
    function*(page: Effect.Effect<unknown, string>, duration: Duration.Input, seed = 1) {
      const keys = yield* Random.withSeed(KeyedLimits.make({ key: hostOf, adapt: {} }), seed)
      const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(pages("a", 100_000)), () => page, {
        keys,
        retry: { times: 100 },
        concurrencySettings: { desiredConcurrency: 100 }
      })
      yield* begin(pool.run)
      yield* after(duration)
      return keys
    }
  )

  for (
    const [what, retryAfter] of [
      ["says when to come back", "1 second"],
      ["does not say when to come back", undefined]
    ] as const
  ) {
    test(`finds the limit of a service that ${what}, and is refused seldom`, function*() {
      const { page, tally } = service(10, retryAfter)
      yield* crawlFor(page, "60 seconds")
      assert.isAbove(tally.served, 0.94 * 6_000)
      assert.isBelow(tally.refused / (tally.served + tally.refused), 0.01)
      assert.strictEqual(tally.peak, 10)
    })

    test(`finds the pace of a service that counts requests per second and ${what}`, function*() {
      // Where the service says nothing, how long the key pauses is drawn at random, and weighs for two minutes.
      const seeds = retryAfter === undefined ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [1]
      const sum = { served: 0, refused: 0 }
      for (const seed of seeds) {
        const { page, tally } = limitedByRate(5, 5, retryAfter)
        yield* crawlFor(page, "2 minutes", seed)
        assert.isAbove(tally.served, 0.7 * 600)
        sum.served += tally.served
        sum.refused += tally.refused
      }
      assert.isAbove(sum.served / seeds.length, 0.88 * 600)
      assert.isBelow(sum.refused / (sum.served + sum.refused), 0.03)
    })
  }

  /** A service that never refuses, and does so many at a time while the others wait. */
  const waiting = Effect.fnUntraced(function*(workers: number) {
    const semaphore = yield* Semaphore.make(workers)
    const tally = { served: 0 }
    const page = Effect.tap(
      semaphore.withPermits(1)(Effect.sleep("40 millis")),
      () => Effect.sync(() => tally.served++)
    )
    return { tally, page, semaphore }
  })

  for (const workers of [3, 8, 30]) {
    test(`asks a service that does ${workers} at a time, and never refuses, for little more`, function*() {
      const { page, tally } = yield* waiting(workers)
      const keys = yield* crawlFor(page, "20 seconds")
      assert.isAbove(tally.served, 0.93 * workers * 20_000 / 40)
      assert.isAtMost((yield* limit(keys, "a"))?.limit ?? NaN, 2 * workers)
    })
  }

  test("follows a service that does less for a while", function*() {
    const { page, semaphore } = yield* waiting(16)
    const keys = yield* crawlFor(page, "10 seconds")
    yield* semaphore.resize(4)
    yield* after("20 seconds")
    assert.isAtMost((yield* limit(keys, "a"))?.limit ?? NaN, 8)
    yield* semaphore.resize(16)
    yield* after("40 seconds")
    assert.isAtLeast((yield* limit(keys, "a"))?.limit ?? NaN, 12)
  })

  test("a pool without room for as many as a key may run does not hide that its service lets the others wait", function*() {
    const { page } = yield* waiting(8)
    const keys = yield* KeyedLimits.make({ key: hostOf, adapt: {} })
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(pages("a", 100_000)), () => page, {
      keys,
      concurrencySettings: { desiredConcurrency: 12, maxConcurrency: 12 }
    })
    yield* begin(pool.run)
    const limits: Array<number> = []
    for (const maxConcurrency of [12, 20, 8, 14, 40]) {
      yield* pool.configure({ maxConcurrency, desiredConcurrency: maxConcurrency })
      for (let n = 0; n < 50; n++) {
        yield* after("100 millis")
        limits.push((yield* limit(keys, "a"))?.limit ?? NaN)
      }
    }
    // Now and then it tries more.
    assert.isAtMost(limits.reduce((sum, each) => sum + each, 0) / limits.length, 12)
  })

  test("durations that vary much do not look like waiting", function*() {
    let seed = 0
    const page = Effect.flatMap(
      Effect.suspend(() => Random.withSeed(Random.next, seed++)),
      (drawn) => Effect.sleep(-100 * Math.log(1 - drawn))
    )
    const keys = yield* crawlFor(page, "30 seconds")
    assert.isAtLeast((yield* limit(keys, "a"))?.limit ?? NaN, 50)
  })

  test("a refusal that takes its time tells as how many-th its task started", function*() {
    const tally = { served: 0, refused: 0, running: 0 }
    const refusal = Effect.andThen(ClientErrors.reportWith({ retryAfter: "1 second" }), Effect.fail("refused"))
    const page = Effect.suspend(() => {
      if (tally.running >= 10) {
        tally.refused++
        return Effect.andThen(Effect.sleep("150 millis"), refusal)
      }
      tally.running++
      const served = Effect.ensuring(Effect.sleep("100 millis"), Effect.sync(() => tally.running--))
      return Effect.tap(served, () => Effect.sync(() => tally.served++))
    })
    yield* crawlFor(page, "20 seconds")
    assert.isAtMost(tally.refused, 12)
    assert.isAbove(tally.served, 0.85 * 2_000)
  })

  test("asks a service that bears whatever it is asked for as much as it may", function*() {
    const keys = yield* crawlFor(Effect.sleep("40 millis"), "5 seconds")
    assert.strictEqual((yield* limit(keys, "a"))?.limit, 100)
  })

  test("gets back what a service that had less for a while has again", function*() {
    let most = 10
    const { page, tally } = service(20, "1 second")
    const guarded = Effect.suspend(() =>
      tally.running < most
        ? page
        : Effect.andThen(ClientErrors.reportWith({ retryAfter: "1 second" }), Effect.fail("refused"))
    )
    const keys = yield* crawlFor(guarded, "10 seconds")
    most = 3
    yield* after("20 seconds")
    assert.isAtMost((yield* limit(keys, "a"))?.limit ?? NaN, 3)
    most = 20
    yield* after("3 minutes")
    assert.isAtLeast((yield* limit(keys, "a"))?.limit ?? NaN, 15)
  })

  test("a service that refuses one in ten, however slowly it is asked, is not asked less and less", function*() {
    const random = yield* Random.withSeed(Random.Random, 7)
    let served = 0
    const page = Effect.andThen(
      Effect.sleep("200 millis"),
      Effect.suspend(() =>
        random.nextDoubleUnsafe() < 0.1
          ? Effect.andThen(ClientErrors.reportWith({ retryAfter: "1 second" }), Effect.fail("refused"))
          : Effect.sync(() => served++)
      )
    )
    yield* crawlFor(page, "20 minutes")
    const before = served
    yield* after("10 minutes")
    // One at a time, with a second's pause for each refusal, would be 1,800.
    assert.isAbove(served - before, 900)
  })

  test("time in which a key had nothing to do does not slow it down", function*() {
    const { page, tally } = limitedByRate(20, 2, "1 second")
    const queue = yield* Queue.unbounded<Page>()
    const keys = yield* KeyedLimits.make({ key: hostOf, adapt: { max: 1 } })
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => page, {
      keys,
      retry: { times: 9 }
    })
    yield* begin(pool.run)
    for (let minute = 0; minute < 5; minute++) {
      yield* Queue.offerAll(queue, pages("a", 8))
      yield* after("1 minute")
    }
    assert.strictEqual(tally.served, 40)
    yield* Queue.offerAll(queue, pages("a", 200))
    yield* after("30 seconds")
    assert.isAbove(tally.served, 40 + 150)
  })

  test("eight refusals at once are one event", function*() {
    const { layer } = log()
    const keys = yield* KeyedLimits.make({ key: hostOf, adapt: { min: 1, max: 64 } })
    let isRefusing = false
    const task = () =>
      Effect.andThen(Effect.sleep("1 second"), Effect.suspend(() => isRefusing ? ClientErrors.report : Effect.void))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(pages("a", 10_000)), task, {
      keys,
      concurrencySettings: { desiredConcurrency: 200 }
    })
    yield* begin(Effect.provide(pool.run, layer))
    yield* after("2500 millis")
    assert.strictEqual((yield* limit(keys, "a"))?.limit, 8)
    isRefusing = true
    yield* after("500 millis")
    assert.deepInclude(yield* limit(keys, "a"), { limit: 4, refusals: 1 })
  })

  test("Retry-After closes the key for so long, and no other key", function*() {
    const { starts, task } = watched(({ host, n }) =>
      host === "a" && n === 0 ? ClientErrors.reportWith({ retryAfter: "7 seconds" }) : Effect.void
    )
    const keys = yield* KeyedLimits.make({ key: hostOf, adapt: {}, concurrency: 1 })
    const run = yield* begin(AutoscaledPool.forEach([...pages("a", 2), ...pages("b", 2)], task, { keys }))
    assert.deepInclude(yield* limit(keys, "a"), { parked: 1, closedFor: Duration.seconds(7) })
    yield* after("7 seconds")
    yield* resultOf(run)
    assert.deepStrictEqual(starts, [["a", 0], ["b", 0], ["b", 0], ["a", 7_000]])
  })

  test("Retry-After: 0 and none at all pause for 1 s, doubling to 60 s, with jitter, until a task is served", function*() {
    for (const report of [ClientErrors.report, ClientErrors.reportWith({ retryAfter: 0 })]) {
      const { starts, task } = watched(() => report)
      const keys = yield* KeyedLimits.make({ key: hostOf, adapt: {}, concurrency: 1 })
      const begun = yield* Clock.currentTimeMillis
      yield* begin(AutoscaledPool.forEach(pages("a", 12), task, { keys }))
      yield* after("20 minutes")
      const times = starts.map(([, at]) => at - begun)
      const pauses = times.slice(1).map((at, n) => at - times[n])
      assert.strictEqual(pauses.length, 11)
      pauses.forEach((pause, n) => {
        const longest = Math.min(60_000, 1_000 * 2 ** n)
        assert.isAtMost(pause, longest)
        assert.isAtLeast(pause, longest / 2)
      })
    }
  })

  test("the pause and the pace are two clocks: one does not make up for the other", function*() {
    const { starts, task } = watched(({ n }) =>
      n === 0 ? ClientErrors.reportWith({ retryAfter: "5 seconds" }) : Effect.void
    )
    const keys = yield* KeyedLimits.make({ key: hostOf, adapt: {}, rate: { limit: 1, window: "2 seconds" } })
    yield* begin(AutoscaledPool.forEach(pages("a", 4), task, { keys }))
    yield* after("20 seconds")
    const times = starts.map(([, at]) => at)
    assert.deepStrictEqual(times.slice(0, 2), [0, 5_000])
    assert.approximately(times[2], 7_000, 20)
    assert.approximately(times[3], 9_000, 40)
  })

  test("success after success raises the limit no further than it is used, and never above its maximum", function*() {
    const { tally, task } = counted(() => Effect.sleep("100 millis"))
    const keys = yield* KeyedLimits.make({ key: hostOf, adapt: { max: 12 } })
    const bounded = { concurrencySettings: { maxConcurrency: 4 }, keys }
    yield* begin(AutoscaledPool.forEach(pages("a", 400), () => task, bounded))
    yield* after("5 seconds")
    assert.isAtMost((yield* limit(keys, "a"))?.limit ?? NaN, 9)
    yield* begin(
      AutoscaledPool.forEach(pages("a", 4_000), () => task, { keys, concurrencySettings: { desiredConcurrency: 50 } })
    )
    yield* after("5 seconds")
    assert.strictEqual((yield* limit(keys, "a"))?.limit, 12)
    assert.isAtMost(tally.peak, 12)
  })

  test("a refusal that comes while the task still runs counts at once, and a withdrawn task says nothing", function*() {
    const keys = yield* KeyedLimits.make({ key: hostOf, adapt: {} })
    const task = () => Effect.andThen(ClientErrors.reportWith({ retryAfter: "3 seconds" }), Effect.sleep("1 minute"))
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(pages("a", 3)), task, { keys })
    yield* begin(pool.run)
    assert.deepInclude(yield* limit(keys, "a"), { inFlight: 1, refusals: 1, limit: 1 })
    yield* pool.abort
    assert.deepInclude(yield* limit(keys, "a"), { inFlight: 0, refusals: 1, limit: 1 })
  })
})

describe("KeyedLimits: what a task leaves behind", () => {
  test("reports to nobody when the task has ended, the one that comes after it least of all", function*() {
    const errors = yield* ClientErrors.ClientErrors
    const before = errors.total()
    const go = yield* Deferred.make<void>()
    const leftBehind = Effect.forkDetach(
      Effect.andThen(Deferred.await(go), ClientErrors.reportWith({ retryAfter: "1 hour" }))
    )
    const keys = yield* KeyedLimits.make({ key: ({ n }: Page) => `key ${n}`, adapt: {} })
    const task = ({ n }: Page) => n === 0 ? leftBehind : Effect.sleep("1 second")
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(pages("a", 2)), task, {
      keys,
      concurrencySettings: { maxConcurrency: 1 }
    })
    const run = yield* begin(pool.run)
    yield* Deferred.succeed(go, undefined)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).rejected, 0)
    for (const { closedFor, refusals } of (yield* keys.state).heldBack) {
      assert.deepStrictEqual([Duration.toMillis(closedFor), refusals], [0, 0])
    }
    assert.strictEqual(errors.total() - before, 1)
  })
})

describe("KeyedLimits: options and memory", () => {
  test("an invalid option names its field", function*() {
    const cases: ReadonlyArray<readonly [KeyedLimits.KeyOptions<string>, string]> = [
      [{ concurrency: 0 }, "concurrency"],
      [{ concurrency: 1.5 }, "concurrency"],
      [{ rate: { limit: 0, window: "1 second" } }, "rate.limit"],
      [{ rate: { limit: 1, window: 0 } }, "rate.window"],
      [{ adapt: { min: 0 } }, "adapt.min"],
      [{ adapt: { min: 5, max: 4 } }, "adapt.min"],
      [{ lookAhead: 0 }, "lookAhead"],
      [{ maxKeys: -1 }, "maxKeys"],
      // What a program without types may give.
      ...[null, 5, false].flatMap((value): ReadonlyArray<readonly [KeyedLimits.KeyOptions<string>, string]> => [
        [{ rate: value as never }, "rate"],
        [{ adapt: value as never }, "adapt"],
        [{ key: value } as never, "key"]
      ]),
      [{ lookAhead: null as never }, "lookAhead"],
      [{ maxKeys: null as never }, "maxKeys"]
    ]
    for (const [options, field] of cases) {
      const error = yield* Effect.flip(KeyedLimits.make({ key: hostOf, ...options }))
      assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
      assert.strictEqual(error.field, field)
    }
  })

  test("a function that gives no valid limit is a defect of the run that names the key, and loses no item", function*() {
    const wrong = [0, -1, NaN, "two" as never]
    const cases: ReadonlyArray<readonly [KeyedLimits.KeyOptions<string>, string]> = [
      ...[...wrong, 1.5].map((value) => [{ concurrency: () => value }, "concurrency"] as const),
      ...wrong.map((value) => [{ rate: { limit: () => value, window: "1 second" } }, "rate.limit"] as const)
    ]
    for (const [options, field] of cases) {
      const source = TaskSource.fromIterable(pages("a", 3))
      const keys = yield* KeyedLimits.make({ ...options, key: hostOf })
      const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void, { keys })
      const error = Cause.squash(yield* causeOf(yield* begin(pool.run)))
      assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
      assert.strictEqual(error.field, field)
      assert.include(error.message, "\"a\"")
      assert.strictEqual((yield* keys.state).keys, 0)
      const other = yield* AutoscaledPool.fromSource(source, () => Effect.void)
      assert.strictEqual((yield* resultOf(yield* begin(other.run))).succeeded, 3)
    }
  })

  test("a function that fails later gives back what is parked", function*() {
    let allowed = 1
    const source = TaskSource.fromIterable(pages("a", 4))
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: () => allowed })
    const pool = yield* AutoscaledPool.fromSource(source, () => Effect.sleep("1 second"), { keys })
    const run = yield* begin(pool.run)
    allowed = 0
    assert.strictEqual((yield* limit(keys, "a"))?.limit, 0)
    yield* after("1 second")
    assert.isTrue(Cause.hasDies(yield* causeOf(run)))
    assert.strictEqual((yield* keys.state).keys, 0)
    const other = yield* AutoscaledPool.fromSource(source, () => Effect.void)
    assert.strictEqual((yield* resultOf(yield* begin(other.run))).succeeded, 3)
  })

  test("a hundred thousand keys pass through, and none is left", function*() {
    const keys = yield* KeyedLimits.make({ key: (n: number) => n, concurrency: 1 })
    let most = 0
    const task = (n: number) =>
      n % 1_000 === 0 ? Effect.map(keys.state, (state) => void (most = Math.max(most, state.keys))) : Effect.void
    const numbers = function*() {
      for (let n = 0; n < 100_000; n++) yield n
    }
    const run = yield* begin(AutoscaledPool.forEach(numbers(), task, { keys, discard: true }))
    while (!hasEnded(run)) yield* settled
    yield* resultOf(run)
    assert.isAtMost(most, 12)
    assert.strictEqual((yield* keys.state).keys, 0)
  })

  test("are seen in a pool's snapshot: which keys are held back, by how much, and its share of a budget", function*() {
    const keys = yield* KeyedLimits.make({ key: hostOf, concurrency: (host) => host === "slow" ? 1 : 5 })
    const governor = yield* ConcurrencyGovernor.make({ maxConcurrency: 8, desiredConcurrency: 8 })
    const items = [...pages("slow", 4), ...pages("fast", 2)]
    const options = { governor, keys, loggingInterval: null } as const
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(items),
      () => Effect.sleep("1 second"),
      options
    )
    const run = yield* begin(pool.run)
    const { heldBackKeys, share } = yield* pool.snapshot
    assert.deepStrictEqual(heldBackKeys, [{ key: "slow", parked: 3, inFlight: 1, limit: 1 }])
    assert.strictEqual(share, 8)
    yield* after("10 seconds")
    yield* resultOf(run)
    const ended = yield* pool.snapshot
    assert.deepStrictEqual([ended.heldBackKeys, ended.share], [[], undefined])
  })

  test("that are none are refused by the pool, and the option is named", function*() {
    for (const keys of [3, null, "host", {}, { key: hostOf, concurrency: 2 }, KeyedLimits.make({ key: hostOf })]) {
      const options = { keys: keys as never } // what a program without types may give
      const pool = AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.void, options)
      assert.strictEqual((yield* Effect.flip(pool)).field, "keys")
      const each = yield* Effect.flip(AutoscaledPool.forEach([1], () => Effect.void, options))
      assert.deepInclude(each, { _tag: "InvalidOptionsError", field: "keys" })
    }
  })

  test("are refused by a pool with checks, which has no items", function*() {
    const keys = yield* KeyedLimits.make({ key: () => "all", concurrency: 1 })
    const work = { runTask: Effect.void, isTaskReady: Effect.succeed(true), isFinished: Effect.succeed(false) }
    const error = yield* Effect.flip(AutoscaledPool.make({ ...work, keys }))
    assert.deepInclude(error, { _tag: "InvalidOptionsError", field: "keys" })
  })

  test("of any kind are shown in words, those too that have none", function*() {
    for (const key of [Object.create(null), { toString: () => null }, Symbol("host"), undefined, NaN, -0n]) {
      const keys = yield* KeyedLimits.make({ key: () => key, concurrency: 1 })
      const pool = yield* AutoscaledPool.forEach([1, 2, 3], () => Effect.sleep("1 second"), { keys }).pipe(begin)
      const { heldBack } = yield* keys.state
      assert.deepInclude(heldBack[0], { key, parked: 2, inFlight: 1 })
      yield* after("3 seconds")
      yield* resultOf(pool)
    }
  })
})
