/**
 * Three ways to end a run early: interrupting the fiber that runs it, `abort` from another fiber, and `abort` from
 * inside a task. Each waits for the finalizers of every task, and the next run goes on where the last one stopped.
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber, Option } from "effect"

function* naturals() {
  for (let n = 0;; n++) yield n
}

const program = Effect.gen(function*() {
  let open = 0
  let isEnough = false

  const task = (n: number): Effect.Effect<void> =>
    Effect.acquireUseRelease(
      Effect.sync(() => open++),
      () => isEnough ? pool.abort : Effect.sleep(`${10 + n % 10} millis`),
      () => Effect.sync(() => open--)
    )
  const pool: AutoscaledPool.AutoscaledPool<AutoscaledPool.TaskTimeoutError> = yield* AutoscaledPool.fromSource(
    TaskSource.fromIterable(naturals()),
    task
  )

  const interrupted = yield* Effect.timeoutOption(pool.run, "200 millis")
  yield* Console.log(`interrupted: ${Option.isNone(interrupted)}, ${open} tasks left open`)

  const run = yield* Effect.forkChild(pool.run)
  yield* Effect.sleep("200 millis")
  yield* pool.abort
  const aborted = yield* Fiber.join(run)
  yield* Console.log(`from outside: ${aborted.outcome}, ${open} tasks left open`)

  isEnough = true
  const ended = yield* pool.run
  yield* Console.log(`from inside: ${ended.outcome}, ${open} tasks left open`)
})

program.pipe(Effect.provide(NodeSystemStatus.layer()), NodeRuntime.runMain)
