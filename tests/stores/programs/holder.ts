/**
 * Takes one item and holds it, until it is killed: `holder.ts URL QUEUE`.
 */
import { Console, Effect, Layer } from "effect"
import { PersistedQueue } from "effect/persistence"
import { jobsOf, ours } from "../stores.ts"

const program = Effect.gen(function*() {
  const queue = yield* jobsOf(process.argv[3])
  yield* queue.take((value) => Effect.andThen(Console.log(`holding ${value}`), Effect.sleep("1 hour")))
})

await Effect.runPromise(program.pipe(Effect.provide(PersistedQueue.layer.pipe(Layer.provide(ours(process.argv[2]))))))
