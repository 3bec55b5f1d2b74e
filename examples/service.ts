/**
 * A pool as a service of an application: a tag of its own, built in a layer from the services that its tasks need.
 */
import { AutoscaledPool } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Context, Effect, Layer } from "effect"

class Mailbox extends Context.Service<Mailbox, {
  readonly size: Effect.Effect<number>
  readonly next: Effect.Effect<string | undefined>
}>()("app/Mailbox") {
  static readonly layer = Layer.sync(Mailbox, () => {
    const letters = Array.from({ length: 20 }, (_, n) => `letter ${n}`)
    return { size: Effect.sync(() => letters.length), next: Effect.sync(() => letters.shift()) }
  })
}

const deliver = (letter: string) => Effect.as(Effect.sleep("20 millis"), letter)

class Delivery extends AutoscaledPool.Service<Delivery>()(
  "app/Delivery",
  Effect.gen(function*() {
    const mailbox = yield* Mailbox
    return {
      runTask: Effect.flatMap(mailbox.next, (letter) => letter === undefined ? Effect.void : deliver(letter)),
      isTaskReady: Effect.map(mailbox.size, (size) => size > 0),
      isFinished: Effect.map(mailbox.size, (size) => size === 0),
      taskTimeout: "30 seconds"
    }
  })
) {}

const program = Effect.gen(function*() {
  const delivery = yield* Delivery
  const report = yield* delivery.run
  yield* Console.log(`${report.outcome}: ${report.succeeded} letters delivered`)
})

program.pipe(
  Effect.provide(Delivery.layer),
  Effect.provide([Mailbox.layer, NodeSystemStatus.layer()]),
  NodeRuntime.runMain
)
