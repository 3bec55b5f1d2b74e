import {
  AutoscaledPool,
  ClientErrors,
  PoolRegistry,
  type ScalingPolicy,
  SystemStatus,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Schedule, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { mostEvents } from "../../packages/core/src/internal/views/runSpan.ts"
import { after, begin } from "./stage.ts"

/** A test with a tracer that keeps the spans, by their names in the order of their start. */
const test = (
  name: string,
  body: (spansOf: (name: string) => ReadonlyArray<Tracer.NativeSpan>) => Generator<
    Effect.Effect<unknown, unknown, SystemStatus.SystemStatus | SystemStatus.TestSystemStatus>,
    void,
    never
  >
) =>
  it.effect(name, () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return Effect.andThen(
      TestClock.adjust(0),
      Effect.gen(() => body((name) => spans.filter((span) => span.name === name)))
    ).pipe(
      Effect.provide(SystemStatus.layerTest),
      Effect.provideService(PoolRegistry.PoolRegistry, PoolRegistry.makeUnsafe()),
      Effect.withTracer(tracer)
    )
  })

const quiet = { loggingInterval: null }

/** A policy that wants one more or one less than before, each time it is asked. */
const restless: ScalingPolicy.ScalingPolicy<undefined> = {
  name: "restless",
  every: Duration.seconds(1),
  initial: () => undefined,
  decide: (_, { desired }) => [
    { desired: desired === 10 ? 11 : 10, reason: { summary: "it is restless", bindingSignal: "cpu" } },
    undefined
  ]
}

const exitOf = (span: Tracer.Span): Exit.Exit<unknown, unknown> =>
  span.status._tag === "Ended" ? span.status.exit : Exit.die("the span has not ended")

const attributesOf = (span: Tracer.Span) => Object.fromEntries(span.attributes)

describe("AutoscaledPool: its spans", () => {
  test(
    "a run has one, which tells the pool, its policy, how the run ended and what became of the tasks",
    function*(spansOf) {
      const pool = yield* AutoscaledPool.fromSource(
        TaskSource.fromIterable(["works", "works too", "rejected", "slow"]),
        (item) => {
          if (item === "rejected") return ClientErrors.report
          return item === "slow" ? Effect.sleep("1 hour") : Effect.void
        },
        { ...quiet, name: "thumbnails", taskTimeout: "1 second", onTaskTimeout: () => Effect.void }
      )
      const run = yield* begin(pool.run)
      yield* after("1 second")
      yield* Fiber.join(run)
      const [span] = spansOf("autoscaled_pool.run")
      assert.deepStrictEqual(attributesOf(span), {
        "autoscaled_pool.name": "thumbnails",
        "autoscaled_pool.policy": "stepRatio",
        "autoscaled_pool.run.outcome": "finished",
        "autoscaled_pool.task.started": 4,
        "autoscaled_pool.task.succeeded": 3,
        "autoscaled_pool.task.failed": 0,
        "autoscaled_pool.task.timed_out": 1,
        "autoscaled_pool.task.interrupted": 0,
        "autoscaled_pool.task.rejected": 1,
        "autoscaled_pool.task.retried": 0,
        "autoscaled_pool.task.abandoned": 0,
        "autoscaled_pool.decision.changes": 0
      })
      assert.isTrue(Exit.isSuccess(exitOf(span)))
    }
  )

  test("a run that fails, is aborted, drained or interrupted has one that says so", function*(spansOf) {
    const poolOf = (task: Effect.Effect<unknown, string>) =>
      AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => task, quiet)
    yield* Effect.exit((yield* poolOf(Effect.fail("broken"))).run)
    const aborted = yield* poolOf(Effect.never)
    const first = yield* begin(aborted.run)
    yield* aborted.abort
    yield* Fiber.join(first)
    const drained = yield* poolOf(Effect.sleep("1 second"))
    const second = yield* begin(drained.run)
    yield* begin(drained.drain)
    yield* after("1 second")
    yield* Fiber.join(second)
    yield* Fiber.interrupt(yield* begin((yield* poolOf(Effect.never)).run))
    const spans = spansOf("autoscaled_pool.run")
    assert.deepStrictEqual(
      spans.map((span) => attributesOf(span)["autoscaled_pool.run.outcome"]),
      ["failed", "aborted", "drained", "interrupted"]
    )
    const failed = exitOf(spans[0])
    assert.strictEqual(Exit.isFailure(failed) && Cause.squash(failed.cause), "broken")
    const interrupted = exitOf(spans[3])
    assert.isTrue(Exit.isFailure(interrupted) && Cause.hasInterruptsOnly(interrupted.cause))
  })

  test("decisions that change something are events of it, with what they rested on", function*(spansOf) {
    const { set } = yield* SystemStatus.TestSystemStatus
    yield* set("cpu", { load: 0.5, target: 0.9, isOverloaded: false })
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.never, {
      ...quiet,
      policy: restless
    })
    const run = yield* begin(pool.run)
    yield* after("2 seconds")
    yield* Fiber.interrupt(run)
    const [{ events }] = spansOf("autoscaled_pool.run")
    assert.deepStrictEqual(
      events.map(([name, , attributes]) => [name, attributes]),
      [10, 11].map((from) => [
        "DesiredChanged",
        {
          from,
          to: from === 10 ? 11 : 10,
          reason: "it is restless",
          binding_signal: "cpu",
          "signal.cpu.load": 0.5,
          "signal.cpu.target": 0.9
        }
      ])
    )
  })

  test("a span that lasts for long keeps a bounded number of events, and counts all", function*(spansOf) {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.never, {
      ...quiet,
      policy: restless
    })
    const run = yield* begin(pool.run)
    for (let n = 0; n < mostEvents + 20; n++) yield* TestClock.adjust("1 second")
    yield* after(0)
    yield* Fiber.interrupt(run)
    const [span] = spansOf("autoscaled_pool.run")
    assert.strictEqual(span.events.length, mostEvents)
    assert.strictEqual(attributesOf(span)["autoscaled_pool.decision.changes"], mostEvents + 20)
  })

  test("a run links to the span in which its pool was built, unless that is where it runs", function*(spansOf) {
    const build = AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.void, quiet)
    const pool = yield* Effect.withSpan(build, "start of the program")
    yield* Effect.withSpan(pool.run, "work")
    yield* Effect.withSpan(Effect.flatMap(build, (pool) => pool.run), "both")
    yield* (yield* build).run
    const [elsewhere, inside, bare] = spansOf("autoscaled_pool.run")
    assert.deepStrictEqual(elsewhere.links.map(({ span }) => span), [...spansOf("start of the program")])
    assert.deepStrictEqual(
      [elsewhere, inside].map(({ parent }) => parent._tag === "Some" ? parent.value : undefined),
      [...spansOf("work"), ...spansOf("both")]
    )
    assert.deepStrictEqual([inside.links, bare.links], [[], []])
  })

  test("tasks have none of their own", function*(spansOf) {
    yield* AutoscaledPool.forEach([1, 2], () => Effect.void, quiet)
    assert.strictEqual(spansOf("task").length, 0)
  })

  test("tasks have one each on request, within that of the run, with what they failed with", function*(spansOf) {
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(["works", "fails", "is interrupted"]),
      (item) =>
        item === "works" ? Effect.void : item === "fails" ? Effect.delay(Effect.fail("broken"), 10) : Effect.never,
      { ...quiet, taskSpan: "task" }
    )
    const run = yield* begin(Effect.exit(pool.run))
    yield* after("10 millis")
    yield* Fiber.join(run)
    const spans = spansOf("task")
    const [works, fails, isInterrupted] = spans.map(exitOf)
    assert.isTrue(Exit.isSuccess(works))
    assert.strictEqual(Exit.isFailure(fails) && Cause.squash(fails.cause), "broken")
    assert.isTrue(Exit.isFailure(isInterrupted) && Cause.hasInterruptsOnly(isInterrupted.cause))
    const [runSpan] = spansOf("autoscaled_pool.run")
    for (const { parent } of spans) assert.isTrue(parent._tag === "Some" && parent.value === runSpan)
  })

  test("a task that times out and each try of one that is retried has one", function*(spansOf) {
    const timing = yield* AutoscaledPool.make({
      ...quiet,
      runTask: Effect.never,
      isTaskReady: Effect.succeed(true),
      isFinished: Effect.succeed(true),
      taskTimeout: "1 second",
      taskSpan: "slow"
    })
    const run = yield* begin(Effect.exit(timing.run))
    yield* after("1 second")
    yield* Fiber.join(run)
    for (const span of spansOf("slow")) {
      const exit = exitOf(span)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }
    assert.strictEqual(spansOf("slow").length, 10)

    let tries = 0
    yield* AutoscaledPool.forEach([1], () => Effect.suspend(() => ++tries < 3 ? Effect.fail("no") : Effect.void), {
      ...quiet,
      retry: { schedule: Schedule.recurs(5) },
      taskSpan: "try"
    })
    assert.deepStrictEqual(spansOf("try").map((span) => exitOf(span)._tag), ["Failure", "Failure", "Success"])
  })
})
