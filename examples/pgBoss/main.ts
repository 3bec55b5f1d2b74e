/**
 * A pool over pg-boss: `main.ts [POSTGRES-URL] [JOBS]`, of this machine by default. Each seventh job fails at its first attempt.
 */
import { AutoscaledPool } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Deferred, Effect } from "effect"
import { PgBoss } from "pg-boss"
import * as pgBoss from "./source.ts"

const url = process.argv[2] ?? "postgres://postgres@127.0.0.1:5432/postgres"
const count = Number(process.argv[3] ?? 200)

const program = Effect.gen(function*() {
  const boss = yield* Effect.acquireRelease(
    Effect.promise(() => new PgBoss(url).on("error", () => {}).start()),
    (boss) => Effect.promise(() => boss.stop({ graceful: false }))
  )
  yield* Effect.promise(() => boss.createQueue("letters", { retryLimit: 3, retryDelay: 0, heartbeatSeconds: 10 }))
  yield* Effect.promise(() => boss.insert("letters", Array.from({ length: count }, (_, n) => ({ data: { n } }))))
  const delivered = new Set<number>()
  const allDelivered = yield* Deferred.make<void>()
  const pool = yield* AutoscaledPool.fromSource(
    pgBoss.make<{ readonly n: number }>(boss, "letters"),
    ({ data: { n }, retryCount }) =>
      Effect.gen(function*() {
        yield* Effect.sleep("10 millis")
        if (n % 7 === 0 && retryCount === 0) return yield* Effect.fail(new Error("the first attempt fails"))
        delivered.add(n)
        if (delivered.size === count) yield* Deferred.succeed(allDelivered, undefined)
      }),
    { maybeRunInterval: "50 millis", loggingInterval: null }
  )
  yield* Effect.forkScoped(Effect.andThen(Deferred.await(allDelivered), pool.drain))
  const report = yield* pool.run
  const { deferredCount = 0, queuedCount = 0 } = (yield* Effect.promise(() => boss.getQueueStats("letters"))) as {
    readonly deferredCount?: number
    readonly queuedCount?: number
  }
  yield* Console.log(
    `${report.outcome}: ${delivered.size} delivered, ${report.failed} attempts failed, ${
      deferredCount + queuedCount
    } left`
  )
})

program.pipe(Effect.scoped, Effect.provide(NodeSystemStatus.layer()), NodeRuntime.runMain)
