/**
 * The pool: what may start when, who wakes whom, what ends a run, and what it tells of itself.
 *
 * Weaknesses that are known of Crawlee's pools, and where the tests show that they are impossible here:
 *
 * - 1 (work, resume and the end of an overload are noticed half a second late): "who wakes whom" below.
 * - 2 (the poll dies behind the task it started): "the interval goes on while a task runs" below.
 * - 3 (new tasks start for ever after a rejection), 5 (a cleanup skips tasks), 6 (an error of a check becomes a success):
 *   AutoscaledPool.failure.test.ts.
 * - 4 (a start after abort or pause, a finished check that decides on a state that has passed, a lost slot, leaked
 *   timers): AutoscaledPool.readiness.test.ts and AutoscaledPool.abort.test.ts.
 * - 7 (an overload stalls even the first task), 26 (a closed gate sends a pool to isFinished): below.
 * - 8 (readiness and taking are separate steps): by design for `make`; a `TaskSource` takes in one step, see
 *   AutoscaledPool.source.test.ts.
 * - 9 (serial readiness caps the concurrency): AutoscaledPool.readiness.test.ts and AutoscaledPool.source.test.ts.
 * - 10 (stale data is trusted), 12 (no feed reads as idle), 13 (snapshots survive a second activation): SystemStatus.test.ts
 *   and AutoscaledPool.signals.test.ts. 11 (wall clock): AutoscaledPool.signals.test.ts.
 * - 14 to 17 are properties of the law of `stepRatio`, which is Crawlee's on purpose; the free raise at the start of a run
 *   (15) is not: see "scaling" below. `ScalingPolicy` lets a program bring a law of its own.
 * - 18 (the gate leaves desired high, so that all starts at once when it opens) belongs to that law too; a policy bounds
 *   it with `startAllowance`: "StartAllowanceSpent" below.
 * - 19, 20, 22, 23, 24 (how the event loop, the CPU and memory are measured) are the platform's: tests/platform-node.
 * - 21 (the cap sleeps in the loop, or bursts and stalls): AutoscaledPool.settings.test.ts.
 * - 25 (pools of one process share no budget): the design leaves its place open; pools share a `SystemStatus` today.
 * - 27 (log noise, and no word of what blocks), 28 (units and labels): "what a pool tells of itself" below.
 * - 29 (clocks and intervals cannot be injected): every test here runs on the test clock.
 */
import { AutoscaledPool, ClientErrors, type ScalingPolicy, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, References, Stream, Tracer } from "effect"
import { after, begin, collectGarbage, counted, hasEnded, jobs, log, resultOf, settled, test } from "./stage.ts"

const overload = (isOverloaded: boolean) =>
  Effect.flatMap(SystemStatus.TestSystemStatus, (status) => status.set("cpu", { isOverloaded }))

/** A policy that says what a test says. */
const scripted = (decide: (step: number) => ScalingPolicy.ScalingDecision): ScalingPolicy.ScalingPolicy<number> => ({
  name: "scripted",
  every: Duration.seconds(10),
  initial: () => 0,
  decide: (step) => [decide(step), step + 1]
})

const because = { summary: "the test says so" }

describe("AutoscaledPool: what may start when", () => {
  test("as many tasks as are desired start at once, without time passing", function*() {
    const { tally, work } = jobs(50)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 7 } })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 7)
    assert.strictEqual(yield* pool.currentConcurrency, 7)
    assert.strictEqual(yield* pool.desiredConcurrency, 7)
  })

  test("never more than desired are in flight, and a slot that becomes free is used at once", function*() {
    const { tally, work } = jobs(40, (index) => Effect.sleep(100 + index * 37 % 300))
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 7 } })
    const run = yield* begin(pool.run)
    for (let i = 0; i < 300 && !hasEnded(run); i++) {
      yield* after("10 millis")
      assert.strictEqual(tally.running, Math.min(7, 40 - tally.succeeded))
    }
    assert.strictEqual((yield* resultOf(run)).peakConcurrency, 7)
  })

  test("an overload keeps minConcurrency running, from the first task to the last (never a stall, never a freeze)", function*() {
    const { tally, work } = jobs(10)
    const pool = yield* AutoscaledPool.make({
      ...work,
      concurrencySettings: { minConcurrency: 2, desiredConcurrency: 8 }
    })
    yield* overload(true)
    const run = yield* begin(pool.run)
    assert.strictEqual(tally.running, 2)
    yield* after("5 seconds")
    assert.strictEqual((yield* resultOf(run)).succeeded, 10)
    assert.strictEqual(tally.peak, 2)
  })

  test("an overload stops starts above the minimum and interrupts nothing", function*() {
    const { tally, work } = jobs(100, (index) => Effect.sleep(1000 + index * 100))
    const pool = yield* AutoscaledPool.make({
      ...work,
      concurrencySettings: { minConcurrency: 2, desiredConcurrency: 5 }
    })
    yield* begin(pool.run)
    yield* overload(true)
    yield* after("999 millis")
    assert.strictEqual(tally.running, 5)
    yield* after("301 millis")
    assert.deepInclude(tally, { running: 2, started: 6, interrupted: 0 })
  })

  test("a signal that is stale forbids nothing that is desired already", function*() {
    const { tally, work } = jobs(100)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 5 } })
    yield* (yield* SystemStatus.TestSystemStatus).set("cpu", { isStale: true })
    yield* begin(pool.run)
    assert.strictEqual(tally.running, 5)
  })

  test("a start allowance that is spent stops starts above the minimum until the next decision", function*() {
    const { tally, work } = jobs(100, (index) => index < 2 ? Effect.sleep("2 seconds") : Effect.never)
    const pool = yield* AutoscaledPool.make({
      ...work,
      policy: {
        ...scripted((step) => ({ desired: 10, startAllowance: step === 0 ? 3 : 2, reason: because })),
        decidesAtStart: true
      },
      concurrencySettings: { minConcurrency: 2, desiredConcurrency: 10 }
    })
    yield* begin(pool.run)
    assert.deepInclude(tally, { running: 3, started: 3 })
    assert.deepStrictEqual((yield* pool.state).blocker, { _tag: "StartAllowanceSpent" })
    yield* after("2 seconds")
    assert.deepInclude(tally, { running: 2, started: 4 })
    yield* after("8 seconds")
    assert.deepInclude(tally, { running: 4, started: 6 })
  })

  test("a check that waits holds no slot", function*() {
    const { work } = jobs(10)
    const pool = yield* AutoscaledPool.make({ ...work, isTaskReady: Effect.never })
    yield* begin(pool.run)
    yield* after("10 seconds")
    assert.strictEqual(yield* pool.currentConcurrency, 0)
    assert.deepStrictEqual((yield* pool.state).blocker, { _tag: "NoTaskReady" })
  })

  test("concurrency is not tied to how much work there is: a maximum above it waits for nothing", function*() {
    const { work } = jobs(3)
    const pool = yield* AutoscaledPool.make({
      ...work,
      concurrencySettings: { minConcurrency: 20, maxConcurrency: 50 }
    })
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).succeeded, 3)
  })
})

describe("AutoscaledPool: who wakes whom", () => {
  test("the end of a task starts the next one in the same moment", function*() {
    const starts: Array<number> = []
    const { work } = jobs(
      4,
      () =>
        Effect.andThen(
          Effect.clockWith((clock) => Effect.sync(() => starts.push(clock.currentTimeMillisUnsafe()))),
          Effect.sleep("123 millis")
        )
    )
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { maxConcurrency: 1 } })
    const run = yield* begin(pool.run)
    yield* after("492 millis")
    assert.deepStrictEqual(starts, [0, 123, 246, 369])
    assert.isTrue(hasEnded(run))
  })

  test("the end of an overload starts what is desired at once", function*() {
    const { tally, work } = jobs(50)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 6 } })
    yield* overload(true)
    yield* begin(pool.run)
    yield* after("300 millis")
    assert.strictEqual(tally.running, 1)
    yield* overload(false)
    yield* settled
    assert.strictEqual(tally.running, 6)
  })

  test("a decision to grow starts more in the same moment", function*() {
    const { tally, work } = jobs(50, () => Effect.never)
    const pool = yield* AutoscaledPool.make(work)
    yield* begin(pool.run)
    yield* after("9999 millis")
    assert.strictEqual(tally.running, 10)
    yield* after("1 millis")
    assert.strictEqual(tally.running, 11)
  })

  test("notify starts work that has come in, at once", function*() {
    const { plan, tally, work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.succeed(false) })
    yield* begin(pool.run)
    yield* after("100 millis")
    plan.left = 3
    yield* pool.notify
    yield* settled
    assert.strictEqual(tally.running, 3)
  })

  test("notify starts nothing on the stack of whoever calls it, and nothing of the caller reaches the task", function*() {
    const inherited = Context.Reference<string>("test/inherited", { defaultValue: () => "nobody's" })
    const seen: Array<string> = []
    const { plan, work } = jobs(0, () => Effect.map(inherited, (value) => seen.push(value)))
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.succeed(false) })
    yield* begin(pool.run)
    plan.left = 1
    yield* Effect.provideService(
      Effect.andThen(pool.notify, Effect.sync(() => assert.deepStrictEqual(seen, []))),
      inherited,
      "the caller's"
    )
    yield* settled
    assert.deepStrictEqual(seen, ["nobody's"])
  })

  test("a notify from within a time limit leaves that limit behind", function*() {
    const { plan, tally, work } = jobs(0, () => Effect.sleep("1 minute"))
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.succeed(false) })
    yield* begin(pool.run)
    plan.left = 1
    yield* begin(Effect.ignore(Effect.timeout(Effect.andThen(pool.notify, Effect.never), "1 second")))
    yield* after("1 minute")
    assert.strictEqual(tally.succeeded, 1)
  })

  test("work that comes in unannounced is noticed after maybeRunInterval, half a second by default", function*() {
    const { plan, tally, work } = jobs(0)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.succeed(false) })
    yield* begin(pool.run)
    yield* after("600 millis")
    plan.left = 1
    yield* after("399 millis")
    assert.strictEqual(tally.running, 0)
    yield* after("1 millis")
    assert.strictEqual(tally.running, 1)
  })

  test("the interval goes on while a task runs: it does not wait for the task that it started", function*() {
    const { plan, tally, work } = jobs(0, (index) => Effect.sleep(index === 0 ? "6 seconds" : "1 second"))
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.succeed(false) })
    yield* begin(pool.run)
    plan.left = 1
    yield* after("1 second")
    assert.strictEqual(tally.running, 1)
    plan.left = 1
    yield* after("500 millis")
    assert.strictEqual(tally.running, 2)
  })

  test("nothing is polled: a closed gate asks nothing, however long it is closed", function*() {
    const { plan, work } = jobs(100, () => Effect.never)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { maxConcurrency: 2 } })
    yield* begin(pool.run)
    const atDesired = plan.readyAsked
    yield* after("1 minute")
    assert.strictEqual(plan.readyAsked, atDesired)
    yield* pool.configure({ maxConcurrency: 10, desiredConcurrency: 10 })
    yield* overload(true)
    yield* settled
    const overloaded = plan.readyAsked
    yield* after("1 minute")
    assert.strictEqual(plan.readyAsked, overloaded)
  })

  test("an idle pool asks two questions of each kind a second, and no more", function*() {
    const { plan, work } = jobs(0)
    const pool = yield* AutoscaledPool.make({
      ...work,
      isFinished: Effect.sync(() => {
        plan.finishedAsked++
        return false
      })
    })
    yield* begin(pool.run)
    yield* after("5 seconds")
    assert.strictEqual(plan.readyAsked, 11)
    assert.strictEqual(plan.finishedAsked, 11)
  })
})

describe("AutoscaledPool: what ends a run", () => {
  test("a run without work ends at once", function*() {
    const { work } = jobs(0)
    const pool = yield* AutoscaledPool.make(work)
    const report = yield* resultOf(yield* begin(pool.run))
    assert.deepInclude(report, { outcome: "Finished", started: 0, meanConcurrency: 0, peakConcurrency: 0 })
    assert.strictEqual(Duration.toMillis(report.duration), 0)
  })

  test("a run ends in the moment in which its last task does", function*() {
    const { work } = jobs(3, (index) => Effect.sleep(1000 * (index + 1)))
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* after("2999 millis")
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    assert.strictEqual(Duration.toMillis((yield* resultOf(run)).duration), 3000)
  })

  test("a gate that is closed sends no pool to isFinished: work that waits for it is not forgotten", function*() {
    const { plan, work } = jobs(3)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.sync(() => ++plan.finishedAsked > 0) })
    yield* pool.pause
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(plan.finishedAsked, 0)
    yield* overload(true)
    yield* pool.resume
    yield* after("3 seconds")
    assert.strictEqual((yield* resultOf(run)).succeeded, 3)
    assert.strictEqual(plan.finishedAsked, 1)
  })

  test("tasks that end in the step in which they start do not stack up, and leave the event loop to others", function*() {
    const { tally, work } = jobs(20_000, () => Effect.void)
    const pool = yield* AutoscaledPool.make(work)
    let others = 0
    yield* begin(Effect.forever(Effect.andThen(Effect.sync(() => others++), Effect.yieldNow)))
    const before = others
    const report = yield* pool.run
    assert.strictEqual(report.succeeded, 20_000)
    assert.strictEqual(tally.peak, 1)
    assert.isAbove(others - before, 5)
  })

  test("tasks without end that never suspend can be aborted", function*() {
    const { tally, work } = jobs(Infinity, () => Effect.void)
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* Effect.forkChild(pool.run)
    yield* Effect.replicateEffect(Effect.yieldNow, 10)
    yield* pool.abort
    assert.strictEqual((yield* Fiber.join(run)).outcome, "Aborted")
    assert.isAbove(tally.succeeded, 0)
  })
})

describe("AutoscaledPool: scaling", () => {
  test("nothing is decided at the start of a run: the first step comes after autoscaleInterval", function*() {
    const { work } = jobs(100, () => Effect.never)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 1 } })
    yield* begin(pool.run)
    assert.strictEqual(yield* pool.desiredConcurrency, 1)
    assert.isUndefined((yield* pool.state).lastDecision)
    yield* after("9999 millis")
    assert.strictEqual(yield* pool.desiredConcurrency, 1)
    yield* after("1 millis")
    assert.strictEqual(yield* pool.desiredConcurrency, 2)
  })

  test("an idle system in full use grows 10 to 20 in 100 seconds, and to 50 in 240", function*() {
    const { tally, work } = jobs(1000, () => Effect.never)
    const pool = yield* AutoscaledPool.make(work)
    yield* begin(pool.run)
    yield* after("100 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 20)
    yield* after("140 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 50)
    assert.strictEqual(tally.running, 50)
  })

  test("desired does not climb while it is not used, as with a last task that is stuck", function*() {
    const { work } = jobs(1, () => Effect.never)
    const pool = yield* AutoscaledPool.make(work)
    yield* begin(pool.run)
    yield* after("5 minutes")
    assert.strictEqual(yield* pool.desiredConcurrency, 10)
  })

  test("an overload steps down to the minimum and no further; running tasks go on", function*() {
    const { tally, work } = jobs(1000, () => Effect.never)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { minConcurrency: 8 } })
    yield* begin(pool.run)
    yield* overload(true)
    yield* after("10 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 9)
    yield* after("1 minute")
    assert.strictEqual(yield* pool.desiredConcurrency, 8)
    assert.deepInclude(tally, { running: 10, interrupted: 0 })
  })

  test("the options of the default law reach it", function*() {
    const { plan, work } = jobs(10, () => Effect.never)
    const pool = yield* AutoscaledPool.make({
      ...work,
      autoscaleInterval: "3 seconds",
      desiredConcurrencyRatio: 0.5,
      scaleUpStepRatio: 0.5,
      scaleDownStepRatio: 0.25,
      concurrencySettings: { desiredConcurrency: 20 }
    })
    yield* begin(pool.run)
    assert.strictEqual(plan.left, 0)
    yield* after("3 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 30)
    yield* overload(true)
    yield* after("3 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 22)
  })

  test("a stale signal stops the growth of any policy", function*() {
    const { work } = jobs(100, () => Effect.never)
    const pool = yield* AutoscaledPool.make({ ...work, policy: scripted(() => ({ desired: 50, reason: because })) })
    const status = yield* SystemStatus.TestSystemStatus
    yield* status.set("cpu", { isStale: true })
    yield* begin(pool.run)
    yield* after("1 minute")
    assert.strictEqual(yield* pool.desiredConcurrency, 10)
    yield* status.set("cpu", { isStale: false })
    yield* after("10 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 50)
  })
})

describe("AutoscaledPool: what a pool tells of itself", () => {
  test("the state says why nothing starts", function*() {
    const { plan, work } = jobs(0, () => Effect.never)
    const pool = yield* AutoscaledPool.make({
      ...work,
      isFinished: Effect.succeed(false),
      concurrencySettings: { minConcurrency: 1, desiredConcurrency: 3, maxTasksPerMinute: 60 }
    })
    const blocker = Effect.map(pool.state, (state) => state.blocker)
    assert.isUndefined(yield* blocker)
    yield* begin(pool.run)
    assert.deepStrictEqual(yield* blocker, { _tag: "NoTaskReady" })
    plan.left = 100
    yield* pool.notify
    yield* settled
    assert.deepStrictEqual(yield* blocker, { _tag: "RateLimited" })
    yield* pool.pause
    yield* settled
    assert.deepStrictEqual(yield* blocker, { _tag: "Paused" })
    yield* pool.resume
    const status = yield* SystemStatus.TestSystemStatus
    yield* status.set("cpu", { load: 0.4 })
    yield* status.set("memory", { isOverloaded: true })
    yield* status.set("disk", { isOverloaded: true })
    yield* settled
    assert.deepStrictEqual(yield* blocker, { _tag: "Overloaded", signals: ["memory", "disk"] })
    yield* status.set("memory", {})
    yield* settled
    assert.deepStrictEqual(yield* blocker, { _tag: "Overloaded", signals: ["disk"] })
    yield* status.set("disk", {})
    yield* after("2 seconds")
    assert.deepStrictEqual(yield* blocker, { _tag: "AtDesired" })
    yield* pool.abort
    assert.isUndefined(yield* blocker)
  })

  test("the state counts tasks, and knows phase, verdict and last decision", function*() {
    const { work } = jobs(30)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 2 } })
    const before = yield* pool.state
    assert.deepInclude(before, {
      phase: "Idle",
      isPaused: false,
      currentConcurrency: 0,
      desiredConcurrency: 2,
      started: 0
    })
    yield* begin(pool.run)
    yield* after("10 seconds")
    yield* (yield* SystemStatus.TestSystemStatus).set("cpu", { load: 0.25, target: 0.5 })
    yield* settled
    const { lastDecision, system, ...state } = yield* pool.state
    assert.deepInclude(state, {
      phase: "Running",
      currentConcurrency: 3,
      desiredConcurrency: 3,
      started: 23,
      succeeded: 20
    })
    assert.strictEqual(lastDecision?.desired, 3)
    assert.include(lastDecision?.reason.summary ?? "", "no signal was overloaded")
    assert.deepInclude(system.signals["cpu"], { load: 0.25, target: 0.5, isOverloaded: false })
  })

  test("the report adds up", function*() {
    const { work } = jobs(10)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 4 } })
    const run = yield* begin(pool.run)
    yield* after("3 seconds")
    const { duration, meanConcurrency, ...report } = yield* resultOf(run)
    assert.strictEqual(Duration.toMillis(duration), 3000)
    assert.closeTo(meanConcurrency, 10 / 3, 1e-9)
    assert.deepStrictEqual(report, {
      outcome: "Finished",
      started: 10,
      succeeded: 10,
      failed: 0,
      timedOut: 0,
      interrupted: 0,
      abandoned: 0,
      rejected: 0,
      retried: 0,
      peakConcurrency: 4,
      blockedShare: { AtDesired: 2 / 3, NoTaskReady: 1 / 3 }
    })
  })

  test("the report tells the time of each reason apart", function*() {
    const { plan, work } = jobs(2)
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.sync(() => plan.left < 0) })
    const run = yield* begin(pool.run)
    yield* after("2 seconds")
    yield* pool.pause
    yield* after("5 seconds")
    yield* pool.resume
    yield* after("1 second")
    plan.left = -1
    yield* pool.notify
    yield* settled
    assert.deepStrictEqual((yield* resultOf(run)).blockedShare, { NoTaskReady: 3 / 8, Paused: 5 / 8 })
  })

  test("tasks that met a rate limit are counted once each, whatever became of them, and the policy hears of it", function*() {
    const observed: Array<ScalingPolicy.Observation> = []
    const policy: ScalingPolicy.ScalingPolicy<undefined> = {
      name: "listening",
      every: Duration.seconds(10),
      initial: () => undefined,
      decide: (state, observation) => {
        observed.push(observation)
        return [{ desired: observation.desired, reason: because }, state]
      }
    }
    const { work } = jobs(20, (index) =>
      Effect.andThen(
        index < 3 ? Effect.andThen(ClientErrors.report, Effect.forkChild(ClientErrors.report)) : Effect.void,
        index === 19 ? Effect.never : Effect.sleep(1000 * (1 + index % 2))
      ))
    const pool = yield* AutoscaledPool.make({
      ...work,
      policy,
      taskTimeout: "9 seconds",
      onTaskTimeout: () => ClientErrors.report
    })
    const run = yield* begin(pool.run)
    yield* after("20 seconds")
    assert.deepInclude(yield* resultOf(run), { rejected: 4, succeeded: 19, timedOut: 1 })
    const { completions } = observed[0]
    assert.deepInclude(completions, { count: 19, failures: 0, timeouts: 0, rejections: 3 })
  })

  test("events tell the story of a run, in order", function*() {
    const { work } = jobs(30, () => Effect.sleep("12 seconds"))
    const pool = yield* AutoscaledPool.make(work)
    const events: Array<AutoscaledPool.PoolEvent> = []
    yield* begin(Stream.runForEach(pool.events, (event) => Effect.sync(() => events.push(event))))
    const run = yield* begin(pool.run)
    yield* pool.pause
    yield* pool.pause
    yield* pool.resume
    yield* settled
    yield* overload(true)
    yield* settled
    yield* overload(false)
    yield* settled
    yield* after("10 seconds")
    yield* pool.configure({ maxConcurrency: 5 })
    yield* after("1 minute")
    const report = yield* resultOf(run)
    assert.deepStrictEqual(events.map(({ _tag }) => _tag), [
      "RunStarted",
      "Paused",
      "Resumed",
      "OverloadBegan",
      "OverloadEnded",
      "DesiredChanged",
      "SettingsChanged",
      "DesiredChanged",
      "RunEnded"
    ])
    assert.deepInclude(events[3], { signals: ["cpu"] })
    assert.deepInclude(events[5], { from: 10, to: 11 })
    assert.deepInclude(events[7], { from: 11, to: 5 })
    assert.deepInclude(events[8], { report })
  })

  test("an event of a change of desired names what was and what is, where it was clamped too", function*() {
    const { work } = jobs(1000, () => Effect.never)
    const pool = yield* AutoscaledPool.make({
      ...work,
      scaleUpStepRatio: 1,
      concurrencySettings: { desiredConcurrency: 10, maxConcurrency: 13 }
    })
    const change = yield* begin(
      Stream.runCollect(Stream.take(Stream.filter(pool.events, ({ _tag }) => _tag === "DesiredChanged"), 1))
    )
    yield* begin(pool.run)
    yield* after("10 seconds")
    assert.deepInclude((yield* resultOf(change))[0], { from: 10, to: 13 })
  })

  test("every run that is told to have started is told to have ended, an interrupted one too", function*() {
    const { plan, work } = jobs(3, () => Effect.never)
    const pool = yield* AutoscaledPool.make(work)
    const tags: Array<string> = []
    yield* begin(Stream.runForEach(pool.events, ({ _tag }) => Effect.sync(() => tags.push(_tag))))
    yield* begin(pool.run)
    yield* pool.abort
    plan.left = 3
    const run = yield* begin(pool.run)
    yield* Fiber.interrupt(run)
    yield* settled
    assert.deepStrictEqual(tags, ["RunStarted", "RunEnded", "RunStarted", "RunFailed"])
  })

  test("changes between runs are told as well", function*() {
    const { work } = jobs(0)
    const pool = yield* AutoscaledPool.make(work)
    const tags: Array<string> = []
    yield* begin(Stream.runForEach(pool.events, ({ _tag }) => Effect.sync(() => tags.push(_tag))))
    yield* pool.configure({ maxConcurrency: 3 })
    yield* settled
    assert.deepStrictEqual(tags, ["SettingsChanged", "DesiredChanged"])
  })

  it.effect("loggingInterval null logs nothing at all", () => {
    const { layer, lines } = log()
    return Effect.gen(function*() {
      const { work } = jobs(100, () => Effect.sleep("1 minute"))
      const pool = yield* AutoscaledPool.make({ ...work, loggingInterval: null })
      const run = yield* begin(pool.run)
      yield* after("10 minutes")
      yield* resultOf(run)
      assert.deepStrictEqual(lines, [])
    }).pipe(
      Effect.provide(SystemStatus.layerTest),
      Effect.provide(layer),
      Effect.provideService(References.MinimumLogLevel, "All")
    )
  })

  test("a span per run, and one per task only on request, below the span in which the pool runs", function*() {
    const spans: Array<{ readonly name: string; readonly parent: string | undefined }> = []
    const tracer = Tracer.make({
      span: (options) => {
        const parent = options.parent
        spans.push({
          name: options.name,
          parent: parent._tag === "Some" && parent.value._tag === "Span" ? parent.value.name : undefined
        })
        return new Tracer.NativeSpan(options)
      }
    })
    const run = (taskSpan: string | undefined) =>
      Effect.gen(function*() {
        const { work } = jobs(2)
        const pool = yield* Effect.withSpan(AutoscaledPool.make({ ...work, taskSpan }), "building")
        const run = yield* begin(Effect.withSpan(pool.run, "crawl"))
        yield* after("1 second")
        yield* resultOf(run)
      }).pipe(Effect.provideService(Tracer.Tracer, tracer))
    yield* run(undefined)
    assert.deepStrictEqual(spans.map(({ name }) => name), ["building", "crawl", "autoscaled_pool.run"])
    yield* run("page")
    assert.deepStrictEqual(spans.slice(4), [
      { name: "crawl", parent: undefined },
      { name: "autoscaled_pool.run", parent: "crawl" },
      { name: "page", parent: "autoscaled_pool.run" },
      { name: "page", parent: "autoscaled_pool.run" }
    ])
  })
})

describe("AutoscaledPool: a task on its own", () => {
  test("what it forks ends with it", function*() {
    let interrupted = 0
    const child = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
    const { work } = jobs(3, () => Effect.andThen(Effect.forkChild(child), Effect.sleep("1 second")))
    const pool = yield* AutoscaledPool.make({ ...work, isFinished: Effect.succeed(false) })
    yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(interrupted, 3)
  })

  test("what it sets locally does not leak into the next task, in the same slot or another", function*() {
    const local = Context.Reference<number>("test/local", { defaultValue: () => 0 })
    const seen: Array<number> = []
    const { work } = jobs(6, (index) =>
      Effect.withFiber((fiber) => {
        seen.push(fiber.getRef(local))
        fiber.setContext(Context.add(fiber.context, local, index + 1))
        return Effect.sleep("1 second")
      }))
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 2 } })
    const run = yield* begin(pool.run)
    yield* after("3 seconds")
    yield* resultOf(run)
    assert.deepStrictEqual(seen, [0, 0, 0, 0, 0, 0])
  })

  test("services are those of where the pool was built", function*() {
    class Site extends Context.Service<Site, string>()("test/Site") {}
    const seen: Array<string> = []
    const { work } = jobs(1)
    const pool = yield* Effect.provideService(
      AutoscaledPool.make({
        ...work,
        runTask: Effect.andThen(work.runTask, Effect.map(Site, (site) => seen.push(site)))
      }),
      Site,
      "built"
    )
    const run = yield* begin(Effect.provideService(pool.run, Site, "run"))
    yield* after("1 second")
    yield* resultOf(run)
    assert.deepStrictEqual(seen, ["built"])
  })

  test("a pool inside a task is a pool of its own", function*() {
    const { tally, task } = counted()
    const { work } = jobs(
      2,
      () => AutoscaledPool.forEach([1, 2, 3], () => task).pipe(Effect.provide(SystemStatus.layerTest), Effect.orDie)
    )
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    assert.strictEqual(tally.running, 6)
    assert.strictEqual(yield* pool.currentConcurrency, 2)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).succeeded, 2)
  })

  test("two pools on one status follow the same verdict, each with a budget of its own", function*() {
    const first = jobs(100)
    const second = jobs(100)
    const pools = [yield* AutoscaledPool.make(first.work), yield* AutoscaledPool.make(second.work)]
    for (const pool of pools) yield* begin(pool.run)
    yield* overload(true)
    yield* after("1 second")
    assert.strictEqual(first.tally.running, 1)
    assert.strictEqual(second.tally.running, 1)
    yield* overload(false)
    yield* settled
    assert.strictEqual(first.tally.running, 10)
    assert.strictEqual(second.tally.running, 10)
  })

  test("memory is that of the tasks in flight: what has ended is let go of", function*() {
    const alive: Array<WeakRef<object>> = []
    const source = TaskSource.fromIterable((function*() {
      while (true) {
        const item = { page: alive.length }
        alive.push(new WeakRef(item))
        yield item
      }
    })())
    const pool = yield* AutoscaledPool.fromSource(source, (item) => Effect.as(Effect.sleep("10 millis"), item), {
      concurrencySettings: { desiredConcurrency: 20 }
    })
    yield* begin(pool.run)
    yield* after("1 second")
    yield* collectGarbage
    assert.isAtLeast(alive.length, 2000)
    assert.isAtMost(alive.filter((item) => item.deref() !== undefined).length, 50)
  })
})
