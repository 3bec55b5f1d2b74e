import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Fiber, Scheduler } from "effect"
import { VirtualTime } from "../../packages/simulator/src/internal/virtualTime.ts"

const fork = <A, E>(time: VirtualTime, effect: Effect.Effect<A, E>) =>
  Effect.runForkWith(
    Context.empty().pipe(Context.add(Clock.Clock, time.clock), Context.add(Scheduler.Scheduler, time.scheduler))
  )(effect)

describe("VirtualTime", () => {
  it("runs events in the order of time, and of their making where that is equal", () => {
    const time = new VirtualTime()
    const seen: Array<string> = []
    const note = (name: string) => () => void seen.push(`${name} at ${time.now}`)
    time.at(30, note("late"))
    time.at(10, note("first"))
    time.at(10, note("second"))
    time.after(20, note("middle"))
    time.at(25, note("cancelled")).cancel()
    time.advanceTo(29)
    assert.deepStrictEqual(seen, ["first at 10", "second at 10", "middle at 20"])
    assert.strictEqual(time.now, 29)
    time.advanceTo(30)
    assert.strictEqual(seen.at(-1), "late at 30")
  })

  it("lets fibers sleep, and drops the sleep of one that is interrupted", () => {
    const time = new VirtualTime()
    const woken: Array<number> = []
    const sleeper = (millis: number) => Effect.andThen(Effect.sleep(millis), Effect.sync(() => woken.push(time.now)))
    fork(time, sleeper(40))
    const interrupted = fork(time, sleeper(20))
    fork(time, sleeper(10))
    time.advanceTo(15)
    interrupted.interruptUnsafe()
    time.advanceTo(100)
    assert.deepStrictEqual(woken, [10, 40])
  })

  it("does not move while a fiber can go on", () => {
    const time = new VirtualTime()
    const times: Array<number> = []
    const program = Effect.gen(function*() {
      const child = yield* Effect.forkChild(Effect.sync(() => times.push(time.now)))
      for (let i = 0; i < 1000; i++) yield* Effect.yieldNow
      yield* Fiber.join(child)
      times.push(time.now)
    })
    time.at(5, () => void fork(time, program))
    time.at(6, () => times.push(time.now))
    time.advanceTo(10)
    assert.deepStrictEqual(times, [5, 5, 6])
  })

  it("tells monotonic time in nanoseconds", () => {
    const time = new VirtualTime()
    time.advanceTo(1.5)
    assert.strictEqual(time.clock.monotonicTimeNanosUnsafe(), 1_500_000n)
    const exit = fork(time, Clock.currentTimeMillis).pollUnsafe()
    assert.deepStrictEqual(exit, Exit.succeed(1.5))
  })

  it("says so where a program never comes to rest", () => {
    const time = new VirtualTime()
    const again = () => time.defer(again)
    time.defer(again)
    assert.throws(() => time.advanceTo(1), /never comes to rest/)
  })
})
