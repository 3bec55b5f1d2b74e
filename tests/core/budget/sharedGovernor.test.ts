/**
 * One budget for several pools and effects: shares, weights, nested use, and what must not leak.
 */
import { AutoscaledPool, ConcurrencyGovernor, ScalingPolicy, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Option, Queue, Scope } from "effect"
import { after, begin, causeOf, counted, exitOf, failureOf, hasEnded, resultOf, settled, test } from "../stage.ts"

const governorOf = (settings: Parameters<typeof ConcurrencyGovernor.make>[0], policy?: ScalingPolicy.ScalingPolicy) =>
  ConcurrencyGovernor.make(settings, policy === undefined ? {} : { policy })

const fixedAt = (permits: number) => governorOf({ desiredConcurrency: permits, maxConcurrency: permits })

type Options = Extract<
  AutoscaledPool.PoolOptions<number>,
  { readonly governor: ConcurrencyGovernor.ConcurrencyGovernor }
>

const endless = function*() {
  for (let n = 0;; n++) yield n
}

/** A pool that always has something to do, with a tally of its tasks. */
const busy = Effect.fnUntraced(function*(
  governor: ConcurrencyGovernor.ConcurrencyGovernor,
  options: Partial<Options> = {},
  duration: Duration.Input = "1 second"
) {
  const { tally, task } = counted(() => Effect.sleep(duration))
  const all: Options = { ...options, governor }
  const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(endless()), () => task, all)
  return { pool, tally }
})

const stateOf = (governor: ConcurrencyGovernor.ConcurrencyGovernor) => governor.state

describe("ConcurrencyGovernor, shared: pools", () => {
  test("pools of equal work have equal shares", function*() {
    const governor = yield* fixedAt(8)
    const pools = yield* Effect.replicateEffect(busy(governor), 4)
    for (const { pool } of pools) yield* begin(pool.run)
    yield* after("60 seconds")
    for (const { tally } of pools) {
      assert.strictEqual(tally.running, 2)
      assert.approximately(tally.succeeded, 120, 12)
    }
    const { consumers, inUse } = yield* stateOf(governor)
    assert.strictEqual(inUse, 8)
    assert.deepStrictEqual(consumers.map(({ inFlight, share, waiting }) => [share, inFlight, waiting]), [
      [2, 2, 1],
      [2, 2, 1],
      [2, 2, 1],
      [2, 2, 1]
    ])
  })

  test("shares are by weight, whatever the tasks last", function*() {
    const governor = yield* fixedAt(9)
    const small = yield* busy(governor, { share: 1 }, "3 seconds")
    const large = yield* busy(governor, { share: 2 }, "250 millis")
    yield* begin(small.pool.run)
    yield* begin(large.pool.run)
    yield* after("30 seconds")
    assert.strictEqual(small.tally.running, 3)
    assert.strictEqual(large.tally.running, 6)
  })

  test("a pool that has nothing to do lends its share, and has it back by what ends", function*() {
    const governor = yield* fixedAt(6)
    const queue = yield* Queue.unbounded<number, Cause.Done>()
    const { tally, task } = counted()
    const idle = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => task, { governor })
    const other = yield* busy(governor)
    yield* begin(idle.run)
    yield* begin(other.pool.run)
    yield* after("5500 millis")
    assert.strictEqual(other.tally.running, 6)
    yield* Queue.offerAll(queue, Array.from({ length: 100 }, (_, n) => n))
    yield* after("1 second")
    assert.strictEqual(tally.running, 3)
    assert.strictEqual(other.tally.running, 3)
  })

  test("a late joiner has its share within two task times, and a leaver's goes to the others", function*() {
    const governor = yield* fixedAt(6)
    const first = yield* busy(governor)
    const late = yield* busy(governor)
    yield* begin(first.pool.run)
    yield* after("10300 millis")
    const run = yield* begin(late.pool.run)
    yield* after("2 seconds")
    assert.strictEqual(late.tally.running, 3)
    yield* late.pool.abort
    assert.isTrue(hasEnded(run))
    yield* after("1 second")
    assert.strictEqual(first.tally.running, 6)
    assert.strictEqual((yield* stateOf(governor)).consumers.length, 1)
  })

  test("a pool keeps its own maximum and its own pace, and says so", function*() {
    const governor = yield* fixedAt(6)
    const bounded = yield* busy(governor, { concurrencySettings: { maxConcurrency: 2 } })
    const paced = yield* busy(governor, { concurrencySettings: { maxTasksPerMinute: 60 } }, "100 millis")
    const free = yield* busy(governor)
    for (const { pool } of [bounded, paced, free]) yield* begin(pool.run)
    yield* after("10500 millis")
    assert.strictEqual(bounded.tally.peak, 2)
    assert.strictEqual((yield* bounded.pool.state).blocker?._tag, "AtOwnMaximum")
    assert.approximately(paced.tally.started, 11, 1)
    assert.isAtLeast(free.tally.running, 3)
    yield* bounded.pool.configure({ maxConcurrency: 1 })
    yield* after("2 seconds")
    assert.strictEqual(bounded.tally.running, 1)
    assert.strictEqual((yield* bounded.pool.settings).maxConcurrency, 1)
  })

  test("the settings of a pool do not contradict each other where the governor has less than it asks for", function*() {
    const governor = yield* fixedAt(4)
    const { pool } = yield* busy(governor, { concurrencySettings: { minConcurrency: 10 } })
    assert.deepInclude(yield* pool.settings, { minConcurrency: 4, maxConcurrency: 4 })
    yield* governor.configure({ maxConcurrency: 20 })
    assert.deepInclude(yield* pool.settings, { minConcurrency: 10, maxConcurrency: 20 })
  })

  test("a minimum of its own is served first", function*() {
    const governor = yield* fixedAt(6)
    const owed = yield* busy(governor, { concurrencySettings: { minConcurrency: 5 } })
    const other = yield* busy(governor, { share: 100 })
    yield* begin(other.pool.run)
    yield* begin(owed.pool.run)
    yield* after("5 seconds")
    assert.strictEqual(owed.tally.running, 5)
    assert.strictEqual(other.tally.running, 1)
  })

  test("a paused pool lends its share", function*() {
    const governor = yield* fixedAt(4)
    const a = yield* busy(governor)
    const b = yield* busy(governor)
    yield* begin(a.pool.run)
    yield* begin(b.pool.run)
    yield* after("5 seconds")
    yield* a.pool.pause
    yield* after("2 seconds")
    assert.strictEqual(b.tally.running, 4)
    yield* a.pool.resume
    yield* after("2 seconds")
    assert.strictEqual(a.tally.running, 2)
  })

  test("a pool that fails or is interrupted gives back all it held", function*() {
    const governor = yield* fixedAt(4)
    const other = yield* busy(governor)
    yield* begin(other.pool.run)
    for (const how of ["fail", "die", "interrupt"] as const) {
      const failing = yield* AutoscaledPool.fromSource(
        TaskSource.fromIterable(endless()),
        (n) => n === 5 ? (how === "die" ? Effect.die("defect") : Effect.fail("failure")) : Effect.sleep("2 seconds"),
        { governor }
      )
      const run = yield* begin(failing.run)
      yield* after("3 seconds")
      if (how === "interrupt") yield* Fiber.interrupt(run)
      yield* after("7 seconds")
      assert.isTrue(hasEnded(run), how)
      assert.strictEqual(other.tally.running, 4, how)
      assert.strictEqual((yield* stateOf(governor)).inUse, 4, how)
    }
  })

  test("an overload leaves the governor's minimum to share, and interrupts nobody", function*() {
    const governor = yield* governorOf({ minConcurrency: 2, desiredConcurrency: 8 })
    const a = yield* busy(governor)
    const b = yield* busy(governor)
    yield* begin(a.pool.run)
    yield* begin(b.pool.run)
    yield* after("2500 millis")
    yield* (yield* SystemStatus.TestSystemStatus).set("cpu", { isOverloaded: true })
    yield* settled
    assert.strictEqual(a.tally.running + b.tally.running, 8)
    yield* after("3 seconds")
    assert.strictEqual(a.tally.running, 1)
    assert.strictEqual(b.tally.running, 1)
    assert.strictEqual(a.tally.interrupted + b.tally.interrupted, 0)
    assert.strictEqual((yield* a.pool.state).blocker?._tag, "Overloaded")
  })

  test("governor.configure moves the budget of all at once", function*() {
    const governor = yield* fixedAt(2)
    const a = yield* busy(governor)
    const b = yield* busy(governor)
    yield* begin(a.pool.run)
    yield* begin(b.pool.run)
    yield* after("3 seconds")
    yield* governor.configure({ maxConcurrency: 10, desiredConcurrency: 10 })
    yield* settled
    assert.strictEqual(a.tally.running, 5)
    assert.strictEqual(b.tally.running, 5)
    yield* governor.configure({ desiredConcurrency: 4 })
    assert.strictEqual(a.tally.interrupted, 0)
    yield* after("2 seconds")
    assert.strictEqual(a.tally.running + b.tally.running, 4)
  })

  test("idle pools lease no more than their share between them", function*() {
    const governor = yield* fixedAt(9)
    let out = 0
    const waiting = Effect.fnUntraced(function*() {
      const source: TaskSource.TaskSource<number> = {
        take: () =>
          Effect.acquireUseRelease(Effect.sync(() => out++), () => Effect.never, () => Effect.sync(() => out--))
      }
      return yield* AutoscaledPool.fromSource(source, () => Effect.void, { governor })
    })
    for (const pool of yield* Effect.replicateEffect(waiting(), 3)) yield* begin(pool.run)
    yield* after("10 seconds")
    assert.isAtMost(out, 9)
    assert.isAtLeast(out, 3)
  })

  test("options of a governor that cannot be are refused", function*() {
    for (const policy of ["adaptive", 3, true, {}, () => 1]) {
      const error = yield* Effect.flip(ConcurrencyGovernor.make({}, { policy: policy as never })) // the compiler refuses it
      assert.deepInclude(error, { field: "policy", value: policy })
    }
    for (const settings of ["5", 5, null]) {
      assert.strictEqual((yield* Effect.flip(ConcurrencyGovernor.make(settings as never))).field, "settings")
    }
  })

  test("options that the governor has are refused, by the types and at run time", function*() {
    const governor = yield* fixedAt(2)
    const forEach = (options: object) =>
      Effect.flip(AutoscaledPool.forEach([1], () => Effect.void, { ...options, governor }))
    const cases: ReadonlyArray<readonly [object, string]> = [
      [{ policy: ScalingPolicy.adaptive() }, "policy"],
      [{ autoscaleInterval: 5 }, "autoscaleInterval"],
      [{ scaleUpStepRatio: 0.5 }, "scaleUpStepRatio"],
      [{ concurrencySettings: { desiredConcurrency: 3 } }, "concurrencySettings.desiredConcurrency"],
      [{ concurrencySettings: { minConcurrency: 3, maxConcurrency: 2 } }, "concurrencySettings.minConcurrency"],
      [{ concurrencySettings: { maxConcurrency: 0 } }, "concurrencySettings.maxConcurrency"],
      [{ share: 0 }, "share"],
      [{ share: Infinity }, "share"],
      [{ weight: 0 }, "weight"],
      [{ weight: 1.5 }, "weight"]
    ]
    for (const [options, field] of cases) {
      const error = yield* forEach(options)
      assert.strictEqual(error._tag === "InvalidOptionsError" ? error.field : error._tag, field)
    }
    const withoutGovernor = yield* Effect.flip(
      // @ts-expect-error: a share of what?
      AutoscaledPool.forEach([1], () => Effect.void, { share: 2 })
    )
    assert.strictEqual(withoutGovernor._tag === "InvalidOptionsError" ? withoutGovernor.field : "", "share")
    // @ts-expect-error: the governor has a policy
    void ((): unknown => AutoscaledPool.forEach([1], () => Effect.void, { governor, policy: ScalingPolicy.adaptive() }))
    const ofOthers = { ...governor }
    const error = yield* Effect.flip(AutoscaledPool.forEach([1], () => Effect.void, { governor: ofOthers }))
    assert.strictEqual(error._tag === "InvalidOptionsError" ? error.field : "", "governor")
  })

  test("nobody outside can write the budget", function*() {
    const governor = yield* fixedAt(3)
    const { pool, tally } = yield* busy(governor)
    for (const field of ["desired", "current", "settings", "cap", "gate"]) {
      Reflect.set(governor, field, 9_999)
      Reflect.set(yield* governor.state, field, 9_999)
    }
    yield* begin(pool.run)
    yield* after("3 seconds")
    assert.strictEqual(tally.peak, 3)
    assert.strictEqual((yield* governor.state).desired, 3)
  })
})

describe("ConcurrencyGovernor, shared: weights", () => {
  test("a task takes as many permits as its weight says", function*() {
    const governor = yield* fixedAt(10)
    const sizes = [4, 4, 4, 1, 1]
    let held = 0
    let peak = 0
    const task = (size: number) =>
      Effect.acquireUseRelease(
        Effect.sync(() => peak = Math.max(peak, held += size)),
        () => Effect.sleep("1 second"),
        () => Effect.sync(() => held -= size)
      )
    const run = yield* begin(AutoscaledPool.forEach(sizes, task, { governor, weight: (size) => size }))
    assert.strictEqual((yield* governor.state).inUse, 8)
    yield* after("3 seconds")
    yield* resultOf(run)
    assert.isAtMost(peak, 10)
    assert.strictEqual((yield* governor.state).inUse, 0)
  })

  test("a private budget knows weights too, and says what it waits for", function*() {
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2, 3, 4]), () => task, {
      weight: 2,
      concurrencySettings: { desiredConcurrency: 5, maxConcurrency: 5 }
    })
    const run = yield* begin(pool.run)
    assert.strictEqual(tally.running, 2)
    assert.strictEqual((yield* pool.state).blocker?._tag, "HeldForHeavier")
    yield* after("2 seconds")
    assert.strictEqual((yield* resultOf(run)).succeeded, 4)
  })

  test("a task that takes more than there are runs alone", function*() {
    const governor = yield* fixedAt(3)
    const other = yield* busy(governor)
    yield* begin(other.pool.run)
    const alone: Array<number> = []
    const heavy = Effect.andThen(
      Effect.sync(() => alone.push(other.tally.running)),
      Effect.sleep("1 second")
    )
    const run = yield* begin(AutoscaledPool.forEach([1, 2], () => heavy, { governor, weight: 7 }))
    yield* after("20 seconds")
    assert.isTrue(hasEnded(run))
    assert.deepStrictEqual(alone, [0, 0])
    assert.strictEqual(other.tally.running, 3)
  })

  test("the weight of an item is asked for once, before it starts, and holds until it has ended", function*() {
    const governor = yield* ConcurrencyGovernor.make({ desiredConcurrency: 4, maxConcurrency: 4 })
    const asked: Array<number> = []
    const weights = [3, 4, 1, 2]
    const weight = (n: number) => {
      asked.push(n)
      return weights[asked.length % weights.length]
    }
    const items = Array.from({ length: 12 }, (_, n) => n)
    yield* begin(governor.withPermits(2)(Effect.sleep("3500 millis")))
    const run = yield* begin(AutoscaledPool.forEach(items, () => Effect.sleep("1 second"), { governor, weight }))
    for (let second = 0; second < 20; second++) {
      assert.isAtMost((yield* governor.state).inUse, 4)
      yield* after("1 second")
    }
    yield* resultOf(run)
    assert.deepStrictEqual(asked, items)
    assert.strictEqual((yield* governor.state).inUse, 0)
  })

  test("a weight that is none is a defect of the run", function*() {
    const run = yield* begin(AutoscaledPool.forEach([1], () => Effect.void, { weight: () => -1 }))
    const text = "weight cannot be -1. Use an integer of at least 1. It is what the function gave for an item."
    assert.include(Cause.pretty(yield* causeOf(run)), text)
  })

  test("a weight that is none loses no item", function*() {
    for (const value of [0, NaN, -1, 1.5, "two" as never]) {
      const source = TaskSource.fromIterable([1, 2, 3])
      const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void, { weight: () => value })
      assert.isTrue(Cause.hasDies(yield* causeOf(yield* begin(pool.run))))
      const other = yield* AutoscaledPool.fromSource(source, () => Effect.void)
      assert.strictEqual((yield* resultOf(yield* begin(other.run))).succeeded, 3)
    }
  })
})

describe("ConcurrencyGovernor, shared: effects", () => {
  test("wait in their order for a permit, and hold it until their finalizers have run", function*() {
    const governor = yield* fixedAt(2)
    const order: Array<number> = []
    const job = (n: number) =>
      governor.withPermit(
        Effect.sync(() => order.push(n)).pipe(
          Effect.andThen(Effect.sleep("1 second")),
          Effect.ensuring(Effect.sleep("1 second"))
        )
      )
    const all = yield* begin(Effect.forEach([1, 2, 3, 4], job, { concurrency: "unbounded" }))
    assert.deepStrictEqual(order, [1, 2])
    assert.strictEqual((yield* governor.state).consumers[0].waiting, 2)
    yield* after("1999 millis")
    assert.deepStrictEqual(order, [1, 2])
    yield* after("1 millis")
    assert.deepStrictEqual(order, [1, 2, 3, 4])
    yield* after("2 seconds")
    yield* resultOf(all)
    assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
  })

  test("share with pools as one consumer, and with consumers of their own", function*() {
    const governor = yield* fixedAt(9)
    const pool = yield* busy(governor)
    yield* begin(pool.pool.run)
    const backup = yield* governor.consumer({ name: "backup", share: 1 })
    const job = (of: ConcurrencyGovernor.Consumer["withPermit"]) =>
      begin(Effect.forever(Effect.replicateEffect(of(Effect.sleep("1 second")), 20, { concurrency: 20 })))
    yield* job(governor.withPermit)
    yield* job(backup.withPermit)
    yield* after("10 seconds")
    const { consumers } = yield* governor.state
    assert.deepStrictEqual(consumers.map(({ name }) => name).toSorted(), ["backup", "effects", "pool"])
    for (const { permits } of consumers) assert.approximately(permits, 3, 1)
    assert.strictEqual((yield* backup.state).name, "backup")
  })

  test("that are interrupted while they wait, or as they start, leak no permit", function*() {
    const governor = yield* fixedAt(1)
    for (let round = 0; round < 40; round++) {
      const holder = yield* begin(governor.withPermit(Effect.sleep("10 millis")))
      const waiter = yield* begin(governor.withPermit(Effect.sleep("10 millis")))
      if (round % 4 === 0) yield* Fiber.interrupt(waiter)
      if (round % 4 === 1) {
        holder.interruptUnsafe()
        waiter.interruptUnsafe()
      }
      if (round % 4 === 2) {
        yield* after("10 millis")
        waiter.interruptUnsafe()
      }
      yield* after("20 millis")
      assert.isTrue(hasEnded(holder) && hasEnded(waiter))
      assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
    }
  })

  test("of a consumer whose scope closes: those that run may end, those that wait die and say so, now and later", function*() {
    const governor = yield* fixedAt(1)
    const scope = yield* Scope.make()
    const consumer = yield* Scope.provide(governor.consumer(), scope)
    const runs = yield* begin(consumer.withPermit(Effect.sleep("1 second")))
    const waits = yield* begin(consumer.withPermits(3)(Effect.sleep("1 second")))
    yield* Scope.close(scope, Exit.void)
    yield* settled
    assert.include(Cause.pretty(yield* causeOf(waits)), "the scope of this consumer has closed")
    assert.isTrue(Cause.hasDies(yield* causeOf(yield* begin(consumer.withPermit(Effect.void)))))
    yield* after("1 second")
    yield* resultOf(runs)
    assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
    yield* resultOf(yield* begin(governor.withPermit(Effect.void)))
  })

  test("that fail or die give their permits back", function*() {
    const governor = yield* fixedAt(2)
    const failed = yield* begin(governor.withPermits(2)(Effect.fail("failure")))
    assert.strictEqual(yield* failureOf(failed), "failure")
    const died = yield* begin(governor.withPermits(5)(Effect.die("defect")))
    assert.isTrue(Exit.hasDies(yield* exitOf(died)))
    assert.strictEqual((yield* governor.state).inUse, 0)
    const invalid = yield* begin(governor.withPermits(0)(Effect.void))
    assert.isTrue(Exit.hasDies(yield* exitOf(invalid)))
  })

  test("twenty thousand that do nothing pass through", function*() {
    const governor = yield* fixedAt(3)
    let count = 0
    const one = governor.withPermit(Effect.sync(() => count++))
    const all = yield* begin(
      Effect.forEach(Array.from({ length: 20_000 }), () => one, { concurrency: 500, discard: true })
    )
    while (!hasEnded(all)) yield* settled
    assert.strictEqual(count, 20_000)
    assert.strictEqual((yield* governor.state).inUse, 0)
  })

  test("the rate cap of a governor is kept by effects and pools together", function*() {
    const governor = yield* governorOf({ maxTasksPerMinute: 60 })
    let starts = 0
    const start = Effect.sync(() => void starts++)
    yield* begin(Effect.forEach(Array.from({ length: 50 }), () => governor.withPermit(start), { concurrency: 50 }))
    yield* begin(AutoscaledPool.forEach(endless(), () => start, { governor }))
    yield* after("20 seconds")
    assert.approximately(starts, 21, 1)
  })
})

describe("ConcurrencyGovernor, shared: nested use", () => {
  test("an effect in an effect runs on the permit of the outer one", function*() {
    const governor = yield* fixedAt(1)
    const deep = (depth: number): Effect.Effect<number> =>
      governor.withPermit(depth === 0 ? Effect.succeed(0) : Effect.map(deep(depth - 1), (n) => n + 1))
    const run = yield* begin(deep(5))
    assert.strictEqual(yield* resultOf(run), 5)
    assert.strictEqual((yield* governor.state).inUse, 0)
  })

  test("several in one take turns on its permit, beside what is free", function*() {
    for (const permits of [1, 2, 3]) {
      const governor = yield* fixedAt(permits)
      const { tally, task } = counted()
      const outer = governor.withPermit(
        Effect.replicateEffect(governor.withPermit(task), 6, { concurrency: "unbounded", discard: true })
      )
      const run = yield* begin(outer)
      yield* after(`${6 / permits} seconds`)
      assert.isTrue(hasEnded(run), `${permits}`)
      assert.strictEqual(tally.peak, permits)
      assert.strictEqual((yield* governor.state).inUse, 0)
    }
  })

  test("a pool in a task of a pool of the same governor ends, however few permits there are", function*() {
    for (const permits of [1, 2, 3]) {
      const governor = yield* fixedAt(permits)
      const { tally, task } = counted()
      const inner = () => AutoscaledPool.forEach([1, 2, 3], () => task, { governor })
      const run = yield* begin(AutoscaledPool.forEach([1, 2, 3, 4], inner, { governor, discard: true }))
      yield* after("30 seconds")
      assert.isTrue(hasEnded(run), `${permits}`)
      assert.strictEqual(tally.succeeded, 12)
      assert.isAtMost(tally.peak, permits)
      assert.strictEqual((yield* governor.state).inUse, 0)
    }
  })

  test("an effect in a task, through a pool of another budget", function*() {
    const governor = yield* fixedAt(1)
    const inner = AutoscaledPool.forEach([1, 2], () => governor.withPermit(Effect.sleep("1 second")))
    const run = yield* begin(AutoscaledPool.forEach([1], () => inner, { governor }))
    yield* after("3 seconds")
    assert.isTrue(hasEnded(run))
  })

  test("what outlives the task that lent it its permit has it for its own", function*() {
    const governor = yield* fixedAt(1)
    const outer = governor.withPermit(
      Effect.andThen(Effect.forkDetach(governor.withPermit(Effect.sleep("5 seconds"))), Effect.sleep("1 second"))
    )
    yield* begin(outer)
    yield* after("2 seconds")
    assert.strictEqual((yield* governor.state).inUse, 1)
    const other = yield* begin(governor.withPermit(Effect.void))
    assert.isFalse(hasEnded(other))
    yield* after("4 seconds")
    assert.isTrue(hasEnded(other))
    assert.strictEqual((yield* governor.state).inUse, 0)
  })

  test("a heavy effect in a lighter one waits for the rest only", function*() {
    const governor = yield* fixedAt(3)
    const run = yield* begin(governor.withPermits(2)(governor.withPermits(3)(Effect.sleep("1 second"))))
    yield* after("1 second")
    assert.isTrue(hasEnded(run))
    assert.strictEqual((yield* governor.state).inUse, 0)
  })

  /** What tasks that hold one permit each await, with the permits that it takes. */
  const heavier: ReadonlyArray<
    readonly [
      string,
      (governor: ConcurrencyGovernor.ConcurrencyGovernor, task: Effect.Effect<unknown>) => Effect.Effect<unknown>
    ]
  > = [
    ["an effect", (governor, task) => governor.withPermits(3)(task)],
    ["an effect that takes more than there are", (governor, task) => governor.withPermits(9)(task)],
    [
      "several effects",
      (governor, task) =>
        Effect.forEach([1, 2, 3, 4], (permits) => governor.withPermits(permits)(task), { concurrency: "unbounded" })
    ],
    ["an effect in an effect", (governor, task) => governor.withPermits(2)(governor.withPermits(4)(task))],
    ["an effect of another consumer", (governor, task) =>
      Effect.scoped(
        Effect.flatMap(Effect.orDie(governor.consumer()), (consumer) => consumer.withPermits(2)(task))
      )],
    [
      "a pool",
      (governor, task) =>
        AutoscaledPool.forEach([1, 2, 3], () => task, { governor, weight: (n) => n, discard: true }).pipe(
          Effect.orDie,
          Effect.provide(SystemStatus.layerTest)
        )
    ]
  ]
  for (const [what, inner] of heavier) {
    for (const isOverloaded of [false, true]) {
      test(`tasks that all await ${what} of more permits do not wait for each other${isOverloaded ? ", in an overload" : ""}`, function*() {
        const { set } = yield* SystemStatus.TestSystemStatus
        const governor = yield* fixedAt(4)
        const { tally, task } = counted(() => Effect.sleep("1 second"))
        const holders = yield* begin(
          AutoscaledPool.forEach(
            [1, 2, 3, 4, 5, 6],
            () => Effect.andThen(Effect.sleep("1 second"), inner(governor, task)),
            {
              governor,
              discard: true
            }
          )
        )
        yield* after("500 millis")
        yield* set("cpu", { isOverloaded })
        yield* after("60 seconds")
        assert.isTrue(hasEnded(holders))
        assert.isAtLeast(tally.succeeded, 6)
        assert.isAtMost(tally.peak, 4)
        assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
      })
    }
  }

  for (const around of ["an effect", "a task of a pool", "a task of a pool in a task"] as const) {
    test(`what ${around} leaves behind is no part of what comes after it`, function*() {
      const governor = yield* fixedAt(1)
      const { tally, task } = counted(() => Effect.sleep("2 seconds"))
      const go = yield* Deferred.make<void>()
      const leftBehind = Effect.forkDetach(Effect.andThen(Deferred.await(go), governor.withPermit(task)))
      const system = yield* SystemStatus.SystemStatus
      const ofPool = (n: number) => n === 0 ? leftBehind : task
      const pool = Effect.provideService(
        AutoscaledPool.forEach([0, 1], ofPool, { governor }),
        SystemStatus.SystemStatus,
        system
      )
      const bodies = {
        "an effect": Effect.andThen(governor.withPermit(leftBehind), governor.withPermit(task)),
        "a task of a pool": pool,
        "a task of a pool in a task": governor.withPermit(pool)
      }
      const run = yield* begin(bodies[around])
      yield* Deferred.succeed(go, undefined)
      yield* after("1 second")
      assert.strictEqual(tally.running, 1)
      yield* after("4 seconds")
      yield* resultOf(run)
      assert.deepInclude(tally, { peak: 1, succeeded: 2 })
      assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
    })
  }

  test("what waits in a task that has ended borrows nothing of it", function*() {
    const governor = yield* fixedAt(1)
    const { tally, task } = counted(() => Effect.sleep("1 second"))
    const detached = Effect.forkDetach(governor.withPermit(task))
    const outer = Effect.andThen(Effect.replicateEffect(detached, 3), Effect.sleep("500 millis"))
    for (const outermost of [governor.withPermit(outer), AutoscaledPool.forEach([1], () => outer, { governor })]) {
      yield* begin(outermost)
      yield* after("5 seconds")
    }
    assert.strictEqual(tally.succeeded, 6)
    assert.strictEqual(tally.peak, 1)
    assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
  })
})

describe("ConcurrencyGovernor, shared: the policy", () => {
  const scripted = (
    observed: Array<ScalingPolicy.Observation>,
    desired: number
  ): ScalingPolicy.ScalingPolicy<number> => ({
    name: "scripted",
    every: Duration.seconds(10),
    initial: () => 0,
    decide: (n, observation) => {
      observed.push(observation)
      return [{ desired, reason: { summary: "the test says so" } }, n + 1]
    }
  })

  test("sees all consumers as one, in permits", function*() {
    const observed: Array<ScalingPolicy.Observation> = []
    const governor = yield* governorOf({ desiredConcurrency: 6 }, scripted(observed, 6))
    const a = yield* busy(governor, { weight: 2 })
    const b = yield* busy(governor)
    yield* begin(a.pool.run)
    yield* begin(b.pool.run)
    yield* after("20 seconds")
    assert.strictEqual(observed.length, 2)
    assert.isAtLeast(observed[1].meanConcurrency, 5)
    assert.isAtMost(observed[1].current, 6)
    assert.isAtLeast(observed[1].inFlightAges.length, 3)
    assert.approximately(observed[1].completions.count, 10 * (a.tally.succeeded + b.tally.succeeded) / 20, 6)
  })

  test("does not see a change of the mix as a change of the machine", function*() {
    const observed: Array<ScalingPolicy.Observation> = []
    const governor = yield* governorOf({ desiredConcurrency: 4 }, scripted(observed, 4))
    const short = yield* busy(governor, {}, "100 millis")
    const long = yield* busy(governor, {}, "2 seconds")
    yield* begin(short.pool.run)
    yield* begin(long.pool.run)
    yield* after("40 seconds")
    const before = observed.at(-1)?.completions.meanDuration ?? NaN
    yield* short.pool.configure({ maxConcurrency: 1 })
    yield* after("10 seconds")
    const afterwards = observed.at(-1)?.completions.meanDuration ?? NaN
    // Unweighted, the mean would rise from 195 to about 400 milliseconds.
    assert.isBelow(afterwards / before, 1.4)
  })

  test("sees what the machine does now where consumers come and go", function*() {
    const observed: Array<ScalingPolicy.Observation> = []
    const governor = yield* governorOf({ desiredConcurrency: 4 }, scripted(observed, 4))
    const stays = yield* busy(governor, { concurrencySettings: { maxConcurrency: 1 } }, "1 second")
    yield* begin(stays.pool.run)
    let duration = 100
    const work = Effect.suspend(() => Effect.sleep(duration))
    const comes = Effect.scoped(Effect.flatMap(governor.consumer(), (consumer) => consumer.withPermit(work)))
    yield* begin(Effect.forever(comes))
    yield* after("2 minutes")
    duration = 400
    yield* after("2 minutes")
    // Most tasks that end take 400 milliseconds, and the others a second.
    assert.isAbove(observed.at(-1)?.completions.meanDuration ?? NaN, 400)
  })

  test("is asked while something takes part, and at its pace for effects that come one by one", function*() {
    const observed: Array<ScalingPolicy.Observation> = []
    const governor = yield* governorOf({ desiredConcurrency: 4 }, scripted(observed, 4))
    yield* after("60 seconds")
    assert.strictEqual(observed.length, 0)
    const effects = Effect.andThen(governor.withPermit(Effect.sleep("900 millis")), Effect.sleep("100 millis"))
    const run = yield* begin(Effect.replicateEffect(effects, 60, { discard: true }))
    yield* after("60 seconds")
    assert.isTrue(hasEnded(run))
    assert.isAtLeast(observed.length, 4)
    const seen = observed.length
    yield* after("60 seconds")
    assert.isAtMost(observed.length, seen + 1)
  })

  test("that dies ends the runs under it and the effects that wait for it, now and later", function*() {
    const governor = yield* governorOf({ desiredConcurrency: 4 }, {
      ...scripted([], 4),
      decide: () => {
        throw new Error("the policy is broken")
      }
    })
    const a = yield* busy(governor)
    const b = yield* busy(governor)
    const held = yield* begin(governor.withPermits(2)(Effect.sleep("12 seconds")))
    const runs = [
      yield* begin(a.pool.run),
      yield* begin(b.pool.run),
      yield* begin(governor.withPermits(3)(Effect.void))
    ]
    yield* after("10 seconds")
    for (const run of runs) assert.include(Cause.pretty(yield* causeOf<unknown, unknown>(run)), "the policy is broken")
    yield* after("2 seconds")
    yield* resultOf(held)
    assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
    for (const late of [yield* begin(a.pool.run), yield* begin(governor.withPermit(Effect.void))]) {
      assert.include(Cause.pretty(yield* causeOf<unknown, unknown>(late)), "the policy is broken")
    }
  })

  test("ends with the scope of its governor, which ends what runs and waits under it, in an overload too", function*() {
    const observed: Array<ScalingPolicy.Observation> = []
    const { set } = yield* SystemStatus.TestSystemStatus
    for (const isOverloaded of [false, true]) {
      yield* set("cpu", { isOverloaded })
      const scope = yield* Scope.make()
      const governor = yield* Scope.provide(governorOf({ desiredConcurrency: 4 }, scripted(observed, 4)), scope)
      const source = TaskSource.fromIterable([1, 2, 3, 4, 5])
      const pool = yield* AutoscaledPool.fromSource(source, () => Effect.sleep("1 second"), { governor })
      const held = yield* begin(governor.withPermits(4)(Effect.sleep("2 seconds")))
      const ended = [yield* begin(pool.run), yield* begin(governor.withPermit(Effect.void))]
      yield* Scope.close(scope, Exit.void)
      yield* after("2 seconds")
      yield* resultOf(held)
      const late = [yield* begin(pool.run), yield* begin(governor.withPermit(Effect.void))]
      yield* after("60 seconds")
      for (const run of [...ended, ...late]) {
        assert.include(
          Cause.pretty(yield* causeOf<unknown, unknown>(run)),
          "the scope of the ConcurrencyGovernor has closed"
        )
      }
      assert.deepInclude(yield* governor.state, { inUse: 0, consumers: [] })
      const other = yield* AutoscaledPool.fromSource(source, () => Effect.void)
      assert.strictEqual((yield* resultOf(yield* begin(other.run))).succeeded, 5)
    }
    assert.strictEqual(observed.length, 0)
  })

  test("the layer provides one governor for all", function*() {
    const program = Effect.gen(function*() {
      const governor = yield* ConcurrencyGovernor.ConcurrencyGovernor
      yield* AutoscaledPool.forEach([1, 2], () => Effect.void, { governor })
      return Option.some((yield* governor.state).settings.maxConcurrency)
    })
    const provided = Effect.provide(program, ConcurrencyGovernor.layer({ maxConcurrency: 7 }))
    assert.deepStrictEqual(yield* Effect.orDie(provided), Option.some(7))
  })
})
