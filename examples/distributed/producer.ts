/**
 * Offers jobs under ids of their own, so that a producer that is run again offers nothing twice:
 * `producer.ts STORE JOBS [MILLIS]`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { jobs, layer } from "./queue.ts"

const [, , store, count, millis = "30"] = process.argv

const program = Effect.gen(function*() {
  const queue = yield* jobs
  const numbers = Array.from({ length: Number(count) }, (_, number) => number)
  // Jobs take from half of the time to one and a half.
  const jobOf = (number: number) => ({ number, millis: Number(millis) * (0.5 + (number * 7919 % 1000) / 1000) })
  yield* Effect.forEach(numbers, (number) => queue.offer(jobOf(number), { id: `${number}` }), {
    concurrency: 16,
    discard: true
  })
  yield* Console.log(`offered ${count}`)
})

program.pipe(Effect.provide(layer(store)), NodeRuntime.runMain)
