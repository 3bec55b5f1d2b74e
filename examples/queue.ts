/**
 * A queue as the source: producers fill it while the pool works, and the run ends when the queue does. The queue is
 * bounded, so that producers wait for the pool where it is slower than they are.
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { type Cause, Console, Effect, Queue } from "effect"

const program = Effect.gen(function*() {
  const orders = yield* Queue.bounded<number, Cause.Done>(8)
  const produce = Effect.gen(function*() {
    for (let order = 1; order <= 50; order++) yield* Queue.offer(orders, order)
    yield* Queue.end(orders)
  })

  let total = 0
  const pool = yield* AutoscaledPool.fromSource(
    TaskSource.fromQueue(orders),
    (order) => Effect.andThen(Effect.sleep("5 millis"), Effect.sync(() => void (total += order)))
  )

  yield* Effect.forkChild(produce)
  const report = yield* pool.run
  yield* Console.log(`${report.succeeded} orders, ${total} in total`)
})

program.pipe(Effect.provide(NodeSystemStatus.layer()), NodeRuntime.runMain)
