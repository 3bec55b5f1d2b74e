/**
 * A signal of the program's own: how many connections to a database are in use. While nearly all are, no task starts
 * beyond the minimum, whatever the machine could bear.
 */
import { AutoscaledPool, LoadSignal } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"

const connections = { size: 10, inUse: 0 }

const withConnection = <A, E, R>(query: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => connections.inUse++),
    () => query,
    () => Effect.sync(() => connections.inUse--)
  )

const database = LoadSignal.makeUnsafe({
  name: "database",
  overloadedRatio: 0.2,
  target: 0.8,
  every: "50 millis",
  sample: Effect.sync(() => ({ load: connections.inUse / connections.size }))
})

const program = Effect.gen(function*() {
  let rows = 30
  const pool = yield* AutoscaledPool.make({
    runTask: withConnection(Effect.andThen(Effect.sync(() => rows--), Effect.sleep("150 millis"))),
    isTaskReady: Effect.sync(() => rows > 0),
    isFinished: Effect.sync(() => rows <= 0),
    concurrencySettings: { desiredConcurrency: 10, maxConcurrency: 10 }
  })
  const report = yield* pool.run
  const { system } = yield* pool.state
  yield* Console.log(`${report.succeeded} rows; signals: ${Object.keys(system.signals).join(", ")}`)
  yield* Console.log(`held back by an overload: ${(report.blockedShare.Overloaded ?? 0) > 0}`)
})

const system = NodeSystemStatus.layer({ custom: [database], currentWindow: "1 second" })

program.pipe(Effect.provide(system), NodeRuntime.runMain)
