/**
 * The two checks of `AutoscaledPool.make`, above all where they suspend.
 *
 * Of the defects that are known of Crawlee's pool, these tests show to be impossible: more tasks started than the check
 * allowed (a check that never suspends lets Python's loop start 50 tasks for 5 items), a start after an abort or a pause
 * that came while the check was pending, a run that ends on a finished check that a new task has overtaken, a check that
 * is asked concurrently with itself. Serial readiness caps the concurrency of an opaque check by design, in both of
 * Crawlee's pools and here: what must not be capped pulls from a source.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option } from "effect"
import { after, begin, counted, exitOf, hasEnded, jobs, resultOf, settled, test } from "./stage.ts"

/** A check whose answers a test gives by hand, one question at a time. */
const question = () => {
  const pending: Array<Deferred.Deferred<boolean>> = []
  const record = { asked: 0, concurrent: 0, peak: 0, interrupted: 0 }
  const check = Effect.suspend(() => {
    const answer = Deferred.makeUnsafe<boolean>()
    pending.push(answer)
    record.asked++
    record.peak = Math.max(record.peak, ++record.concurrent)
    return Deferred.await(answer).pipe(
      Effect.onInterrupt(() => Effect.sync(() => void record.interrupted++)),
      Effect.ensuring(Effect.sync(() => void record.concurrent--))
    )
  })
  const say = (answer: boolean) =>
    Effect.andThen(
      Effect.suspend(() => {
        const asked = pending.shift()
        return asked === undefined ? Effect.die(new Error("Nothing was asked")) : Deferred.succeed(asked, answer)
      }),
      settled
    )
  return { check, record, say }
}

const no = Effect.succeed(false)

describe("AutoscaledPool: isTaskReady", () => {
  test("is asked once per free slot, and not at all where there is none", function*() {
    const { plan, tally, work } = jobs(50)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 5 } })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 5)
    assert.strictEqual(plan.readyAsked, 5)
    yield* after("900 millis")
    assert.strictEqual(plan.readyAsked, 5)
    yield* after("100 millis")
    assert.strictEqual(plan.readyAsked, 10)
  })

  test("that never suspends starts exactly as many tasks as there are, not as many as there are slots", function*() {
    const { tally, work } = jobs(5)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 50 } })
    const run = yield* begin(pool.run)
    assert.strictEqual(tally.started, 5)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).started, 5)
  })

  test("a task that was found ready has started before the check is asked again", function*() {
    let left = 3
    const askedWith: Array<number> = []
    const pool = yield* AutoscaledPool.make({
      runTask: Effect.suspend(() => {
        left--
        return Effect.sleep("1 second")
      }),
      isTaskReady: Effect.gen(function*() {
        yield* Effect.sleep("10 millis")
        askedWith.push(left)
        return left > 0
      }),
      isFinished: Effect.sync(() => left === 0)
    })
    yield* begin(pool.run)
    yield* after("40 millis")
    assert.deepStrictEqual(askedWith, [3, 2, 1, 0])
  })

  test("is never asked concurrently with itself or with isFinished", function*() {
    let concurrent = 0
    let peak = 0
    const slowly = (answer: () => boolean) =>
      Effect.gen(function*() {
        peak = Math.max(peak, ++concurrent)
        yield* Effect.sleep("7 millis")
        concurrent--
        return answer()
      })
    const { plan, work } = jobs(30, (index) => Effect.sleep(1 + index * 13 % 40))
    const pool = yield* AutoscaledPool.make({
      runTask: work.runTask,
      isTaskReady: slowly(() => plan.left > 0),
      isFinished: slowly(() => plan.left === 0)
    })
    const run = yield* begin(pool.run)
    for (let i = 0; i < 30; i++) {
      yield* pool.notify
      yield* after("5 millis")
    }
    yield* after("10 seconds")
    assert.strictEqual((yield* resultOf(run)).started, 30)
    assert.strictEqual(peak, 1)
  })

  test("a slow one stays serial and caps the concurrency: 20 ms of it, 100 ms of task, 50 slots make 5", function*() {
    const { plan, tally, work } = jobs(100, () => Effect.sleep("100 millis"))
    const pool = yield* AutoscaledPool.make({
      ...work,
      isTaskReady: Effect.andThen(Effect.sleep("20 millis"), Effect.sync(() => plan.left > 0)),
      concurrencySettings: { desiredConcurrency: 50 }
    })
    yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(tally.peak, 5)
  })

  test("slow readiness of a source does not cap the concurrency: several slots pull at once", function*() {
    const { tally, task } = counted(() => Effect.sleep("100 millis"))
    let left = 100
    const pull = Effect.andThen(
      Effect.sleep("20 millis"),
      Effect.sync(() => left-- > 0 ? Option.some("page") : Option.none())
    )
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(pull), () => task, {
      concurrencySettings: { desiredConcurrency: 50 }
    })
    yield* begin(pool.run)
    yield* after("20 millis")
    assert.strictEqual(tally.running, 50)
  })

  test("pending at an abort: nothing starts, and the check is interrupted", function*() {
    const ready = question()
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.make({ runTask: task, isTaskReady: ready.check, isFinished: no })
    const run = yield* begin(pool.run)
    yield* pool.abort
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    assert.strictEqual(ready.record.interrupted, 1)
    assert.strictEqual(tally.started, 0)
  })

  test("that cannot be interrupted delays an abort, and its late yes starts nothing", function*() {
    const ready = question()
    const { tally, task } = counted()
    const pool = yield* AutoscaledPool.make({
      runTask: task,
      isTaskReady: Effect.uninterruptible(ready.check),
      isFinished: no
    })
    const run = yield* begin(pool.run)
    const abort = yield* begin(pool.abort)
    assert.isFalse(hasEnded(abort))
    yield* ready.say(true)
    assert.isTrue(hasEnded(abort))
    assert.strictEqual((yield* resultOf(run)).started, 0)
    assert.strictEqual(tally.started, 0)
  })

  test("pending at a pause: its yes starts nothing, is kept, and starts one task after resume", function*() {
    const ready = question()
    const { tally, task } = counted(() => Effect.never)
    const pool = yield* AutoscaledPool.make({ runTask: task, isTaskReady: ready.check, isFinished: no })
    yield* begin(pool.run)
    yield* pool.pause
    yield* ready.say(true)
    yield* after("1 minute")
    assert.strictEqual(tally.started, 0)
    assert.strictEqual(ready.record.asked, 1)
    yield* pool.resume
    yield* settled
    assert.strictEqual(tally.started, 1)
    assert.strictEqual(ready.record.asked, 2)
  })

  test("pending at a pause and answered after resume: one task starts, once", function*() {
    const ready = question()
    const { tally, task } = counted(() => Effect.never)
    const pool = yield* AutoscaledPool.make({ runTask: task, isTaskReady: ready.check, isFinished: no })
    yield* begin(pool.run)
    yield* pool.pause
    yield* pool.resume
    yield* pool.pause
    yield* pool.resume
    yield* settled
    assert.strictEqual(ready.record.asked, 1)
    yield* ready.say(true)
    assert.strictEqual(tally.started, 1)
    assert.strictEqual(ready.record.peak, 1)
  })

  test("pending while the last slot is lost to a lower maximum: its yes waits for a slot", function*() {
    const ready = question()
    const { tally, task } = counted((index) => index === 0 ? Effect.sleep("1 minute") : Effect.never)
    const pool = yield* AutoscaledPool.make({
      runTask: task,
      isTaskReady: ready.check,
      isFinished: no,
      concurrencySettings: { desiredConcurrency: 2 }
    })
    yield* begin(pool.run)
    yield* ready.say(true)
    yield* pool.configure({ maxConcurrency: 1 })
    yield* ready.say(true)
    assert.strictEqual(tally.running, 1)
    yield* after("1 minute")
    assert.strictEqual(tally.started, 2)
    assert.strictEqual(tally.running, 1)
  })

  test("pending while an overload begins: its yes waits for the end of it", function*() {
    const ready = question()
    const { tally, task } = counted(() => Effect.never)
    const pool = yield* AutoscaledPool.make({ runTask: task, isTaskReady: ready.check, isFinished: no })
    const status = yield* SystemStatus.TestSystemStatus
    yield* begin(pool.run)
    yield* ready.say(true)
    yield* status.set("cpu", { isOverloaded: true })
    yield* settled
    yield* ready.say(true)
    assert.strictEqual(tally.started, 1)
    yield* status.set("cpu", { isOverloaded: false })
    yield* settled
    assert.strictEqual(tally.started, 2)
  })

  test("pending at a notify: the news is not lost, a no is asked again at once", function*() {
    const ready = question()
    const { tally, task } = counted(() => Effect.never)
    const pool = yield* AutoscaledPool.make({ runTask: task, isTaskReady: ready.check, isFinished: no })
    yield* begin(pool.run)
    yield* pool.notify
    yield* ready.say(false)
    assert.strictEqual(ready.record.asked, 2)
    yield* ready.say(true)
    assert.strictEqual(tally.started, 1)
  })

  test("pending while a task ends: the news is not lost, a no is asked again at once", function*() {
    const ready = question()
    const { tally, task } = counted((index) => index === 0 ? Effect.sleep("100 millis") : Effect.never)
    const pool = yield* AutoscaledPool.make({ runTask: task, isTaskReady: ready.check, isFinished: no })
    yield* begin(pool.run)
    yield* ready.say(true)
    yield* after("100 millis")
    yield* ready.say(false)
    yield* ready.say(true)
    assert.strictEqual(tally.started, 2)
  })

  test("a no that nothing has changed is asked again after maybeRunInterval, and no sooner", function*() {
    const { plan, work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: no, maybeRunInterval: "2 seconds" })
    yield* begin(pool.run)
    assert.strictEqual(plan.readyAsked, 1)
    yield* after("1999 millis")
    assert.strictEqual(plan.readyAsked, 1)
    yield* after("1 millis")
    assert.strictEqual(plan.readyAsked, 2)
  })

  test("a pending one is not asked again by the interval", function*() {
    const ready = question()
    const { task } = counted()
    const pool = yield* AutoscaledPool.make({ runTask: task, isTaskReady: ready.check, isFinished: no })
    yield* begin(pool.run)
    yield* after("10 seconds")
    assert.strictEqual(ready.record.asked, 1)
  })

  test("that goes on to say yes with the only task in progress does not start it twice", function*() {
    // An empty task for each yes is what a check of this kind asks for; a source that is taken from cannot say yes twice.
    const { tally, task } = counted(() => Effect.sleep("1 second"))
    const queue = ["page"]
    const source = TaskSource.fromPull(Effect.sync(() => Option.fromNullishOr(queue.shift())))
    const pool = yield* AutoscaledPool.fromSource(source, () => task)
    yield* begin(pool.run)
    yield* after("10 seconds")
    assert.strictEqual(tally.started, 1)
  })
})

describe("AutoscaledPool: isFinished", () => {
  test("is asked only when no task runs and none is ready", function*() {
    const { plan, tally, work } = jobs(7, (index) => Effect.sleep(100 * (index + 1)))
    const asked: Array<{ readonly running: number; readonly left: number }> = []
    const pool = yield* AutoscaledPool.make({
      ...work,
      isFinished: Effect.sync(() => {
        asked.push({ running: tally.running, left: plan.left })
        return plan.left === 0
      }),
      concurrencySettings: { desiredConcurrency: 3 }
    })
    const run = yield* begin(pool.run)
    yield* after("10 seconds")
    yield* resultOf(run)
    assert.deepStrictEqual(asked, [{ running: 0, left: 0 }])
  })

  test("that is true from the first does not keep ready tasks from running", function*() {
    const { work } = jobs(4)
    const pool = yield* AutoscaledPool.make({
      ...work,
      isFinished: Effect.succeed(true),
      concurrencySettings: { desiredConcurrency: 1 }
    })
    const run = yield* begin(pool.run)
    yield* after("4 seconds")
    assert.strictEqual((yield* resultOf(run)).succeeded, 4)
  })

  test("that says no keeps the run alive until it says yes", function*() {
    let isFinished = false
    const { plan, work } = jobs(1)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.sync(() => isFinished) })
    const run = yield* begin(pool.run)
    yield* after("10 seconds")
    plan.left = 1
    yield* pool.notify
    yield* after("1 second")
    assert.isFalse(hasEnded(run))
    isFinished = true
    yield* pool.notify
    yield* settled
    assert.strictEqual((yield* resultOf(run)).succeeded, 2)
  })

  test("that says no is asked again after maybeRunInterval", function*() {
    const { plan, work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.sync(() => ++plan.finishedAsked >= 3) })
    const run = yield* begin(pool.run)
    yield* after("999 millis")
    assert.strictEqual(plan.finishedAsked, 2)
    yield* after("1 millis")
    assert.isTrue(hasEnded(run))
  })

  test("pending: nothing starts, so that it cannot decide on a state that has passed", function*() {
    const finished = question()
    const { plan, tally, work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: finished.check })
    const run = yield* begin(pool.run)
    plan.left = 1
    yield* after("10 seconds")
    assert.strictEqual(tally.started, 0)
    assert.strictEqual(finished.record.asked, 1)
    yield* finished.say(false)
    yield* after("500 millis")
    assert.strictEqual(tally.started, 1)
    yield* pool.abort
    assert.isTrue(hasEnded(run))
  })

  test("pending while a task becomes ready, with a notify: its yes does not end the run, and the task starts", function*() {
    const finished = question()
    const { plan, tally, work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: finished.check })
    const run = yield* begin(pool.run)
    plan.left = 1
    yield* pool.notify
    yield* finished.say(true)
    assert.isFalse(hasEnded(run))
    assert.strictEqual(tally.running, 1)
    yield* after("1 second")
    yield* finished.say(true)
    assert.strictEqual((yield* resultOf(run)).succeeded, 1)
  })

  test("pending at a pause: its yes ends the run after resume, not before", function*() {
    const finished = question()
    const { work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: finished.check })
    const run = yield* begin(pool.run)
    yield* pool.pause
    yield* finished.say(true)
    yield* after("1 minute")
    assert.isFalse(hasEnded(run))
    yield* pool.resume
    yield* settled
    if (!hasEnded(run)) yield* finished.say(true)
    assert.isTrue(hasEnded(run))
  })

  test("a yes from before a pause does not end a run that has had work since", function*() {
    const finished = question()
    const { plan, tally, work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: finished.check })
    const run = yield* begin(pool.run)
    yield* pool.pause
    yield* finished.say(true)
    plan.left = 1
    yield* pool.resume
    yield* settled
    assert.strictEqual(tally.running, 1)
    yield* after("1 second")
    assert.isFalse(hasEnded(run))
    yield* finished.say(false)
    assert.isFalse(hasEnded(run))
  })

  test("pending at an abort is interrupted", function*() {
    const finished = question()
    const { work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: finished.check })
    const run = yield* begin(pool.run)
    yield* pool.abort
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    assert.strictEqual(finished.record.interrupted, 1)
  })

  test("pending at an interruption of run is interrupted", function*() {
    const finished = question()
    const { work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: finished.check })
    const run = yield* begin(pool.run)
    yield* Fiber.interrupt(run)
    assert.isTrue(Exit.hasInterrupts(yield* exitOf(run)))
    assert.strictEqual(finished.record.interrupted, 1)
  })
})
