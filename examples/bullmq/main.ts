/**
 * A pool over BullMQ: `main.ts [REDIS-URL] [JOBS]`, of this machine by default. Each seventh job fails at its first attempt.
 */
import { AutoscaledPool } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { Queue } from "bullmq"
import { Console, Deferred, Effect } from "effect"
import * as bullmq from "./source.ts"

const url = new URL(process.argv[2] ?? "redis://127.0.0.1:6379")
const count = Number(process.argv[3] ?? 200)
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null }

const program = Effect.gen(function*() {
  const queue = yield* Effect.acquireRelease(
    Effect.sync(() => new Queue<number>("letters", { connection })),
    (queue) => Effect.promise(() => queue.close())
  )
  yield* Effect.promise(() =>
    queue.addBulk(Array.from({ length: count }, (_, n) => ({ name: "letter", data: n, opts: { attempts: 3 } })))
  )
  const source = yield* bullmq.make<number>({ queue: "letters", connection })
  const delivered = new Set<number>()
  const allDelivered = yield* Deferred.make<void>()
  const pool = yield* AutoscaledPool.fromSource(source, ({ attemptsMade, data }) =>
    Effect.gen(function*() {
      yield* Effect.sleep("10 millis")
      if (data % 7 === 0 && attemptsMade === 0) return yield* Effect.fail(new Error("the first attempt fails"))
      delivered.add(data)
      if (delivered.size === count) yield* Deferred.succeed(allDelivered, undefined)
    }), { maybeRunInterval: "50 millis", loggingInterval: null })
  yield* Effect.forkScoped(Effect.andThen(Deferred.await(allDelivered), pool.drain))
  const report = yield* pool.run
  const failed = yield* Effect.promise(() => queue.getFailedCount())
  const waiting = yield* Effect.promise(() => queue.getWaitingCount())
  yield* Console.log(
    `${report.outcome}: ${delivered.size} delivered, ${report.failed} attempts failed, ${failed} given up, ${waiting} left`
  )
})

program.pipe(Effect.scoped, Effect.provide(NodeSystemStatus.layer()), NodeRuntime.runMain)
