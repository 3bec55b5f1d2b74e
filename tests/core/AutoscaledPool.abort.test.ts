/**
 * `abort`, `pause`, `resume`, `notify` and interruption: total in every state, and what they leave behind.
 *
 * Defects of Crawlee's pool that are impossible here: an abort that fails or hangs a pool that does not run, fails when it
 * is called twice or while the pool is failing, returns while tasks or their cleanup go on, drops an error of a cleanup,
 * leaves timers or a slot behind, or poisons the next run; a pause with a time limit in the wrong unit (it has none: it
 * does not wait); a run that ends although it is paused; a resume that is noticed half a second late; a second
 * cancellation that is swallowed; a pool that starts tasks again when it is resumed after its end.
 */
import { AutoscaledPool, type ConcurrencySettings, SystemStatus } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Clock, Context, Deferred, Effect, Exit, Fiber } from "effect"
import {
  after,
  begin,
  causeOf,
  countingClock,
  exitOf,
  failureOf,
  hasEnded,
  jobs,
  log,
  resultOf,
  settled,
  test,
  withSlowFinalizer
} from "./stage.ts"

interface Play {
  left: number
  finalized: number
  started: number
  body: (index: number) => Effect.Effect<unknown, string>
  isTaskReady: Effect.Effect<boolean>
  isFinished: Effect.Effect<boolean>
}

/** A pool whose work a test replaces as it goes; at first three tasks that end when they are interrupted. */
const scene = Effect.fnUntraced(function*(settings: Partial<ConcurrencySettings.ConcurrencySettings> = {}) {
  const play: Play = {
    left: 3,
    finalized: 0,
    started: 0,
    body: () => withSlowFinalizer(Effect.never, () => void play.finalized++),
    isTaskReady: Effect.sync(() => play.left > 0),
    isFinished: Effect.sync(() => play.left <= 0)
  }
  const pool = yield* AutoscaledPool.make({
    runTask: Effect.suspend(() => {
      play.left--
      return play.body(play.started++)
    }),
    isTaskReady: Effect.suspend(() => play.isTaskReady),
    isFinished: Effect.suspend(() => play.isFinished),
    concurrencySettings: settings
  })
  return { pool, play }
})

type Scene = Effect.Success<ReturnType<typeof scene>>
type Run = Fiber.Fiber<
  AutoscaledPool.RunReport,
  string | AutoscaledPool.TaskTimeoutError | AutoscaledPool.AlreadyRunningError
>
type Ending = "Aborted" | "Drained" | "Finished" | "failed" | "interrupted" | "goes on" | "none"

interface State {
  /** Brings the pool into the state. */
  readonly enter: (scene: Scene) => Effect.Effect<Run | undefined, unknown, SystemStatus.TestSystemStatus>
  /** How the run ends where the pool is aborted in this state. */
  readonly aborted: Ending
  /** How the run ends where it is paused in this state, and is left alone. */
  readonly paused: Ending
  readonly settings?: { readonly minConcurrency?: number; readonly maxTasksPerMinute?: number }
}

const running: State["enter"] = ({ pool }) => begin(pool.run)

const failing: State["enter"] = ({ play, pool }) =>
  Effect.gen(function*() {
    const { body } = play
    play.body = (index) => index === 2 ? Effect.fail("torn") : body(index)
    return yield* begin(pool.run)
  })

/** Lets a run come to its end, which leaves the pool without one. */
const ended = (run: Run | undefined) =>
  Effect.gen(function*() {
    yield* after("5 seconds")
    if (run !== undefined) yield* exitOf(run)
    return undefined
  })

const states: Record<string, State> = {
  "before a run": { enter: () => Effect.succeed(undefined), aborted: "none", paused: "none" },
  "running": { enter: running, aborted: "Aborted", paused: "goes on" },
  "paused": {
    enter: (scene) => Effect.tap(running(scene), scene.pool.pause),
    aborted: "Aborted",
    paused: "goes on"
  },
  "begun while paused": {
    enter: (scene) => Effect.andThen(scene.pool.pause, running(scene)),
    aborted: "Aborted",
    paused: "goes on"
  },
  "overloaded": {
    enter: (scene) =>
      Effect.gen(function*() {
        yield* (yield* SystemStatus.TestSystemStatus).set("cpu", { isOverloaded: true })
        return yield* running(scene)
      }),
    aborted: "Aborted",
    paused: "goes on"
  },
  "rate limited": {
    enter: running,
    aborted: "Aborted",
    paused: "goes on",
    settings: { maxTasksPerMinute: 1 }
  },
  "asking isTaskReady": {
    enter: (scene) => {
      scene.play.isTaskReady = Effect.never
      return running(scene)
    },
    aborted: "Aborted",
    paused: "goes on"
  },
  "asking isFinished": {
    enter: (scene) => {
      scene.play.left = 0
      scene.play.isFinished = Effect.never
      return running(scene)
    },
    aborted: "Aborted",
    paused: "goes on"
  },
  "draining": {
    enter: (scene) => {
      scene.play.body = () => Effect.sleep("2 seconds")
      return running(scene)
    },
    aborted: "Aborted",
    paused: "goes on"
  },
  "failing": { enter: failing, aborted: "failed", paused: "failed" },
  "aborting": {
    enter: (scene) => Effect.tap(running(scene), begin(scene.pool.abort)),
    aborted: "Aborted",
    paused: "Aborted"
  },
  "being interrupted": {
    enter: (scene) =>
      Effect.tap(running(scene), (run) => run === undefined ? Effect.void : begin(Fiber.interrupt(run))),
    aborted: "interrupted",
    paused: "interrupted"
  },
  "after it finished": {
    enter: (scene) => {
      scene.play.body = () => Effect.void
      return Effect.flatMap(begin(scene.pool.run), ended)
    },
    aborted: "none",
    paused: "none"
  },
  "after it was aborted": {
    enter: (scene) => Effect.flatMap(Effect.tap(begin(scene.pool.run), begin(scene.pool.abort)), ended),
    aborted: "none",
    paused: "none"
  },
  "after it failed": {
    enter: (scene) => Effect.flatMap(failing(scene), ended),
    aborted: "none",
    paused: "none"
  },
  "after it was interrupted": {
    enter: (scene) => Effect.flatMap(Effect.tap(begin(scene.pool.run), (run) => begin(Fiber.interrupt(run))), ended),
    aborted: "none",
    paused: "none"
  }
}

const endingOf = (run: Run | undefined): Ending => {
  if (run === undefined) return "none"
  const exit = run.pollUnsafe()
  if (exit === undefined) return "goes on"
  if (Exit.isSuccess(exit)) return exit.value.outcome
  if (Exit.hasInterrupts(exit) && !Exit.hasFails(exit)) return "interrupted"
  return "failed"
}

/** Whatever was done to the pool: it can be ended, and then works as if new. */
const worksAgain = Effect.fnUntraced(function*({ play, pool }: Scene) {
  yield* pool.resume
  yield* begin(pool.abort)
  yield* after("5 seconds")
  yield* pool.configure({ maxTasksPerMinute: Infinity })
  yield* (yield* SystemStatus.TestSystemStatus).set("cpu", {})
  assert.strictEqual((yield* pool.state).phase, "Idle")
  assert.strictEqual(yield* pool.currentConcurrency, 0)
  const startedBefore = play.started
  yield* after("1 minute")
  assert.strictEqual(play.started, startedBefore)
  play.left = 4
  play.body = () => Effect.sleep("1 second")
  play.isTaskReady = Effect.sync(() => play.left > 0)
  play.isFinished = Effect.sync(() => play.left <= 0)
  const run = yield* begin(pool.run)
  yield* after("1 second")
  const report = yield* resultOf(run)
  assert.strictEqual(report.outcome, "Finished")
  assert.strictEqual(report.succeeded, 4)
})

for (const [name, state] of Object.entries(states)) {
  describe(`AutoscaledPool ${name}`, () => {
    test("abort returns when nothing is left, and the pool can be run again", function*() {
      const set = yield* scene(state.settings)
      const run = yield* state.enter(set)
      const abort = yield* begin(set.pool.abort)
      yield* after("5 seconds")
      yield* resultOf(abort)
      assert.strictEqual(endingOf(run), state.aborted)
      yield* worksAgain(set)
    })

    test("abort twice, at once and again, is one abort", function*() {
      const set = yield* scene(state.settings)
      const run = yield* state.enter(set)
      const first = yield* begin(set.pool.abort)
      const second = yield* begin(set.pool.abort)
      yield* after("5 seconds")
      yield* resultOf(first)
      yield* resultOf(second)
      yield* set.pool.abort
      assert.strictEqual(endingOf(run), state.aborted)
      yield* worksAgain(set)
    })

    test("pause twice returns at once and starts nothing more", function*() {
      const set = yield* scene(state.settings)
      const run = yield* state.enter(set)
      const pause = yield* begin(Effect.andThen(set.pool.pause, set.pool.pause))
      yield* resultOf(pause)
      assert.isTrue((yield* set.pool.state).isPaused)
      const startedBefore = set.play.started
      set.play.left += 10
      yield* set.pool.notify
      yield* after("5 seconds")
      assert.strictEqual(set.play.started, startedBefore)
      assert.strictEqual(endingOf(run), state.paused)
      yield* worksAgain(set)
    })

    test("resume and notify, each twice, return at once", function*() {
      const set = yield* scene(state.settings)
      yield* state.enter(set)
      const { notify, resume } = set.pool
      yield* resultOf(yield* begin(Effect.all([resume, resume, notify, notify])))
      assert.isFalse((yield* set.pool.state).isPaused)
      yield* worksAgain(set)
    })

    test("a pause survives the end of the run and holds the next one", function*() {
      const set = yield* scene(state.settings)
      yield* state.enter(set)
      yield* set.pool.pause
      yield* begin(set.pool.abort)
      yield* after("5 seconds")
      set.play.left = 3
      const startedBefore = set.play.started
      const run = yield* begin(set.pool.run)
      yield* after("1 minute")
      assert.strictEqual(set.play.started, startedBefore)
      assert.strictEqual(endingOf(run), "goes on")
      yield* worksAgain(set)
    })
  })
}

describe("AutoscaledPool: abort", () => {
  test("interrupts every task, and its finalizers have run when abort returns and before run does", function*() {
    const { play, pool } = yield* scene()
    const run = yield* begin(pool.run)
    const abort = yield* begin(pool.abort)
    yield* after("999 millis")
    assert.isFalse(hasEnded(abort))
    assert.isFalse(hasEnded(run))
    yield* after("1 millis")
    assert.strictEqual(play.finalized, 3)
    yield* resultOf(abort)
    const report = yield* resultOf(run)
    assert.strictEqual(report.outcome, "Aborted")
    assert.strictEqual(report.interrupted, 3)
    assert.strictEqual(report.succeeded, 0)
  })

  test("waits for every cleanup, however long each takes", function*() {
    const cleanups: Array<number> = []
    const { pool, play } = yield* scene()
    play.body = (index) =>
      Effect.ensuring(
        Effect.never,
        Effect.andThen(Effect.sleep([100, 600, 200][index]), Effect.sync(() => void cleanups.push(index)))
      )
    yield* begin(pool.run)
    const abort = yield* begin(pool.abort)
    yield* after("599 millis")
    assert.isFalse(hasEnded(abort))
    yield* after("1 millis")
    assert.isTrue(hasEnded(abort))
    assert.deepStrictEqual(cleanups, [0, 2, 1])
  })

  test("waits for a task that cannot be interrupted", function*() {
    const { pool, play } = yield* scene()
    play.body = () => Effect.uninterruptible(Effect.sleep("3 seconds"))
    const run = yield* begin(pool.run)
    const abort = yield* begin(pool.abort)
    yield* after("2999 millis")
    assert.isFalse(hasEnded(abort))
    yield* after("1 millis")
    assert.isTrue(hasEnded(abort))
    assert.deepInclude(yield* resultOf(run), { outcome: "Aborted", succeeded: 0, interrupted: 3 })
  })

  test("in the same moment as run begins: nothing starts, and run is aborted", function*() {
    const { play, pool } = yield* scene()
    const run = yield* Effect.forkChild(pool.run, { startImmediately: true })
    const abort = yield* Effect.forkChild(pool.abort, { startImmediately: true })
    yield* after("5 seconds")
    yield* resultOf(abort)
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    assert.strictEqual(play.finalized, play.started)
  })

  test("does not poison the next run: an abort before any run is forgotten", function*() {
    const { tally, work } = jobs(2)
    const pool = yield* AutoscaledPool.make(work)
    yield* pool.abort
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).outcome, "Finished")
    assert.strictEqual(tally.succeeded, 2)
  })

  test("then resume with tasks that take long to clean up starts nothing", function*() {
    const { play, pool } = yield* scene()
    yield* begin(pool.run)
    play.left = 10
    const startedBefore = play.started
    yield* begin(pool.abort)
    yield* pool.pause
    yield* pool.resume
    yield* pool.notify
    yield* after("10 seconds")
    assert.strictEqual(play.started, startedBefore)
  })

  test("run can be run again as soon as abort has returned", function*() {
    const { play, pool } = yield* scene()
    yield* begin(pool.run)
    const again = yield* begin(Effect.gen(function*() {
      yield* pool.abort
      play.body = () => Effect.void
      play.left = 2
      return yield* pool.run
    }))
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(again)).succeeded, 2)
  })

  test("run while the last one is still aborting is an AlreadyRunningError", function*() {
    const { pool } = yield* scene()
    yield* begin(pool.run)
    yield* begin(pool.abort)
    const second = yield* begin(pool.run)
    assert.instanceOf(yield* failureOf(second), AutoscaledPool.AlreadyRunningError)
    yield* after("1 second")
  })

  test("from inside a task: interrupts that task too, and does not wait for itself", function*() {
    const { play, pool } = yield* scene()
    const { body } = play
    play.body = (index) =>
      index === 1
        ? withSlowFinalizer(Effect.andThen(pool.abort, Effect.never), () => void play.finalized++)
        : body(index)
    const run = yield* begin(pool.run)
    yield* after("1 second")
    assert.strictEqual(play.finalized, play.started)
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
  })

  test("from inside a task, twice, in a region that cannot be interrupted, and from its finalizer: no deadlock", function*() {
    const { play, pool } = yield* scene()
    play.body = () =>
      Effect.uninterruptible(
        Effect.ensuring(Effect.andThen(pool.abort, pool.abort), Effect.andThen(pool.abort, pool.abort))
      )
    const run = yield* begin(pool.run)
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    assert.strictEqual(play.started, 1)
  })

  test("from a fiber that a task has forked, while the task waits for it: no deadlock", function*() {
    const { play, pool } = yield* scene()
    play.body = () =>
      Effect.uninterruptible(Effect.flatMap(Effect.forkChild(Effect.uninterruptible(pool.abort)), Fiber.join))
    const run = yield* begin(pool.run)
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
  })

  test("from inside isTaskReady and isFinished: no deadlock", function*() {
    for (const check of ["isTaskReady", "isFinished"] as const) {
      const { play, pool } = yield* scene()
      play.left = 0
      play[check] = Effect.as(Effect.uninterruptible(pool.abort), false)
      const run = yield* begin(pool.run)
      assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    }
  })

  test("from inside a check that says yes in the same step: nothing starts, and nothing more is asked", function*() {
    for (const check of ["isTaskReady", "isFinished"] as const) {
      const { play, pool } = yield* scene()
      const asked: Array<string> = []
      play.isTaskReady = Effect.sync(() => asked.push("isTaskReady") === 0)
      play.isFinished = Effect.sync(() => asked.push("isFinished") === 0)
      play[check] = Effect.andThen(Effect.sync(() => asked.push(check)), Effect.as(pool.abort, true))
      const run = yield* begin(pool.run)
      assert.deepInclude(yield* resultOf(run), { outcome: "Aborted", started: 0 })
      assert.deepStrictEqual(asked, check === "isTaskReady" ? ["isTaskReady"] : ["isTaskReady", "isFinished"])
    }
  })

  for (const region of ["can", "cannot"]) {
    test(`from inside a task of a pool inside a task, in a region that ${region} be interrupted: no deadlock`, function*() {
      const { play, pool: outer } = yield* scene()
      play.left = 1
      const abort = region === "can" ? outer.abort : Effect.uninterruptible(outer.abort)
      play.body = () =>
        AutoscaledPool.forEach([1, 2], () => Effect.andThen(abort, Effect.never)).pipe(
          Effect.provide(SystemStatus.layerTest),
          Effect.orDie
        )
      const run = yield* begin(outer.run)
      assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    })
  }

  test("from inside a task of another pool, which does not belong to this one, waits for the finalizers", function*() {
    const { play, pool } = yield* scene()
    const run = yield* begin(pool.run)
    const other = yield* begin(AutoscaledPool.forEach([1], () => pool.abort))
    assert.isFalse(hasEnded(other))
    yield* after("1 second")
    yield* resultOf(other)
    assert.strictEqual(play.finalized, 3)
    assert.isTrue(hasEnded(run))
  })

  test("from inside a task of a pool that was built inside a task, and runs elsewhere, waits for the finalizers", function*() {
    const { play, pool: outer } = yield* scene()
    const built: Array<AutoscaledPool.AutoscaledPool<unknown>> = []
    const { work } = jobs(1, () => outer.abort)
    const build = Effect.map(AutoscaledPool.make(work), (pool) => built.push(pool))
    play.left = 1
    play.body = () =>
      Effect.andThen(
        Effect.orDie(Effect.provide(build, SystemStatus.layerTest)),
        withSlowFinalizer(Effect.never, () => void play.finalized++)
      )
    yield* begin(outer.run)
    const inner = yield* begin(built[0].run)
    assert.isFalse(hasEnded(inner))
    yield* after("1 second")
    assert.isTrue(hasEnded(inner))
    assert.strictEqual(play.finalized, 1)
  })

  for (const ending of ["abort", "interruption", "drain and abort"] as const) {
    test(`a cleanup that fails does not fail the ${ending}, and is not dropped: it is logged once the run has ended`, function*() {
      const { layer, lines } = log()
      const { play, pool } = yield* scene()
      play.body = () => Effect.ensuring(Effect.never, Effect.die(new Error("the socket would not close")))
      const run = yield* begin(Effect.provide(pool.run, layer))
      if (ending === "drain and abort") yield* begin(pool.drain)
      if (ending === "interruption") {
        yield* Fiber.interrupt(run)
        assert.isTrue(Cause.hasInterruptsOnly(yield* causeOf(run)))
      } else {
        yield* pool.abort
        assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
      }
      const warnings = lines.filter(({ level }) => level === "Warn")
      assert.strictEqual(warnings.length, 1)
      assert.include(warnings[0].cause, "the socket would not close")
    })
  }

  test("leaves no timer behind, whatever the run was waiting for", function*() {
    const { clock, pending } = yield* countingClock
    const body = Effect.gen(function*() {
      const { plan, work } = jobs(3, () => Effect.sleep("1 hour"))
      const pool = yield* AutoscaledPool.make({
        ...work,
        taskTimeout: "1 day",
        concurrencySettings: { maxTasksPerMinute: 1 }
      })
      const run = yield* begin(pool.run)
      assert.isAbove(pending(), 0)
      yield* pool.abort
      yield* resultOf(run)
      assert.strictEqual(pending(), 0)
      plan.left = 3
      const again = yield* begin(pool.run)
      yield* Fiber.interrupt(again)
      assert.strictEqual(pending(), 0)
    })
    yield* Effect.provideService(body, Clock.Clock, clock)
  })

  test("from inside the first step of a task leaves no timer behind", function*() {
    const { clock, pending } = yield* countingClock
    const body = Effect.gen(function*() {
      const started = yield* Deferred.make<Effect.Effect<void>>()
      const pool = yield* AutoscaledPool.make({
        runTask: Effect.andThen(Effect.flatten(Deferred.await(started)), Effect.never),
        isTaskReady: Effect.succeed(true),
        isFinished: Effect.succeed(false),
        taskTimeout: "1 day"
      })
      yield* Deferred.succeed(started, pool.abort)
      const run = yield* begin(pool.run)
      assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
      assert.strictEqual(pending(), 0)
    })
    yield* Effect.provideService(body, Clock.Clock, clock)
  })

  test("tells who listens that the run has ended, and how", function*() {
    const { pool } = yield* scene()
    const run = yield* begin(pool.run)
    assert.strictEqual((yield* pool.state).phase, "Running")
    yield* begin(pool.abort)
    assert.strictEqual((yield* pool.state).phase, "Ending")
    assert.strictEqual(yield* pool.currentConcurrency, 3)
    yield* after("1 second")
    assert.strictEqual((yield* pool.state).phase, "Idle")
    assert.isTrue(hasEnded(run))
  })
})

describe("AutoscaledPool: interruption of run", () => {
  test("interrupts every task, and their finalizers have run before run ends", function*() {
    const { play, pool } = yield* scene()
    const run = yield* begin(pool.run)
    const interruption = yield* begin(Fiber.interrupt(run))
    yield* after("999 millis")
    assert.isFalse(hasEnded(interruption))
    yield* after("1 millis")
    assert.isTrue(hasEnded(interruption))
    assert.strictEqual(play.finalized, 3)
    assert.isTrue(Cause.hasInterruptsOnly(yield* causeOf(run)))
  })

  test("twice is not swallowed, and waits for the finalizers both times", function*() {
    const { play, pool } = yield* scene()
    const run = yield* begin(pool.run)
    const first = yield* begin(Fiber.interrupt(run))
    const second = yield* begin(Fiber.interrupt(run))
    yield* after("999 millis")
    assert.isFalse(hasEnded(first) || hasEnded(second))
    yield* after("1 millis")
    assert.isTrue(hasEnded(first) && hasEnded(second))
    assert.strictEqual(play.finalized, 3)
  })

  test("of the program around it, by a race or a time limit", function*() {
    const { play, pool } = yield* scene()
    const race = yield* begin(Effect.race(pool.run, Effect.sleep("2 seconds")))
    yield* after("2 seconds")
    assert.isFalse(hasEnded(race))
    yield* after("1 second")
    assert.isTrue(hasEnded(race))
    assert.strictEqual(play.finalized, 3)
    play.left = 2
    const limited = yield* begin(Effect.timeoutOption(pool.run, "2 seconds"))
    yield* after("3 seconds")
    assert.strictEqual((yield* resultOf(limited))._tag, "None")
    assert.strictEqual(play.finalized, 5)
  })

  test("while abort waits: abort returns, run is interrupted", function*() {
    const { play, pool } = yield* scene()
    const run = yield* begin(pool.run)
    const abort = yield* begin(pool.abort)
    const interruption = yield* begin(Fiber.interrupt(run))
    yield* after("1 second")
    yield* resultOf(abort)
    assert.isTrue(hasEnded(interruption))
    assert.isTrue(hasEnded(run))
    assert.strictEqual(play.finalized, 3)
  })

  test("of whoever waits for an abort does not undo it", function*() {
    const { play, pool } = yield* scene()
    const run = yield* begin(pool.run)
    const abort = yield* begin(pool.abort)
    yield* Fiber.interrupt(abort)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).outcome, "Aborted")
    assert.strictEqual(play.finalized, 3)
  })

  test("a run in a region that cannot be interrupted finishes, fails and is aborted as any other", function*() {
    const { play, pool } = yield* scene()
    play.body = () => Effect.sleep("1 second")
    const finishing = yield* begin(Effect.uninterruptible(pool.run))
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(finishing)).outcome, "Finished")
    play.left = 3
    play.body = () => Effect.never
    const aborting = yield* begin(Effect.uninterruptible(pool.run))
    const abort = yield* begin(pool.abort)
    assert.isTrue(hasEnded(abort))
    assert.strictEqual((yield* resultOf(aborting)).outcome, "Aborted")
    play.left = 1
    play.body = () => Effect.fail("torn")
    assert.strictEqual(yield* failureOf(yield* begin(Effect.uninterruptible(pool.run))), "torn")
  })
})

describe("AutoscaledPool: pause and resume", () => {
  test("pause stops starts, and running tasks go on to their end", function*() {
    const { plan, tally, work } = jobs(20)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 5 } })
    const run = yield* begin(pool.run)
    yield* after("500 millis")
    yield* pool.pause
    assert.strictEqual(tally.running, 5)
    yield* after("500 millis")
    assert.strictEqual(tally.succeeded, 5)
    yield* after("1 minute")
    assert.strictEqual(tally.started, 5)
    assert.isFalse(hasEnded(run))
    assert.strictEqual(plan.finishedAsked, 0)
    assert.deepStrictEqual((yield* pool.state).blocker, { _tag: "Paused" })
  })

  test("resume wakes at once", function*() {
    const { tally, work } = jobs(20)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 5 } })
    yield* begin(pool.run)
    yield* pool.pause
    yield* after("1 minute")
    yield* pool.resume
    yield* settled
    assert.strictEqual(tally.running, 5)
    assert.strictEqual(tally.started, 10)
  })

  test("a paused run does not end, though all its work is done; it ends at resume", function*() {
    const { work } = jobs(3)
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* pool.pause
    yield* after("2 minutes")
    assert.isFalse(hasEnded(run))
    yield* pool.resume
    yield* settled
    assert.strictEqual((yield* resultOf(run)).succeeded, 3)
  })

  test("a paused pool asks nothing", function*() {
    const { plan, work } = jobs(0)
    const pool = yield* AutoscaledPool.make(work)
    yield* pool.pause
    yield* begin(pool.run)
    yield* after("1 minute")
    assert.strictEqual(plan.readyAsked + plan.finishedAsked, 0)
  })

  test("a task that fails while paused fails the run at once", function*() {
    const { work } = jobs(1, () => Effect.andThen(Effect.sleep("1 second"), Effect.fail("torn" as const)))
    const pool = yield* AutoscaledPool.make(work)
    const run = yield* begin(pool.run)
    yield* pool.pause
    yield* after("1 second")
    assert.strictEqual(yield* failureOf(run), "torn")
  })

  test("autoscaling goes on while paused: an overload still lowers desired", function*() {
    const { work } = jobs(20)
    const status = yield* SystemStatus.TestSystemStatus
    const pool = yield* AutoscaledPool.make(work)
    yield* begin(pool.run)
    yield* pool.pause
    yield* status.set("cpu", { isOverloaded: true })
    yield* after("20 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 8)
  })

  test("from inside a task: pause stops what has not started, resume lets it start", function*() {
    const control = Context.Reference<{ pause: Effect.Effect<void>; resume: Effect.Effect<void> }>("test/control", {
      defaultValue: () => ({ pause: Effect.void, resume: Effect.void })
    })
    const held = { pause: Effect.void, resume: Effect.void }
    const { tally, work } = jobs(6, (index) =>
      Effect.gen(function*() {
        const { pause, resume } = yield* control
        if (index === 1) yield* pause
        yield* Effect.sleep("1 second")
        if (index === 1) yield* resume
        yield* Effect.sleep("1 second")
      }))
    const pool = yield* Effect.provideService(AutoscaledPool.make(work), control, held)
    Object.assign(held, { pause: pool.pause, resume: pool.resume })
    yield* begin(pool.run)
    assert.strictEqual(tally.started, 2)
    yield* after("1 second")
    assert.strictEqual(tally.started, 6)
  })

  test("pause and resume in one breath lose nothing and start nothing twice", function*() {
    const { tally, work } = jobs(20)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { desiredConcurrency: 4 } })
    const run = yield* begin(pool.run)
    for (let i = 0; i < 50; i++) {
      yield* pool.pause
      yield* after("100 millis")
      yield* pool.resume
      yield* pool.pause
      yield* pool.resume
    }
    yield* after("1 minute")
    assert.strictEqual((yield* resultOf(run)).started, 20)
    assert.strictEqual(tally.peak, 4)
  })
})

describe("AutoscaledPool: run", () => {
  test("twice at the same time is an AlreadyRunningError, and the first run does not notice", function*() {
    const { work } = jobs(3)
    const pool = yield* AutoscaledPool.make(work)
    const first = yield* begin(pool.run)
    const error = yield* Effect.flip(pool.run)
    assert.instanceOf(error, AutoscaledPool.AlreadyRunningError)
    assert.include(error.message, "Wait for that run to end")
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(first)).succeeded, 3)
  })

  test("from inside a task of the same pool is an AlreadyRunningError of that task", function*() {
    let again: Effect.Effect<unknown, AutoscaledPool.AlreadyRunningError> = Effect.void
    const { work } = jobs(1, () => Effect.suspend(() => again))
    const pool = yield* AutoscaledPool.make(work)
    again = Effect.catchTag(pool.run, "TaskTimeoutError", Effect.die)
    const run = yield* begin(pool.run)
    assert.instanceOf(yield* failureOf(run), AutoscaledPool.AlreadyRunningError)
  })

  test("after a failure has its slot back: a pool of one task at a time runs again", function*() {
    const { plan, tally, work } = jobs(1, (index) => index === 0 ? Effect.fail("torn" as const) : Effect.void)
    const pool = yield* AutoscaledPool.make({ ...work, concurrencySettings: { maxConcurrency: 1 } })
    assert.strictEqual(yield* failureOf(yield* begin(pool.run)), "torn")
    plan.left = 3
    assert.strictEqual((yield* resultOf(yield* begin(pool.run))).succeeded, 3)
    assert.strictEqual(tally.peak, 1)
  })

  test("desired survives from run to run", function*() {
    const { plan, work } = jobs(1000)
    const pool = yield* AutoscaledPool.make(work)
    yield* begin(pool.run)
    yield* after("30 seconds")
    assert.strictEqual(yield* pool.desiredConcurrency, 13)
    yield* pool.abort
    assert.strictEqual(yield* pool.desiredConcurrency, 13)
    plan.left = 1000
    yield* begin(pool.run)
    assert.strictEqual(yield* pool.currentConcurrency, 13)
  })

  test("nothing of one run is left in the next: counts, state and report begin anew", function*() {
    const { plan, work } = jobs(3)
    const pool = yield* AutoscaledPool.make(work)
    yield* begin(pool.run)
    yield* after("1 second")
    plan.left = 2
    const run = yield* begin(pool.run)
    assert.deepInclude(yield* pool.state, { started: 2, succeeded: 0 })
    yield* after("1 second")
    assert.deepInclude(yield* resultOf(run), { started: 2, succeeded: 2, interrupted: 0, peakConcurrency: 2 })
  })
})
