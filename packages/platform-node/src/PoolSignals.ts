/**
 * A pool that is drained when its process is told to end.
 *
 * @since 0.1.0
 */
import type { AlreadyRunningError, AutoscaledPool } from "@autoscaled-pool/core/AutoscaledPool"
import { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import type { RunReport } from "@autoscaled-pool/core/PoolState"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { constants } from "node:os"

/**
 * Options of {@link drainOnSignal}.
 *
 * **Details**
 *
 * - `gracePeriod`: how long tasks in flight may take to end after the first signal, longer than 0, default 25 seconds.
 *   Kubernetes kills a pod 30 seconds after SIGTERM, unless `terminationGracePeriodSeconds` says otherwise: leave some of
 *   that time to finalizers.
 * - `signals`: the signals that end the run, at least one that a process can hear, default `["SIGINT", "SIGTERM"]`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly gracePeriod?: Duration.Input | undefined
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
}

/**
 * Runs a pool, and drains it when the process receives a signal: nothing more starts, tasks in flight may end, and what
 * waits goes back to its source. When the grace period is over, or at a second signal, the run is aborted.
 *
 * **Details**
 *
 * The report says how the run ended: `"Finished"`, `"Drained"` or `"Aborted"`. An option that is invalid is an
 * `InvalidOptionsError`. Interrupting the effect without a signal interrupts the run, as for `pool.run`.
 *
 * It works under `Effect.runPromise` and under `NodeRuntime.runMain`. That one interrupts the program when a signal
 * arrives; this effect holds the interruption up until the run has ended. What follows it is interrupted then, and the
 * process ends with the exit code 130, unless `runMain` is given another `teardown`. What is to be done with the report goes
 * into the same uninterruptible region, as in the example.
 *
 * **When to use**
 *
 * Use it in place of `pool.run` in a process that others start and end: a container, a systemd unit, a queue worker.
 *
 * **Example** (A worker that ends well)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
 * import { PoolSignals } from "@autoscaled-pool/platform-node"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const jobs = TaskSource.fromIterable([1, 2, 3])
 *   const pool = yield* AutoscaledPool.fromSource(jobs, (job) => Effect.log(`job ${job}`))
 *   return yield* PoolSignals.drainOnSignal(pool, { gracePeriod: "20 seconds" }).pipe(
 *     Effect.tap((report) => Console.log(`${report.outcome}: ${report.succeeded} jobs`)),
 *     Effect.uninterruptible
 *   )
 * })
 *
 * const report = await Effect.runPromise(Effect.provide(program, SystemStatus.layerTest))
 * report.outcome // => "Finished"
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const drainOnSignal = Effect.fn("PoolSignals.drainOnSignal")(
  function*<E>(
    pool: AutoscaledPool<E>,
    { gracePeriod = "25 seconds", signals = ["SIGINT", "SIGTERM"] }: Options = {}
  ): Effect.fn.Return<RunReport, E | AlreadyRunningError | InvalidOptionsError> {
    const grace = yield* readGracePeriod(gracePeriod)
    const ending = yield* readSignals(signals)
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.scoped(Effect.gen(function*() {
        const received = yield* listen(ending)
        const run = yield* Effect.forkChild(Effect.interruptible(pool.run), { startImmediately: true })
        yield* Effect.forkScoped(Effect.interruptible(endAt(received.signals, pool, grace)))
        const waited = yield* Effect.exit(restore(Fiber.await(run)))
        if (Exit.isFailure(waited) && !received.any()) yield* Fiber.interrupt(run)
        return yield* Effect.flatten(Fiber.await(run))
      }))
    )
  }
)

const readGracePeriod = (input: Duration.Input): Effect.Effect<Duration.Duration, InvalidOptionsError> => {
  const gracePeriod = Duration.fromInput(input)
  if (Option.isSome(gracePeriod) && Duration.isGreaterThan(gracePeriod.value, Duration.zero)) {
    return Effect.succeed(gracePeriod.value)
  }
  const remedy = `Use a duration longer than 0, such as "25 seconds"; a plain number is milliseconds.`
  return Effect.fail(new InvalidOptionsError({ field: "gracePeriod", value: input, remedy }))
}

/** Each once: one that is heard twice would be its own second signal. */
const readSignals = (
  signals: ReadonlyArray<NodeJS.Signals>
): Effect.Effect<ReadonlyArray<NodeJS.Signals>, InvalidOptionsError> => {
  const isList = Array.isArray(signals) && signals.length > 0
  const value = isList ? signals.find((name) => !isHeard(name)) : signals
  if (value === undefined) return Effect.succeed([...new Set(signals)])
  const remedy = "Use signals that a process can listen to, at least one, such as [\"SIGTERM\"]."
  return Effect.fail(new InvalidOptionsError({ field: "signals", value, remedy }))
}

/** The system has such a signal, and lets a process hear it. */
const isHeard = (name: string): boolean =>
  Object.hasOwn(constants.signals, name) && name !== "SIGKILL" && name !== "SIGSTOP"

interface Received {
  readonly signals: Queue.Dequeue<NodeJS.Signals>
  readonly any: () => boolean
}

/** The signals that arrive. Whoever else listens hears them too, but later: what interrupts the program comes second. */
const listen = (signals: ReadonlyArray<NodeJS.Signals>): Effect.Effect<Received, never, Scope.Scope> =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<NodeJS.Signals>()
    let isAny = false
    const onSignal = (signal: NodeJS.Signals) => {
      isAny = true
      Queue.offerUnsafe(queue, signal)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => signals.forEach((signal) => process.prependListener(signal, onSignal))),
      () => Effect.sync(() => signals.forEach((signal) => process.removeListener(signal, onSignal)))
    )
    return { signals: queue, any: () => isAny }
  })

const endAt = <E>(signals: Queue.Dequeue<NodeJS.Signals>, pool: AutoscaledPool<E>, grace: Duration.Duration) =>
  Effect.gen(function*() {
    const first = yield* Queue.take(signals)
    yield* Effect.logInfo(`${first}: nothing more starts; tasks in flight have ${Duration.format(grace)} to end`)
    const drain = Effect.timeoutOrElse(pool.drain, { duration: grace, orElse: () => abort("The grace period is over") })
    const abort = (why: string) =>
      Effect.andThen(Effect.logWarning(`${why}: tasks in flight are interrupted`), pool.abort)
    yield* Effect.raceFirst(drain, Effect.flatMap(Queue.take(signals), (second) => abort(`A second signal, ${second}`)))
  })
