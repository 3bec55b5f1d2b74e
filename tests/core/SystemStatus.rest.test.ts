/**
 * Signals rest while nobody depends on them, and are fresh again for whoever begins to.
 *
 * A process with nothing to do pays for sampling only what keeps its verdicts valid: samples are counted here, and read
 * for what they say after a long pause.
 */
import {
  AutoscaledPool,
  ClientErrors,
  LoadSignal,
  type ScalingPolicy,
  SystemStatus,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { after, begin, settled } from "./stage.ts"

/** A signal whose samples a test counts, and sees when they were due. */
const counted = (name: string, every: Duration.Input, load = () => 0.5) => {
  const dues: Array<number> = []
  const signal = LoadSignal.makeUnsafe({
    name,
    overloadedRatio: 0.3,
    target: 0.8,
    every,
    sample: (due) =>
      Effect.sync(() => {
        dues.push(due)
        return { load: load() }
      })
  })
  return { signal, dues, take: () => dues.splice(0) }
}

const build = Effect.fnUntraced(function*(options: Parameters<typeof SystemStatus.layer>[0]) {
  const context = yield* Layer.build(SystemStatus.layer(options))
  return yield* Effect.provide(SystemStatus.SystemStatus, context)
})

const attendTo = (status: SystemStatus.SystemStatus["Service"]) =>
  Effect.provideService(SystemStatus.attend, SystemStatus.SystemStatus, status)

/** A pool on a queue, running on a status. */
const openPool = Effect.fnUntraced(function*(
  status: SystemStatus.SystemStatus["Service"],
  options: { readonly policy?: ScalingPolicy.ScalingPolicy } = {}
) {
  const queue = yield* Queue.unbounded<Effect.Effect<void>>()
  const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), (task) => task, options).pipe(
    Effect.provideService(SystemStatus.SystemStatus, status)
  )
  yield* begin(pool.run)
  return { pool, offer: (task: Effect.Effect<void>) => Effect.andThen(Queue.offer(queue, task), settled) }
})

describe("signals rest", () => {
  it.effect("where no pool runs: all are sampled on one beat, and no verdict outgrows its window", () =>
    Effect.gen(function*() {
      const quick = counted("quick", "250 millis")
      const slow = counted("slow", "1 second")
      const status = yield* build({ signals: [quick.signal, slow.signal] })
      yield* after("1 second")
      quick.take()
      slow.take()
      yield* TestClock.setTime(3_600_000)
      yield* settled
      assert.isAtMost(quick.dues.length, 910)
      assert.isTrue(quick.dues.slice(1).every((due) => due % 4000 === 0))
      assert.deepStrictEqual(quick.dues, slow.dues)
      const { signals } = yield* status.current
      for (const name of ["quick", "slow"]) assert.deepInclude(signals[name], { isStale: false, load: 0.5 })
    }))

  it.effect("while a run waits on an empty queue, or is paused: as where none runs", () =>
    Effect.gen(function*() {
      const disk = counted("disk", "250 millis")
      const status = yield* build({ signals: [disk.signal] })
      const { pool } = yield* openPool(status)
      yield* after("10 seconds")
      assert.isAtMost(disk.take().length, 4)
      yield* pool.pause
      yield* after("40 seconds")
      assert.strictEqual(disk.take().length, 10)
      assert.isFalse((yield* status.current).isStale)
    }))

  it.effect("until a task starts: it starts at once, with fresh samples behind it, at the signals' own pace", () =>
    Effect.gen(function*() {
      const disk = counted("disk", "250 millis")
      const status = yield* build({ signals: [disk.signal] })
      const { offer } = yield* openPool(status)
      yield* after("1 hour")
      yield* after("1100 millis")
      disk.take()
      let startedAt = 0
      yield* offer(Effect.andThen(
        Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sync(() => void (startedAt = now))),
        Effect.sleep("1 second")
      ))
      assert.strictEqual(startedAt, 3_601_100)
      yield* after(0)
      assert.deepStrictEqual(disk.dues, [3_601_100])
      assert.strictEqual((yield* status.current).signals["disk"].at, 3_601_100)
      yield* after("1 second")
      assert.deepStrictEqual(disk.take(), [3_601_100, 3_601_250, 3_601_500, 3_601_750, 3_602_000])
      yield* after("20 seconds")
      assert.isAtMost(disk.dues.length, 7)
    }))

  it.effect("not while an overloaded pool waits with its minimum running", () =>
    Effect.gen(function*() {
      let load = 0.9
      const disk = counted("disk", "250 millis", () => load)
      const status = yield* build({ signals: [disk.signal] })
      const { offer, pool } = yield* openPool(status)
      for (let i = 0; i < 3; i++) yield* offer(Effect.never)
      assert.strictEqual((yield* pool.state).blocker?._tag, "Overloaded")
      yield* after("10 seconds")
      assert.isAtLeast(disk.take().length, 40)
      load = 0.1
      yield* after("6 seconds")
      assert.strictEqual(yield* pool.currentConcurrency, 3)
    }))

  it.effect("tasks that come and go one by one cost no samples beside those of the beats", () =>
    Effect.gen(function*() {
      const disk = counted("disk", "250 millis")
      const status = yield* build({ signals: [disk.signal] })
      const { offer } = yield* openPool(status)
      yield* after("10 seconds")
      disk.take()
      for (let i = 0; i < 200; i++) {
        yield* offer(Effect.void)
        yield* after("5 millis")
      }
      assert.isAtMost(disk.take().length, 6)
    }))

  it.effect("a sample on waking leaves the next something to measure", () =>
    Effect.gen(function*() {
      const disk = counted("disk", "500 millis")
      const status = yield* build({ signals: [disk.signal] })
      yield* after("10600 millis")
      disk.take()
      yield* after("300 millis")
      yield* attendTo(status)
      yield* after("1 second")
      assert.deepStrictEqual(disk.dues, [10_900, 11_500])
    }))

  it.effect("a sample that was due soon is waited for", () =>
    Effect.gen(function*() {
      const disk = counted("disk", "500 millis")
      const status = yield* build({ signals: [disk.signal] })
      yield* after("8100 millis")
      disk.take()
      yield* attendTo(status)
      yield* after("500 millis")
      assert.deepStrictEqual(disk.dues, [8500])
    }))

  it.effect("whoever attends keeps them awake until the scope closes; a reader of changes does not", () =>
    Effect.gen(function*() {
      const disk = counted("disk", "1 second")
      const status = yield* build({ signals: [disk.signal] })
      const seen: Array<SystemStatus.SystemInfo> = []
      yield* begin(Stream.runForEach(status.changes, (info) => Effect.sync(() => seen.push(info))))
      yield* after("20 seconds")
      assert.strictEqual(disk.take().length, 6)
      assert.strictEqual(seen.length, 6)
      yield* Effect.scoped(Effect.andThen(attendTo(status), after("20 seconds")))
      assert.strictEqual(disk.take().length, 20)
      yield* after("20 seconds")
      assert.isAtMost(disk.take().length, 7)
    }))

  it.effect("a short current window makes a short rest; what is slower keeps its own pace", () =>
    Effect.gen(function*() {
      const disk = counted("disk", "100 millis")
      const net = counted("net", "1 minute")
      const status = yield* build({ signals: [disk.signal, net.signal], currentWindow: "1 second" })
      yield* after("100 millis")
      for (let i = 0; i < 150; i++) {
        yield* after("900 millis")
        assert.isFalse((yield* status.current).isStale)
      }
      assert.closeTo(disk.dues.length, 135_000 / 800, 3)
      assert.deepStrictEqual(net.dues, [0, 60_000, 120_000])
    }))

  it.effect("a sample that takes its time, or fails, is taken again at the slow pace", () =>
    Effect.gen(function*() {
      let taken = 0
      const signal = LoadSignal.makeUnsafe({
        name: "disk",
        overloadedRatio: 0.3,
        target: 0.8,
        every: "250 millis",
        sample: Effect.suspend(() => {
          taken++
          return taken % 2 === 0 ? Effect.fail("busy") : Effect.as(Effect.sleep("500 millis"), { load: 0.5 })
        })
      })
      const status = yield* build({ signals: [signal] })
      yield* after("20 seconds")
      assert.isAtMost(taken, 7)
      yield* attendTo(status)
      yield* after("2 seconds")
      assert.isFalse((yield* status.current).isStale && taken < 8)
    }))

  it.effect("rate-limit answers are counted per interval, however long the signal has rested", () =>
    Effect.gen(function*() {
      const client = yield* ClientErrors.signal()
      const status = yield* build({ signals: [client] })
      yield* after("4 seconds")
      for (let i = 0; i < 8; i++) {
        yield* ClientErrors.report
        yield* after("500 millis")
      }
      assert.closeTo((yield* status.current).signals["client"].load, 2 / 3, 1e-9)
    }).pipe(Effect.provide(ClientErrors.layer)))

  it.effect("a policy that decides on each sample rests with them, and decides on the fresh one", () =>
    Effect.gen(function*() {
      const disk = counted("disk", "250 millis")
      const status = yield* build({ signals: [disk.signal] })
      const seen: Array<readonly [at: number, sampledAt: number | undefined]> = []
      const policy: ScalingPolicy.ScalingPolicy<undefined> = {
        name: "watching",
        every: Duration.millis(250),
        boundsStarts: true,
        initial: () => undefined,
        decide: (state, { currentInfo, desired, now }) => {
          seen.push([now, currentInfo.signals["disk"].at])
          return [{ desired, reason: { summary: "as it is" } }, state]
        }
      }
      const { offer } = yield* openPool(status, { policy })
      yield* after("40100 millis")
      assert.isAtMost(seen.splice(0).length, 11)
      yield* offer(Effect.sleep("1 second"))
      yield* after("1 second")
      assert.deepStrictEqual(seen.slice(0, 2), [[40_255, 40_250], [40_505, 40_500]])
      assert.strictEqual(seen.length, 4)
    }))

  it.effect("no timer at all runs where there is no signal", () =>
    Effect.gen(function*() {
      let sleeps = 0
      const clock = yield* Clock.clockWith((clock) =>
        Effect.succeed({
          ...clock,
          sleep: (duration: Duration.Duration) => Effect.andThen(Effect.sync(() => sleeps++), clock.sleep(duration))
        })
      )
      yield* Effect.provideService(build({ signals: [] }), Clock.Clock, clock)
      yield* after("1 minute")
      assert.strictEqual(sleeps, 0)
    }))
})

describe("overloadedSince", () => {
  it.effect("is the moment of the snapshot with which the overload began, until it is over", () =>
    Effect.gen(function*() {
      let load = 0.1
      const disk = counted("disk", "1 second", () => load)
      const status = yield* build({ signals: [disk.signal] })
      yield* attendTo(status)
      yield* after("10500 millis")
      const since = Effect.map(status.current, ({ signals }) => signals["disk"].overloadedSince)
      assert.isUndefined(yield* since)
      load = 0.9
      yield* after("5 seconds")
      assert.strictEqual(yield* since, 12_000)
      yield* after("5 seconds")
      assert.strictEqual(yield* since, 12_000)
      load = 0.1
      yield* after("6 seconds")
      assert.isUndefined(yield* since)
      assert.isNumber((yield* status.historical).signals["disk"].overloadedSince)
    }))
})

describe("a signal written by hand and one that is made", () => {
  it.effect("say the same, in verdicts and in the log", () =>
    Effect.gen(function*() {
      const made = counted("made", "1 second")
      const written: LoadSignal.LoadSignal = {
        name: "written",
        overloadedRatio: made.signal.overloadedRatio,
        target: made.signal.target,
        snapshots: made.signal.snapshots
      }
      const status = yield* build({ signals: [made.signal, written] })
      yield* attendTo(status)
      yield* after("10 seconds")
      for (const info of [yield* status.current, yield* status.historical]) {
        assert.deepStrictEqual(info.signals["written"], info.signals["made"])
      }
    }))
})
