/**
 * Holds 480 MB of a memory limit of 512 MB, lets go, and tells what the `memory` signal makes of it, a line each time.
 * The argument is the directory of its control group.
 */
import { SystemStatus } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect } from "effect"
import * as fs from "node:fs"
import { bytesOf, hold, MB, tell } from "./group.ts"

const directory = process.argv[2]

const workingSet = () => {
  const [, inactive] = /^total_inactive_file (\d+)$/m.exec(fs.readFileSync(`${directory}/memory.stat`, "utf8")) ??
    /^inactive_file (\d+)$/m.exec(fs.readFileSync(`${directory}/memory.stat`, "utf8")) ?? []
  return bytesOf(directory, "memory.usage_in_bytes", "memory.current") - Number(inactive)
}

const memory = Effect.map(
  SystemStatus.SystemStatus.use((status) => status.current),
  (info) => info.signals.memory
)

// A steady state is one that two samples have seen.
const report = (phase: string) =>
  Effect.gen(function*() {
    yield* Effect.sleep("600 millis")
    const { isOverloaded, load, own } = yield* memory
    tell({ phase, isOverloaded, load, own, workingSet: workingSet() })
  })

const until = (isOverloaded: boolean) =>
  memory.pipe(
    Effect.delay("100 millis"),
    Effect.repeat({ until: (info) => info.isOverloaded === isOverloaded }),
    Effect.timeout("20 seconds")
  )

const program = Effect.gen(function*() {
  yield* report("begin")
  const held: Array<Buffer> = []
  while (workingSet() < 480 * MB) {
    held.push(hold(2 * MB))
    yield* Effect.sleep("1 millis")
  }
  yield* until(true)
  yield* report("holding")
  held.length = 0
  globalThis.gc?.()
  yield* until(false)
  yield* report("released")
})

const layer = NodeSystemStatus.layer({ cpu: false, eventLoop: false, client: false })

await Effect.runPromise(program.pipe(Effect.provide(layer)))
