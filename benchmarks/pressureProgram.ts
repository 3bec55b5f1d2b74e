/**
 * Endless work under pressure in a process of its own: `pressureProgram.ts WORKLOAD CONTENDER SECONDS`.
 *
 * - `mixed`: tasks of 4 times 5 ms of work on the JavaScript thread and 50 ms of waiting.
 * - `memory`: tasks that hold 50 MB of touched memory for 500 ms, under a limit of 2 GiB for the process.
 *
 * Before memory is measured, as much as the limit is touched and given back: a virtual machine whose free memory has gone
 * to its host gets it back at a twentieth of the speed, with the thread blocked, which says nothing of a policy.
 *
 * A contender is `adaptive`, `stepRatio`, or a number: that concurrency, fixed.
 */
import { AutoscaledPool, ScalingPolicy, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Clock, Effect } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"

/** What a run measured: starts and ends in seconds after the begin, sizes in MB. */
export interface Pressure {
  /** Tasks a second in each tenth second after the begin. */
  readonly perSecond: ReadonlyArray<number>
  readonly maxConcurrency: number
  readonly meanDuration: number
  /** How late the event loop was, in milliseconds. */
  readonly lateness: { readonly p50: number; readonly p99: number }
  readonly peakMemory: number
}

const spin = (millis: number) =>
  Effect.sync(() => {
    const end = performance.now() + millis
    while (performance.now() < end);
  })

const mixed = Effect.forEach([1, 2, 3, 4], () => Effect.andThen(spin(5), Effect.sleep(50)), { discard: true })

const bytes = 50_000_000
const page = 4096

const touched = () => {
  const held = new ArrayBuffer(bytes)
  const view = new Uint8Array(held)
  for (let i = 0; i < bytes; i += page) view[i] = 1
  return held
}

/** Detaching frees the memory now, and not when the collector comes by. */
const free = (held: ArrayBuffer) => void held.transfer(0)

const hold = Effect.acquireUseRelease(
  Effect.sync(touched),
  () => Effect.sleep(500),
  (held) => Effect.sync(() => free(held))
)

const warm = (limit: number) => Array.from({ length: Math.floor(limit / bytes) }, touched).forEach(free)

/** Tasks, and for those that are about memory the bytes that they may use. */
const workloads: Readonly<Record<string, { readonly task: Effect.Effect<void>; readonly limit?: number }>> = {
  mixed: { task: mixed },
  memory: { task: hold, limit: 2 ** 31 }
}

const [workload, contender, seconds] = process.argv.slice(2)
const { limit, task } = workloads[workload]
if (limit !== undefined) warm(limit)
const fixed = Number(contender)

const options = (): AutoscaledPool.PoolOptions<number> => {
  if (!Number.isNaN(fixed)) {
    return { concurrencySettings: { minConcurrency: fixed, maxConcurrency: fixed, desiredConcurrency: fixed } }
  }
  return contender === "adaptive" ? { policy: ScalingPolicy.adaptive() } : {}
}

const endless = function*() {
  for (let i = 0;; i++) yield i
}

const program = Effect.gen(function*() {
  const ends: Array<number> = []
  let durations = 0
  let peakMemory = 0
  const loop = monitorEventLoopDelay({ resolution: 5 })
  const begin = performance.now()
  const timed = Effect.gen(function*() {
    const start = yield* Clock.monotonicTimeNanos
    yield* task
    durations += Number((yield* Clock.monotonicTimeNanos) - start) / 1e6
    ends.push((performance.now() - begin) / 1000)
  })
  const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(endless()), () => timed, {
    loggingInterval: null,
    ...options()
  })
  const watch = Effect.sync(() => (peakMemory = Math.max(peakMemory, process.memoryUsage.rss())))
  yield* Effect.forkChild(Effect.repeat(watch, { while: () => Effect.as(Effect.sleep(20), true) }))
  loop.enable()
  yield* Effect.forkChild(Effect.andThen(Effect.sleep(Number(seconds) * 1000), pool.abort))
  const report = yield* pool.run
  loop.disable()
  const tenths = Array.from({ length: Math.floor(Number(seconds) / 10) }, (_, i) => i * 10)
  const pressure: Pressure = {
    perSecond: tenths.map((from) => ends.filter((end) => end >= from && end < from + 10).length / 10),
    maxConcurrency: report.peakConcurrency,
    meanDuration: durations / ends.length,
    lateness: { p50: loop.percentile(50) / 1e6 - 5, p99: loop.percentile(99) / 1e6 - 5 },
    peakMemory: peakMemory / 1e6
  }
  process.stdout.write(`${JSON.stringify(pressure)}\n`)
})

// Whoever else keeps the machine busy must not decide what this process is measured to bear.
const status = NodeSystemStatus.layer({ cpu: false, memory: { limit } })

await Effect.runPromise(Effect.scoped(Effect.provide(program, status)))
process.exit(0)
