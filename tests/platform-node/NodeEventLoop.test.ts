import * as NodeEventLoop from "@autoscaled-pool/platform-node/NodeEventLoop"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Machine from "./machine.ts"

/** A loop that is late by as much as a test says: time that passes unseen by the timers. */
const start = Effect.fnUntraced(function*(options: NodeEventLoop.Options = {}) {
  let skew = 0
  let loop = { active: 1000, idle: 5000 }
  let cpu = 0
  let blocked = 0
  const clock = yield* Machine.skewedClock(() => skew)
  const machine = yield* Machine.make({})
  const host = yield* Machine.hostOf(machine, {
    eventLoop: () => loop,
    threadCpuUsage: () => cpu,
    blocked: () => blocked
  })
  const signal = yield* NodeEventLoop.signalOf(host, options)
  const snapshots = yield* Effect.provideService(Machine.follow(signal), Clock.Clock, clock)
  return {
    snapshots,
    /** The runtime does not measure the loop, and the thread spends time on a CPU. */
    unmeasured: (onCpu: number, late = 0) => {
      loop = { active: 0, idle: 0 }
      cpu += onCpu
      blocked += late
    },
    after: (late: number, use = { active: 0, idle: 500 }) => {
      skew += late
      loop = { active: loop.active + use.active, idle: loop.idle + use.idle }
      const every = Duration.toMillis(Duration.fromInputUnsafe(options.every ?? "500 millis"))
      const untilBeat = every - (snapshots.at(-1)?.at ?? 0) % every
      return Effect.map(TestClock.adjust(untilBeat), () => snapshots[snapshots.length - 1])
    }
  }
})

describe("NodeEventLoop", () => {
  it.effect("load is the utilization since the last sample, never since the start", () =>
    Effect.gen(function*() {
      const { after } = yield* start()
      assert.strictEqual((yield* after(0, { active: 125, idle: 375 })).load, 0.25)
      assert.strictEqual((yield* after(0, { active: 480, idle: 20 })).load, 0.96)
      assert.strictEqual((yield* after(0, { active: 0, idle: 500 })).load, 0)
    }))

  it.effect("where the runtime does not measure it, load is the time on a CPU, or that by which timers are late", () =>
    Effect.gen(function*() {
      const { after, unmeasured } = yield* start()
      const none = { active: 0, idle: 0 }
      unmeasured(10)
      yield* after(0, none)
      unmeasured(475)
      assert.strictEqual((yield* after(0, none)).load, 0.95)
      unmeasured(100, 400)
      assert.strictEqual((yield* after(0, none)).load, 0.8)
      unmeasured(5000)
      assert.strictEqual((yield* after(0, none)).load, 1)
      assert.strictEqual((yield* after(0, none)).load, 0)
    }))

  it.effect("a loop that is on time is not overloaded, however busy", () =>
    Effect.gen(function*() {
      const { after } = yield* start()
      const snapshot = yield* after(0, { active: 500, idle: 0 })
      assert.strictEqual(snapshot.load, 1)
      assert.isFalse(snapshot.isOverloaded)
    }))

  it.effect("a loop more than 50 milliseconds late is overloaded, at the first sample too", () =>
    Effect.gen(function*() {
      const first = yield* start()
      assert.isTrue((yield* first.after(51)).isOverloaded)
      const { after } = yield* start()
      assert.isFalse((yield* after(0)).isOverloaded)
      assert.isFalse((yield* after(50)).isOverloaded)
      assert.isTrue((yield* after(50.5)).isOverloaded)
      assert.isTrue((yield* after(400)).isOverloaded)
      assert.isFalse((yield* after(0)).isOverloaded)
    }))

  it.effect("what an idle loop is late by is taken off", () =>
    Effect.gen(function*() {
      const { after } = yield* start()
      assert.isFalse((yield* after(15)).isOverloaded)
      assert.isFalse((yield* after(64)).isOverloaded)
      assert.isTrue((yield* after(66)).isOverloaded)
      assert.strictEqual((yield* after(5)).measure?.used, 0) // and not less than nothing
    }))

  it.effect("a loop that is always late is never taken for an idle one", () =>
    Effect.gen(function*() {
      const { after } = yield* start()
      for (let i = 0; i < 100; i++) assert.isTrue((yield* after(80)).isOverloaded)
    }))

  it.effect("a loop that was blocked is late once: it is on time again at the next beat, however near that is", () =>
    Effect.gen(function*() {
      const { after } = yield* start()
      assert.isFalse((yield* after(0)).isOverloaded)
      assert.isTrue((yield* after(430)).isOverloaded)
      for (let i = 0; i < 10; i++) assert.isFalse((yield* after(0)).isOverloaded)
      assert.isTrue((yield* after(51)).isOverloaded)
    }))

  it.effect("maxDelay is what the caller says", () =>
    Effect.gen(function*() {
      const { after } = yield* start({ maxDelay: "200 millis", every: "2 seconds" })
      assert.isFalse((yield* after(0)).isOverloaded)
      assert.isFalse((yield* after(199)).isOverloaded)
      assert.isTrue((yield* after(201)).isOverloaded)
    }))

  it.effect("the defaults are those of the design; an invalid option is an InvalidOptionsError", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* NodeEventLoop.signal(), { name: "eventLoop", target: 0.93, overloadedRatio: 0.6 })
      const refusedField = (options: NodeEventLoop.Options) =>
        Effect.map(Effect.flip(NodeEventLoop.signal(options)), (error) => error.field)
      assert.strictEqual(yield* refusedField({ every: -1 }), "every")
      assert.strictEqual(yield* refusedField({ target: 0 }), "target")
      assert.strictEqual(yield* refusedField({ overloadedRatio: 2 }), "overloadedRatio")
      assert.strictEqual(yield* refusedField({ maxDelay: Infinity }), "maxDelay")
      assert.strictEqual(yield* refusedField({ maxDelay: -1 }), "maxDelay")
    }))
})
