/**
 * How much the heap holds after so many keys have passed through, each once: `keysProgram.ts KEYS`, under `--expose-gc`.
 */
import { AutoscaledPool, KeyedLimits, SystemStatus } from "@autoscaled-pool/core"
import { Effect } from "effect"
import { upTo } from "./contenders.ts"

const count = Number(process.argv[2])

const heap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const program = Effect.gen(function*() {
  const keys = yield* KeyedLimits.make({ key: (n: number) => `key ${n}`, concurrency: 1 })
  const pass = (keysToPass: number) =>
    AutoscaledPool.forEach(upTo(keysToPass), () => Effect.yieldNow, { keys, discard: true, loggingInterval: null })
  yield* pass(10_000)
  const before = heap()
  yield* pass(count)
  return (heap() - before) / 2 ** 20
})

const mebibytes = await Effect.runPromise(Effect.provide(program, SystemStatus.layer({ signals: [] })))
process.stdout.write(`${JSON.stringify({ mebibytes })}\n`)
process.exit(0)
