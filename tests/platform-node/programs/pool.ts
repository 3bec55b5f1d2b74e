/**
 * Runs 300 tasks that hold 40 MB each for 300 milliseconds: with `adapted` in a pool that sees the memory limit, with
 * `fixed` 50 at once whatever happens.
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect } from "effect"
import { hold, MB, tell } from "./group.ts"

let finished = 0
let inFlight = 0
let peak = 0

const task = Effect.acquireUseRelease(
  Effect.sync(() => {
    peak = Math.max(peak, ++inFlight)
    return { buffer: hold(40 * MB) as Buffer | undefined }
  }),
  () => Effect.sleep("300 millis"),
  (held) =>
    Effect.sync(() => {
      held.buffer = undefined
      globalThis.gc?.()
      inFlight--
      finished++
    })
)

// Whatever else runs on the machine must not slow this program down.
const memoryAlone = NodeSystemStatus.layer({ cpu: false, eventLoop: false, client: false })

const tasks = Array.from({ length: 300 }, (_, index) => index)

const adapted = Effect.gen(function*() {
  const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(tasks), () => task, {
    concurrencySettings: { desiredConcurrency: 4, maxConcurrency: 50 },
    loggingInterval: null
  })
  yield* pool.run
}).pipe(Effect.scoped, Effect.provide(memoryAlone))

const fixed = Effect.forEach(tasks, () => task, { concurrency: 50, discard: true })

await Effect.runPromise(process.argv[3] === "adapted" ? adapted : fixed)
tell({ finished, peak })
