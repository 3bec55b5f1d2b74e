/**
 * What the `memory` signal makes of a JavaScript heap, a line of JSON for each sample:
 *
 * - `fill`: live arrays, until the old generation holds as many MB as the second argument says.
 * - `garbage`: that many MB live, and besides it what dies only after it was promoted, for four seconds.
 */
import { SystemStatus } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect } from "effect"
import * as v8 from "node:v8"
import { MB, tell } from "./group.ts"

const [way, amount] = process.argv.slice(2)

const old = () =>
  v8.getHeapSpaceStatistics().filter(({ space_name: name }) => !/^(new|read_only)_/.test(name))
    .reduce((sum, { space_used_size: used }) => sum + used, 0) / MB

const sample = Effect.gen(function*() {
  const { signals: { memory } } = yield* SystemStatus.SystemStatus.use((status) => status.current)
  const { load, own } = memory
  tell({ load, own, of: memory.measure?.of, isOverloaded: load > memory.target, old: old(), held: live.length })
})

const live: Array<unknown> = []
const array = () => Array.from({ length: 131_072 }, () => 0.5)
const objects = () => Array.from({ length: 2000 }, (_, id) => ({ id, name: `object ${id}`, next: { id } }))

const fill = Effect.gen(function*() {
  while (old() < Number(amount)) {
    live.push(array())
    yield* Effect.sleep("1 millis")
  }
})

// Each object outlives two collections of the young generation, and no more than a second.
const litter = Effect.gen(function*() {
  const lately: Array<unknown> = []
  for (let i = 0; i < 4000; i++) {
    lately.push(objects())
    if (lately.length > 100) lately.splice(0, 50)
    if (i % 4 === 0) yield* Effect.sleep("1 millis")
    if (i % 100 === 99) yield* sample
  }
})

const program = Effect.gen(function*() {
  yield* SystemStatus.attend
  yield* fill
  if (way === "garbage") yield* litter
  yield* Effect.sleep("600 millis")
  yield* sample
})

const layer = NodeSystemStatus.layer({ cpu: false, eventLoop: false, client: false })

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layer)))
