/**
 * A program with a dashboard: two pools with something to show. Prints the link as its first line.
 */
import { AutoscaledPool, ScalingPolicy, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { PoolDashboard } from "@autoscaled-pool/dashboard"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Console, Effect, Layer, Logger } from "effect"

const [mode = "live", port = "0"] = process.argv.slice(2)
const items = Array.from({ length: 4000 }, (_, n) => n)

const program = Effect.gen(function*() {
  const { url } = yield* PoolDashboard.PoolDashboard
  yield* Console.log(url)
  const crawl = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(items), (n) => Effect.sleep(200 + n % 400), {
    name: "crawl",
    policy: ScalingPolicy.adaptive(),
    concurrencySettings: { maxConcurrency: 64, desiredConcurrency: 4 }
  })
  const parse = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(items), () => Effect.sleep(500), {
    name: "parse",
    concurrencySettings: { maxConcurrency: 8, desiredConcurrency: 8 }
  })
  yield* Effect.all([crawl.run, parse.run], { concurrency: 2 })
})

const status = mode === "live" ? NodeSystemStatus.layer() : SystemStatus.layer({ signals: [] })
await Effect.runPromise(
  program.pipe(Effect.provide(Layer.mergeAll(PoolDashboard.layer({ port: Number(port) }), status, Logger.layer([]))))
)
