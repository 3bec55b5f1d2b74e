/**
 * Adaptive pools of equal work under one governor, in a process of its own: `sharingProgram.ts POOLS SECONDS`. Each task
 * holds 40 MB of touched memory for one to two seconds, under a limit of 1 GiB for the process, which so is what binds.
 */
import { AutoscaledPool, ConcurrencyGovernor, ScalingPolicy, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect, Random } from "effect"

/** What the pools did, and the most memory that the process had, in MB. */
export interface Shared {
  readonly pools: number
  readonly tasks: ReadonlyArray<number>
  readonly peakMemory: number
}

// The C library keeps freed blocks of less than 32 MiB, in an order that is chance: a run would tell of that instead.
const bytes = 40_000_000
const page = 4096
const limit = 2 ** 30

const touched = () => {
  const held = new ArrayBuffer(bytes)
  const view = new Uint8Array(held)
  for (let i = 0; i < bytes; i += page) view[i] = 1
  return held
}

const free = (held: ArrayBuffer) => void held.transfer(0)

const hold = Effect.acquireUseRelease(
  Effect.sync(touched),
  () => Effect.flatMap(Random.nextBetween(1_000, 2_000), (millis) => Effect.sleep(millis)),
  (held) => Effect.sync(() => free(held))
)

const endless = function*() {
  for (let i = 0;; i++) yield i
}

const [pools, seconds] = process.argv.slice(2).map(Number)
// A virtual machine whose free memory has gone to its host gets it back slowly, which says nothing of a policy.
Array.from({ length: Math.floor(limit / bytes) }, touched).forEach(free)

const program = Effect.gen(function*() {
  let peakMemory = 0
  const governor = yield* ConcurrencyGovernor.make({}, { policy: ScalingPolicy.adaptive() })
  const watch = Effect.sync(() => (peakMemory = Math.max(peakMemory, process.memoryUsage.rss())))
  yield* Effect.forkChild(Effect.repeat(watch, { while: () => Effect.as(Effect.sleep(20), true) }))
  const run = Effect.gen(function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(endless()), () => hold, {
      governor,
      loggingInterval: null
    })
    yield* Effect.forkChild(Effect.andThen(Effect.sleep(seconds * 1000), pool.abort))
    return (yield* pool.run).succeeded
  })
  const tasks = yield* Effect.replicateEffect(run, pools, { concurrency: "unbounded" })
  const shared: Shared = { pools, tasks, peakMemory: peakMemory / 1e6 }
  process.stdout.write(`${JSON.stringify(shared)}\n`)
})

// Whoever else keeps the machine busy must not decide what this process is measured to bear.
const status = NodeSystemStatus.layer({ cpu: false, memory: { limit } })

await Effect.runPromise(Effect.scoped(Effect.provide(program, status)))
process.exit(0)
