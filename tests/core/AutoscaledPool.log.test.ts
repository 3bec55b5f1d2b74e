import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, References, Stream } from "effect"
import { TestClock } from "effect/testing"
import { after, begin, jobs, type Line, log } from "./stage.ts"

const test = (
  name: string,
  body: (lines: ReadonlyArray<Line>) => Generator<
    Effect.Effect<unknown, unknown, SystemStatus.SystemStatus | SystemStatus.TestSystemStatus>,
    void,
    never
  >
) =>
  it.effect(name, () => {
    const { layer, lines } = log()
    return Effect.andThen(TestClock.adjust(0), Effect.gen(() => body(lines))).pipe(
      Effect.provide(SystemStatus.layerTest),
      Effect.provide(layer),
      Effect.provideService(References.MinimumLogLevel, "All")
    )
  })

const messages = (lines: ReadonlyArray<Line>, level = "Info") =>
  lines.flatMap((line) => line.level === level ? [line.message] : [])

describe("AutoscaledPool: its log", () => {
  test("tells of the start and the end of a run, and nothing else of a short one", function*(lines) {
    const pool = yield* AutoscaledPool.make(jobs(3, () => Effect.sleep("500 millis")).work)
    const run = yield* begin(pool.run)
    yield* after("500 millis")
    yield* Fiber.join(run)
    assert.deepStrictEqual(messages(lines), [
      "Run started: 1 to 200 tasks at once, 10 to begin with, as the policy \"stepRatio\" decides.",
      "Run finished after 500 ms: 3 tasks ended, 500 ms each on average."
    ])
  })

  test("tells at the end of a run what its own tasks took, and not those of earlier runs", function*(lines) {
    const durations = [500, 100]
    const source = TaskSource.fromStream(Stream.suspend(() => Stream.fromIterable(durations.splice(0, 1))))
    const pool = yield* AutoscaledPool.fromSource(source, (millis) => Effect.sleep(millis))
    for (let runs = 0; runs < 3; runs++) {
      const run = yield* begin(pool.run)
      yield* after("1 second")
      yield* Fiber.join(run)
    }
    assert.deepStrictEqual(messages(lines).filter((line) => line.startsWith("Run finished")), [
      "Run finished after 500 ms: 1 task ended, 500 ms each on average.",
      "Run finished after 100 ms: 1 task ended, 100 ms each on average.",
      "Run finished after 0 ms: 0 tasks ended."
    ])
  })

  test(
    "tells what holds the pool back once it has done so for a second, and not again while it does",
    function*(lines) {
      const pool = yield* AutoscaledPool.make({
        ...jobs(1000, () => Effect.sleep("100 millis")).work,
        concurrencySettings: { maxConcurrency: 10 }
      })
      const run = yield* begin(pool.run)
      yield* after("900 millis")
      assert.strictEqual(messages(lines).length, 1)
      yield* after("8 seconds")
      assert.deepStrictEqual(messages(lines).slice(1), [
        "10 tasks are in flight, for 1 s as many as maxConcurrency (10) allows; raise it to run more."
      ])
      yield* Fiber.interrupt(run)
      assert.match(messages(lines)[2], /^Run was interrupted after 8.9 s: 890 tasks ended/)
    }
  )

  test("tells of overload and of recovery, with the load", function*(lines) {
    const { set } = yield* SystemStatus.TestSystemStatus
    const pool = yield* AutoscaledPool.make(jobs(100, () => Effect.sleep("1 hour")).work)
    const run = yield* begin(pool.run)
    yield* set("memory", {
      isOverloaded: true,
      load: 0.91,
      target: 0.9,
      measure: { used: 2.1e9, limit: 2.3e9, unit: "By", of: "cgroup /x" }
    })
    yield* after("1 second")
    yield* set("memory", { isOverloaded: false, load: 0.5, target: 0.9 })
    yield* after("1 second")
    assert.deepStrictEqual(messages(lines).filter((line) => line.includes("verload")), [
      "Overload: memory 2 of 2.1 GiB (cgroup /x), 91 % where 90 % is the target.",
      "No more overload: memory 50 % where 90 % is the target."
    ])
    yield* Fiber.interrupt(run)
  })

  test("has a line on where the pool stands per loggingInterval, and none where nothing has changed", function*(lines) {
    const pool = yield* AutoscaledPool.make(jobs(10, (n) => Effect.sleep(n < 8 ? "90 seconds" : "1 hour")).work)
    const run = yield* begin(pool.run)
    yield* after("10 minutes")
    assert.deepStrictEqual(messages(lines).filter((line) => line.includes("in flight; ")), [
      "10 of 13 desired tasks in flight; 0 ended",
      "2 of 13 desired tasks in flight; 8 ended"
    ])
    yield* Fiber.interrupt(run)
  })

  test(
    "has the decisions that changed something at the level Debug, with what they rested on in words",
    function*(lines) {
      const pool = yield* AutoscaledPool.make(jobs(1000, () => Effect.sleep("1 hour")).work)
      const run = yield* begin(pool.run)
      yield* after("21 seconds")
      const decisions = messages(lines, "Debug")
      assert.strictEqual(decisions.length, 2)
      assert.match(decisions[0], /^11 tasks are desired in place of 10: /)
      yield* Fiber.interrupt(run)
    }
  )

  test("tells of what begins to hold a pool back that had nothing to do", function*(lines) {
    const queue = yield* Queue.unbounded<number>()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => Effect.sleep("2200 millis"), {
      concurrencySettings: { maxConcurrency: 1 }
    })
    const run = yield* begin(pool.run)
    yield* after("8100 millis")
    yield* Queue.offer(queue, 1)
    yield* after("2 seconds")
    assert.deepStrictEqual(messages(lines).slice(1), [
      "There has been nothing to start for 4 s; 0 tasks are in flight where 1 is desired, and more start as soon as " +
      "the source has an item.",
      "1 task is in flight, for 1.9 s as many as maxConcurrency (1) allows; raise it to run more."
    ])
    yield* Fiber.interrupt(run)
  })

  test("tells of what comes and goes once per loggingInterval", function*(lines) {
    const queue = yield* Queue.unbounded<number>()
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => Effect.sleep("2 seconds"), {
      concurrencySettings: { maxConcurrency: 1 },
      loggingInterval: "30 seconds"
    })
    const run = yield* begin(pool.run)
    const told = () => messages(lines).filter((line) => line.includes("as many as maxConcurrency")).length
    for (let seconds = 0; seconds < 28; seconds += 4) {
      yield* Queue.offer(queue, 1)
      yield* after("4 seconds")
    }
    assert.strictEqual(told(), 1)
    yield* Queue.offer(queue, 1)
    yield* after("4 seconds")
    yield* Queue.offer(queue, 1)
    yield* after("4 seconds")
    assert.strictEqual(told(), 2)
    yield* Fiber.interrupt(run)
  })

  test("names the pool in an annotation", function*(lines) {
    const pool = yield* AutoscaledPool.make({ ...jobs(1, () => Effect.void).work, name: "thumbnails" })
    yield* pool.run
    assert.deepStrictEqual(lines.map(({ pool }) => pool), ["thumbnails", "thumbnails"])
  })
})
