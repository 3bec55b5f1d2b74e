/**
 * A program with a view in the terminal. Its first argument says what it does besides: `logs` writes a line now and then,
 * `throws` ends with an exception that nobody catches, `data` writes its results to standard output.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { PoolProgress } from "@autoscaled-pool/platform-node"
import { Console, Effect, Layer, Logger } from "effect"

const [mode = "logs", count = "100"] = process.argv.slice(2)
const items = Array.from({ length: Number(count) }, (_, n) => n)

const task = (n: number) =>
  Effect.andThen(
    Effect.sleep(50),
    mode === "logs" && n % 5 === 0
      ? Console.log(`log line ${n} 宽`)
      : mode === "data"
      ? Effect.sync(() => process.stdout.write(`result ${n}\n`))
      : Effect.void
  )

if (mode === "throws") {
  setTimeout(() => {
    throw new Error("nobody catches this")
  }, 1000)
}

const program = Effect.gen(function*() {
  const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(items), task, {
    name: "crawl",
    concurrencySettings: { maxConcurrency: 2, desiredConcurrency: 2 }
  })
  yield* PoolProgress.attach(pool, { total: items.length })
  yield* pool.run
}).pipe(Effect.scoped)

await Effect.runPromise(
  program.pipe(Effect.provide(Layer.merge(SystemStatus.layer({ signals: [] }), Logger.layer([]))))
)
