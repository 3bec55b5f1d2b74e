/**
 * What the tests of the core share: work that counts itself, runs that a test follows, and a log that it can read.
 */
import { LoadSignal, SystemStatus } from "@autoscaled-pool/core"
import { it } from "@effect/vitest"
import { Cause, Clock, type Duration, Effect, Exit, type Fiber, Logger, References, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as v8 from "node:v8"
import * as vm from "node:vm"

type Stage = SystemStatus.SystemStatus | SystemStatus.TestSystemStatus | Scope.Scope

/**
 * A test under the test clock, with a system status that it drives by hand. The first adjustment of a test clock ends its
 * watch for tests that forget to adjust it; until then a sleep on it can be interrupted even in a finalizer.
 */
export const test = (name: string, body: () => Generator<Effect.Effect<unknown, unknown, Stage>, void, never>): void =>
  it.effect(name, () => Effect.andThen(TestClock.adjust(0), Effect.provide(Effect.gen(body), SystemStatus.layerTest)))

/** Lets everything happen that needs no time. */
export const settled: Effect.Effect<void> = Effect.replicateEffect(Effect.yieldNow, 30, { discard: true })

/** Lets this much time pass, and then everything happen that needs no more. */
export const after = (duration: Parameters<typeof TestClock.adjust>[0]): Effect.Effect<void> =>
  Effect.andThen(TestClock.adjust(duration), settled)

/** The signal of a disk that a test samples. */
export const sampled = <E>(
  sample: Effect.Effect<LoadSignal.Sample, E>,
  every: Duration.Input = "1 second"
): LoadSignal.LoadSignal => LoadSignal.makeUnsafe({ name: "disk", overloadedRatio: 0.3, target: 0.8, every, sample })

/** Begins an effect beside the test. */
export const begin = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  yield* settled
  return fiber
})

export const hasEnded = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.pollUnsafe() !== undefined

/** How a fiber ended; a fiber that has not ended fails the test instead of hanging it. */
export const exitOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.suspend(() => {
    const exit = fiber.pollUnsafe()
    return exit === undefined ? Effect.die(new Error("The fiber has not ended")) : Effect.succeed(exit)
  })

/** What a fiber that has ended succeeded with. */
export const resultOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<A, E> => Effect.flatten(exitOf(fiber))

/** The causes that a fiber which has ended failed with. */
export const causeOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Cause.Cause<E>> =>
  Effect.flatMap(
    exitOf(fiber),
    (exit) => Exit.isFailure(exit) ? Effect.succeed(exit.cause) : Effect.die(new Error("The fiber has succeeded"))
  )

/** The typed failure of a fiber that has ended. */
export const failureOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<E, A> => Effect.flip(resultOf(fiber))

export interface Tally {
  started: number
  running: number
  peak: number
  succeeded: number
  failed: number
  interrupted: number
}

/** Tasks that count what becomes of them; `body` says what the task of an index does, by default a second of nothing. */
export const counted = <E = never, R = never>(
  body: (index: number) => Effect.Effect<unknown, E, R> = () => Effect.sleep("1 second")
) => {
  const tally: Tally = { started: 0, running: 0, peak: 0, succeeded: 0, failed: 0, interrupted: 0 }
  const end = (exit: Exit.Exit<unknown, unknown>) =>
    Effect.sync(() => {
      tally.running--
      if (Exit.isSuccess(exit)) tally.succeeded++
      else if (Cause.hasInterruptsOnly(exit.cause)) tally.interrupted++
      else tally.failed++
    })
  const task = Effect.suspend(() => {
    const index = tally.started++
    tally.running++
    tally.peak = Math.max(tally.peak, tally.running)
    return Effect.onExit(Effect.suspend(() => body(index)), end)
  })
  return { tally, task }
}

/** So many tasks for `AutoscaledPool.make`, with what was asked of their checks. */
export const jobs = <E = never, R = never>(count: number, body?: (index: number) => Effect.Effect<unknown, E, R>) => {
  const { tally, task } = counted(body)
  const plan = { left: count, readyAsked: 0, finishedAsked: 0 }
  return {
    plan,
    tally,
    work: {
      runTask: Effect.suspend(() => {
        plan.left--
        return task
      }),
      isTaskReady: Effect.sync(() => {
        plan.readyAsked++
        return plan.left > 0
      }),
      isFinished: Effect.sync(() => {
        plan.finishedAsked++
        return plan.left <= 0
      })
    }
  }
}

/** `body`, and then a finalizer that takes its time and says that it has run. */
export const withSlowFinalizer = <A, E, R>(body: Effect.Effect<A, E, R>, done: () => void): Effect.Effect<A, E, R> =>
  Effect.ensuring(body, Effect.andThen(Effect.sleep("1 second"), Effect.sync(done)))

export interface Line {
  readonly level: string
  /** The annotation that says which pool it is about. */
  readonly pool: unknown
  readonly message: string
  readonly cause: string
}

/** A log that a test reads; `layer` puts it in place of every other. */
export const log = () => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) =>
    void lines.push({
      level: logLevel,
      pool: fiber.getRef(References.CurrentLogAnnotations)["pool"],
      message: Array.isArray(message) ? message.map(String).join(" ") : String(message),
      cause: cause.reasons.length === 0 ? "" : Cause.pretty(cause)
    })
  )
  return { lines, layer: Logger.layer([logger]) }
}

/** A logger that is broken, in place of every other. */
export const brokenLogger = Logger.layer([
  Logger.make<unknown, void>(() => {
    throw new Error("the disk is full")
  })
])

/** The clock of the test, with a wall that can be set apart from the time that passes. */
export const wallClock: Effect.Effect<{ readonly clock: Clock.Clock; readonly jump: (millis: number) => void }> = Clock
  .clockWith((clock) =>
    Effect.sync(() => {
      let skew = 0
      const millis = () => clock.currentTimeMillisUnsafe() + skew
      const nanos = () => clock.currentTimeNanosUnsafe() + BigInt(skew) * 1_000_000n
      return {
        jump: (by: number) => void (skew += by),
        clock: {
          ...clock,
          currentTimeMillisUnsafe: millis,
          currentTimeMillis: Effect.sync(millis),
          currentTimeNanosUnsafe: nanos,
          currentTimeNanos: Effect.sync(nanos)
        }
      }
    })
  )

/** Counts the sleeps that have begun and not ended, so that a timer which outlives its run shows. */
export const countingClock: Effect.Effect<{ readonly clock: Clock.Clock; readonly pending: () => number }> = Clock
  .clockWith((clock) =>
    Effect.sync(() => {
      let pending = 0
      return {
        pending: () => pending,
        clock: {
          ...clock,
          sleep: (duration) =>
            Effect.acquireUseRelease(
              Effect.sync(() => void pending++),
              () => clock.sleep(duration),
              () => Effect.sync(() => void pending--)
            )
        }
      }
    })
  )

/** A full collection, in a later turn of the event loop: what was touched in this one is alive until its end. */
export const collectGarbage = Effect.promise(async () => {
  v8.setFlagsFromString("--expose-gc")
  const collect: () => void = vm.runInNewContext("gc")
  await new Promise((resolve) => setImmediate(resolve))
  collect()
})
