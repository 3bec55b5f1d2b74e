/**
 * A worker that ends well: at SIGTERM (`docker stop`, `kubectl delete pod`) or Ctrl-C it starts nothing more, lets its jobs
 * end, and says what it did. A second signal, or the end of the grace period, interrupts what is still in flight.
 *
 * Kubernetes sends SIGKILL 30 seconds after SIGTERM (`terminationGracePeriodSeconds`), so the grace period stays below that.
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus, PoolSignals } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Logger, Runtime } from "effect"

/** How long a job takes, in milliseconds: `node examples/drain.ts 60000` has jobs that a grace period must end. */
const millis = Number(process.argv[2] ?? 1_000)

const program = Effect.gen(function*() {
  let stopped = 0
  const job = Effect.sleep(millis).pipe(Effect.onInterrupt(() => Effect.sync(() => stopped++)))
  const jobs = TaskSource.fromIterable({ [Symbol.iterator]: () => ({ next: () => ({ value: job }) }) })
  const pool = yield* AutoscaledPool.fromSource(jobs, (job) => job, { concurrencySettings: { maxConcurrency: 4 } })
  yield* Effect.forkChild(Effect.delay(Console.log("working"), "100 millis"))

  // Uninterruptible, because runMain interrupts the program at a signal, and the report would never be seen.
  yield* PoolSignals.drainOnSignal(pool, { gracePeriod: "25 seconds" }).pipe(
    Effect.tap(({ outcome }) => Console.log(`${outcome}, ${stopped} jobs cut short`)),
    Effect.uninterruptible
  )
})

program.pipe(
  Effect.provide(NodeSystemStatus.layer()),
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])),
  // A program that a signal has ended has the exit code 130; a worker that was told to end, and did, is a success.
  NodeRuntime.runMain({
    teardown: (exit, onExit) => Runtime.defaultTeardown(exit, (code) => onExit(code === 130 ? 0 : code))
  })
)
