/**
 * The budget: what opens and closes the gate, who is woken, what a policy is shown and what becomes of its decision.
 */
import { type ConcurrencyGovernor, ConcurrencySettings, type ScalingPolicy, SystemStatus } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Clock, Duration, Effect, Exit } from "effect"
import { makePrivate } from "../../packages/core/src/internal/budget/consumer.ts"
import { after, begin, exitOf, sampled, settled, test } from "./stage.ts"

const because = { summary: "the test says so" }

const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const overload = (isOverloaded: boolean) =>
  Effect.flatMap(SystemStatus.TestSystemStatus, (status) => status.set("cpu", { isOverloaded }))

interface Script {
  decision: ScalingPolicy.ScalingDecision
  readonly observed: Array<ScalingPolicy.Observation>
}

/** A governor under a policy that decides as a test says, with a record of whom it woke and what it reported. */
const govern = Effect.fnUntraced(function*(
  settings: Partial<ConcurrencySettings.ConcurrencySettings> = {},
  options: Partial<ScalingPolicy.ScalingPolicy<number>> = {}
) {
  const valid = yield* ConcurrencySettings.make(settings)
  const script: Script = { decision: { desired: valid.desiredConcurrency, reason: because }, observed: [] }
  const policy: ScalingPolicy.ScalingPolicy<number> = {
    name: "scripted",
    every: Duration.seconds(10),
    ...options,
    initial: () => 0,
    decide: (step, observation) => {
      script.observed.push(observation)
      return [script.decision, step + 1]
    }
  }
  const governor = yield* makePrivate(valid, policy)
  const woken = { times: 0 }
  const reported: Array<ConcurrencyGovernor.GovernorEvent> = []
  governor.attachUnsafe({
    wake: () => void woken.times++,
    report: (event) => reported.push(event),
    ages: () => [5, 3]
  })
  const start = Effect.map(now, (at) => governor.bookUnsafe(at))
  const end = (
    startedAt: number,
    outcome: Parameters<typeof governor.releaseUnsafe>[2] = "Succeeded",
    wasRejected = false
  ) => Effect.map(now, (at) => governor.releaseUnsafe(at, startedAt, outcome, wasRejected))
  const closed = Effect.map(now, (at) => governor.closedByUnsafe(at))
  const isOpen = Effect.map(now, (at) => governor.isOpenUnsafe(at))
  const free = Effect.map(now, (at) => governor.freeUnsafe(at))
  const run = Effect.andThen(governor.prepare, begin(governor.regulate))
  return { governor, script, woken, reported, start, end, closed, isOpen, free, run }
})

/** A clock whose late sleepers are woken one after the other, as after a blocked event loop, whose timers keep no order. */
const blockedLoop = (order: "first due first" | "last due first") =>
  Clock.clockWith((clock) =>
    Effect.sync(() => {
      let time = 0
      const sleepers: Array<{ readonly until: number; readonly wake: () => void }> = []
      const nanos = () => BigInt(time) * 1_000_000n
      const block = (millis: number) =>
        Effect.suspend(() => {
          time += millis
          const isLate = ({ until }: { readonly until: number }) => until <= time
          const late = sleepers.filter(isLate).toSorted((a, b) => a.until - b.until)
          sleepers.splice(0, Infinity, ...sleepers.filter((sleeper) => !isLate(sleeper)))
          const woken = order === "first due first" ? late : late.toReversed()
          return Effect.forEach(woken, ({ wake }) => Effect.andThen(Effect.sync(wake), settled), { discard: true })
        })
      return {
        block,
        clock: {
          ...clock,
          monotonicTimeNanosUnsafe: nanos,
          monotonicTimeNanos: Effect.sync(nanos),
          sleep: (duration: Duration.Duration) =>
            Effect.callback<void>((resume) => {
              sleepers.push({ until: time + Duration.toMillis(duration), wake: () => resume(Effect.void) })
            })
        }
      }
    })
  )

describe("ConcurrencyGovernor: the gate", () => {
  test("is open below desired and closed at it", function*() {
    const { closed, end, governor, start } = yield* govern({ desiredConcurrency: 2 })
    assert.isUndefined(yield* closed)
    yield* start
    assert.isUndefined(yield* closed)
    yield* start
    assert.strictEqual(yield* closed, "AtDesired")
    yield* end(0)
    assert.isUndefined(yield* closed)
    assert.strictEqual(governor.current, 1)
  })

  test("is closed by an overload once the minimum is in flight, and only then", function*() {
    const { closed, run, start } = yield* govern({ minConcurrency: 2, desiredConcurrency: 5 })
    yield* overload(true)
    yield* run
    yield* start
    assert.isUndefined(yield* closed)
    yield* start
    assert.strictEqual(yield* closed, "Overloaded")
  })

  test("is closed by a spent allowance once the minimum is in flight, and opened by the next decision", function*() {
    const { closed, governor, run, script, start, woken } = yield* govern({ minConcurrency: 1, desiredConcurrency: 9 })
    script.decision = { desired: 9, startAllowance: 2, reason: because }
    yield* run
    yield* after("10 seconds")
    yield* start
    yield* start
    assert.strictEqual(yield* closed, "StartAllowanceSpent")
    const before = woken.times
    yield* after("10 seconds")
    assert.isAbove(woken.times, before)
    assert.isUndefined(yield* closed)
    assert.strictEqual(governor.current, 2)
  })

  test("an allowance of a fraction of a task allows none, and one of none allows the minimum", function*() {
    for (const startAllowance of [0.9, 0, -3]) {
      const { closed, run, script, start } = yield* govern({ minConcurrency: 2, desiredConcurrency: 9 })
      script.decision = { desired: 9, startAllowance, reason: because }
      yield* run
      yield* after("10 seconds")
      yield* start
      assert.isUndefined(yield* closed)
      yield* start
      assert.strictEqual(yield* closed, "StartAllowanceSpent")
    }
  })

  test("is closed by the rate cap until the next token, for the minimum too", function*() {
    const { closed, end, governor, start } = yield* govern({ maxTasksPerMinute: 60 })
    assert.isUndefined(yield* closed)
    yield* start
    yield* end(0)
    assert.strictEqual(yield* closed, "RateLimited")
    assert.strictEqual(governor.nextTokenAtUnsafe(), 1000)
    yield* after("999 millis")
    assert.strictEqual(yield* closed, "RateLimited")
    yield* after("1 millis")
    assert.isUndefined(yield* closed)
  })

  test("a token that a late timer could not take is not lost, and no more than 50 ms of them are kept", function*() {
    const { closed, end, start } = yield* govern({ maxTasksPerMinute: 6000 })
    const startsNow = Effect.gen(function*() {
      let starts = 0
      while ((yield* closed) === undefined) {
        yield* start
        yield* end(0)
        starts++
      }
      return starts
    })
    assert.strictEqual(yield* startsNow, 5)
    yield* after("10 millis")
    assert.strictEqual(yield* startsNow, 1)
    yield* after("25 millis")
    assert.strictEqual(yield* startsNow, 2)
    yield* after("5 millis")
    assert.strictEqual(yield* startsNow, 1)
    yield* after("10 minutes")
    assert.strictEqual(yield* startsNow, 5)
  })

  test("names the reason that would still hold if the others were gone: desired before overload before the cap", function*() {
    const { closed, end, run, start } = yield* govern({ desiredConcurrency: 2, maxTasksPerMinute: 60 })
    yield* overload(true)
    yield* run
    yield* start
    assert.strictEqual(yield* closed, "Overloaded")
    yield* start
    assert.strictEqual(yield* closed, "AtDesired")
    yield* end(0)
    yield* overload(false)
    yield* settled
    assert.strictEqual(yield* closed, "RateLimited")
  })

  test("isOpenUnsafe, closedByUnsafe and freeUnsafe agree, whatever happens", function*() {
    let seed = 7
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return Math.floor(seed / 65_536) % below
    }
    const { closed, end, free, governor, isOpen, run, script, start } = yield* govern({ desiredConcurrency: 3 })
    yield* run
    for (let step = 0; step < 600; step++) {
      const action = random(8)
      if (action <= 2 && (yield* isOpen)) yield* start
      else if (action === 3 && governor.current > 0) yield* end(yield* now)
      else if (action === 4) yield* overload(random(2) === 0)
      else if (action === 5) {
        const minConcurrency = 1 + random(3)
        const maxTasksPerMinute = [Infinity, 600, 6000][random(3)]
        yield* governor.configure({ minConcurrency, maxConcurrency: minConcurrency + random(6), maxTasksPerMinute })
      } else if (action === 6) {
        const desired = random(8)
        script.decision = random(2) === 0
          ? { desired, reason: because }
          : { desired, startAllowance: random(4), reason: because }
        yield* after("10 seconds")
      } else yield* after(random(100))
      yield* settled
      const { current, desired, settings } = governor
      assert.isAtLeast(desired, settings.minConcurrency)
      assert.isAtMost(desired, settings.maxConcurrency)
      assert.strictEqual(yield* isOpen, (yield* closed) === undefined)
      assert.strictEqual((yield* free) > 0, yield* isOpen)
      if (yield* isOpen) assert.isBelow(current, desired)
    }
  })
})

describe("ConcurrencyGovernor: free slots", () => {
  test("are as many as may start in one go", function*() {
    const { free, governor, run, start } = yield* govern({ minConcurrency: 3, desiredConcurrency: 8 })
    yield* run
    assert.strictEqual(yield* free, 8)
    yield* start
    yield* overload(true)
    yield* settled
    assert.strictEqual(yield* free, 2)
    yield* overload(false)
    yield* governor.configure({ maxTasksPerMinute: 600 })
    yield* settled
    assert.strictEqual(yield* free, 1)
  })

  test("are bounded by the allowance, and by it only above the minimum", function*() {
    const { free, run, script, start } = yield* govern({ minConcurrency: 2, desiredConcurrency: 8 })
    script.decision = { desired: 8, startAllowance: 3.7, reason: because }
    yield* run
    yield* after("10 seconds")
    assert.strictEqual(yield* free, 3)
    yield* start
    yield* start
    yield* start
    assert.strictEqual(yield* free, 0)
  })

  test("a minimum that was raised is free, though the overload lasts", function*() {
    const { free, governor, run } = yield* govern({ minConcurrency: 1, desiredConcurrency: 1 })
    yield* overload(true)
    yield* run
    yield* governor.configure({ minConcurrency: 6 })
    assert.strictEqual(yield* free, 6)
  })
})

describe("ConcurrencyGovernor: decisions", () => {
  test("are asked for at the policy's pace, the first one after its interval", function*() {
    const { run, script } = yield* govern()
    yield* run
    yield* after("9999 millis")
    assert.strictEqual(script.observed.length, 0)
    yield* after("1 millis")
    assert.strictEqual(script.observed.length, 1)
    yield* after("50 seconds")
    assert.strictEqual(script.observed.length, 6)
  })

  test("are asked for before the first task where the policy decides at the start", function*() {
    const { governor, run, script } = yield* govern({}, { decidesAtStart: true })
    script.decision = { desired: 4, reason: because }
    yield* run
    assert.strictEqual(script.observed.length, 1)
    assert.strictEqual(governor.desired, 4)
  })

  test("that bound starts rest on the samples of the same beat, though a blocked event loop makes both late", function*() {
    for (const order of ["first due first", "last due first"] as const) {
      const { block, clock } = yield* blockedLoop(order)
      const disk = sampled(Effect.succeed({ load: 0.5 }), "250 millis")
      yield* Effect.gen(function*() {
        const { run, script, start } = yield* govern({}, { boundsStarts: true, every: Duration.millis(250) })
        yield* SystemStatus.attend
        yield* start
        yield* run
        for (const millis of [255, 400, 350, 1000]) yield* block(millis)
        const sampledAt = script.observed.map(({ currentInfo }) => currentInfo.signals["disk"].at)
        assert.deepStrictEqual(sampledAt, [255, 655, 1005, 2005])
        assert.deepStrictEqual(script.observed.map(({ now }) => now), sampledAt)
      }).pipe(Effect.provide(SystemStatus.layer({ signals: [disk] })), Effect.provideService(Clock.Clock, clock))
    }
  })

  test("are rounded down and clamped, wake the dispatcher and are told", function*() {
    const { governor, reported, run, script, woken } = yield* govern({ minConcurrency: 2, maxConcurrency: 20 })
    yield* run
    for (const [desired, expected] of [[12.9, 12], [1e9, 20], [-5, 2], [Infinity, 20], [2, 2]]) {
      script.decision = { desired, reason: because }
      const before = woken.times
      yield* after("10 seconds")
      assert.strictEqual(governor.desired, expected)
      assert.isAbove(woken.times, before)
      assert.strictEqual(governor.lastDecision?.desired, desired)
      assert.strictEqual(governor.lastDecision?.to, expected)
      assert.strictEqual(governor.lastDecision?.reason, because)
    }
    const changes = reported.flatMap((event) => event._tag === "DesiredChanged" ? [[event.from, event.to]] : [])
    assert.deepStrictEqual(changes, [[10, 12], [12, 20], [20, 2], [2, 20], [20, 2]])
  })

  test("that are no number end the regulation, visibly", function*() {
    for (const decision of [{ desired: NaN }, { desired: 3, startAllowance: NaN }]) {
      const { governor, run, script } = yield* govern()
      script.decision = { ...decision, reason: because }
      const regulation = yield* run
      yield* after("10 seconds")
      assert.isTrue(Exit.hasDies(yield* exitOf(regulation)))
      assert.strictEqual(governor.desired, 10)
    }
  })

  test("to grow are ignored while a signal is stale; to shrink are not", function*() {
    const { governor, run, script } = yield* govern()
    yield* run
    yield* (yield* SystemStatus.TestSystemStatus).set("cpu", { isStale: true })
    script.decision = { desired: 50, reason: because }
    yield* after("10 seconds")
    assert.strictEqual(governor.desired, 10)
    script.decision = { desired: 4, reason: because }
    yield* after("10 seconds")
    assert.strictEqual(governor.desired, 4)
    script.decision = { desired: 10, reason: because }
    yield* after("10 seconds")
    assert.strictEqual(governor.desired, 4)
  })

  test("see what has happened since the last one: concurrency, saturation, verdicts, ages", function*() {
    const { end, run, script, start } = yield* govern({ desiredConcurrency: 2 })
    yield* run
    yield* start
    yield* after("5 seconds")
    yield* start
    yield* after("2500 millis")
    yield* end(0)
    yield* overload(true)
    yield* after("2500 millis")
    const [observation] = script.observed
    assert.deepInclude(observation, {
      now: 10_000,
      desired: 2,
      current: 1,
      meanConcurrency: 1.25,
      saturatedShare: 0.25,
      inFlightAges: [5, 3]
    })
    assert.strictEqual(observation.settings.desiredConcurrency, 2)
    assert.isFalse(observation.currentInfo.isSystemIdle)
    assert.isFalse(observation.historicalInfo.isSystemIdle)
    yield* after("10 seconds")
    assert.deepInclude(script.observed[1], { meanConcurrency: 1, saturatedShare: 0 })
  })

  test("see saturation by the share that the policy names", function*() {
    const { run, script, start } = yield* govern({ desiredConcurrency: 4 }, { desiredConcurrencyRatio: 0.5 })
    yield* run
    yield* start
    yield* after("4 seconds")
    yield* start
    yield* after("6 seconds")
    assert.strictEqual(script.observed[0].saturatedShare, 0.6)
  })

  test("see what has ended, by outcome; durations are those of tasks that were served", function*() {
    const { end, run, script, start } = yield* govern()
    yield* run
    for (let i = 0; i < 7; i++) yield* start
    yield* after("1 second")
    yield* end(0)
    yield* after("1 second")
    yield* end(0)
    yield* end(0, "Failed")
    yield* end(0, "TimedOut")
    yield* end(0, "Interrupted")
    yield* end(0, "Succeeded", true)
    yield* end(0, "TimedOut", true)
    yield* after("8 seconds")
    assert.deepStrictEqual(script.observed[0].completions, {
      count: 7,
      failures: 1,
      timeouts: 2,
      rejections: 2,
      meanDuration: 1500,
      varianceDuration: 250_000
    })
    yield* after("10 seconds")
    assert.deepStrictEqual(script.observed[1].completions, {
      count: 0,
      failures: 0,
      timeouts: 0,
      rejections: 0,
      meanDuration: 0,
      varianceDuration: 0
    })
  })

  test("see as fresh what started after desired last changed, and no other", function*() {
    const { end, run, script, start } = yield* govern()
    yield* run
    yield* start
    yield* start
    yield* after("2 seconds")
    yield* end(0)
    script.decision = { desired: 12, reason: because }
    yield* after("8 seconds")
    assert.strictEqual(script.observed[0].fresh.count, 1)
    const changedAt = yield* now
    yield* start
    yield* after("3 seconds")
    yield* end(0)
    yield* end(changedAt)
    yield* after("7 seconds")
    assert.deepInclude(script.observed[1].completions, { count: 2, meanDuration: 8000 })
    assert.deepInclude(script.observed[1].fresh, { count: 1, meanDuration: 3000 })
  })

  test("a change of desired between two decisions makes what was fresh stale, and loses nothing of it", function*() {
    const { end, governor, run, script, start } = yield* govern()
    yield* run
    yield* start
    yield* start
    yield* after("1 second")
    yield* end(0)
    yield* governor.configure({ desiredConcurrency: 3 })
    yield* end(0)
    yield* after("9 seconds")
    assert.strictEqual(script.observed[0].completions.count, 2)
    assert.strictEqual(script.observed[0].fresh.count, 0)
  })

  test("of one run see nothing of the run before", function*() {
    const { end, governor, run, script, start } = yield* govern()
    yield* run
    yield* start
    yield* after("9 seconds")
    yield* end(0)
    yield* governor.prepare
    yield* after("1 second")
    assert.deepInclude(script.observed[0], { meanConcurrency: 0, current: 0 })
    assert.strictEqual(script.observed[0].completions.count, 0)
  })

  test("keep the state of the policy from run to run", function*() {
    const states: Array<number> = []
    const policy: ScalingPolicy.ScalingPolicy<number> = {
      name: "counting",
      every: Duration.seconds(1),
      initial: ({ maxConcurrency }) => maxConcurrency,
      decide: (state, { desired }) => {
        states.push(state)
        return [{ desired, reason: because }, state + 1]
      }
    }
    const governor = yield* makePrivate(yield* ConcurrencySettings.make(), policy)
    yield* begin(governor.regulate)
    yield* after("2 seconds")
    assert.deepStrictEqual(states, [200, 201])
  })
})

describe("ConcurrencyGovernor: who is woken and told", () => {
  test("the beginning and the end of an overload, once each", function*() {
    const { reported, run, woken } = yield* govern()
    const status = yield* SystemStatus.TestSystemStatus
    yield* run
    yield* status.set("cpu", { load: 0.5 })
    yield* settled
    const before = woken.times
    yield* status.set("memory", { isOverloaded: true })
    yield* settled
    yield* status.set("cpu", { isOverloaded: true })
    yield* settled
    yield* status.set("memory", {})
    yield* settled
    yield* status.set("cpu", {})
    yield* settled
    assert.deepStrictEqual(reported, [{ _tag: "OverloadBegan", signals: ["memory"] }, { _tag: "OverloadEnded" }])
    assert.strictEqual(woken.times, before + 2)
  })

  test("a change of settings, with what it is now", function*() {
    const { governor, reported, woken } = yield* govern()
    yield* governor.configure({ maxConcurrency: 4 })
    assert.strictEqual(woken.times, 1)
    assert.deepStrictEqual(reported.map(({ _tag }) => _tag), ["SettingsChanged", "DesiredChanged"])
    assert.deepInclude(reported[0], { settings: governor.settings })
    assert.strictEqual(governor.desired, 4)
  })

  test("nobody after the end of an attachment", function*() {
    const { governor } = yield* govern()
    let times = 0
    const detach = governor.attachUnsafe({ wake: () => void times++, report: () => void times++, ages: () => [] })
    yield* governor.configure({ maxConcurrency: 4 })
    const before = times
    detach()
    yield* governor.configure({ maxConcurrency: 3 })
    assert.strictEqual(times, before)
  })
})
