/**
 * Tasks that hold JavaScript objects, in a process of its own: `heapProgram.ts KIND CONTENDER MEGABYTES LIMIT`.
 *
 * - KIND: what a task holds, and when; see `kinds`. MEGABYTES: how much, about.
 * - CONTENDER: `adaptive`, `stepRatio`, or a number: that concurrency, fixed.
 * - LIMIT: a number of tasks to run, or of seconds (`20s`) to run tasks for.
 *
 * `HEAP_MAX` is the most in flight, `HEAP_EVERY` the milliseconds from one step of `stepRatio` to the next.
 *
 * The memory signal alone holds back, so that nothing else keeps the heap from filling.
 */
import { AutoscaledPool, ScalingPolicy, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect } from "effect"
import * as v8 from "node:v8"

export interface HeapRun {
  readonly finished: number
  readonly seconds: number
  readonly peakConcurrency: number
  /** Tasks a second in the second half of the run. */
  readonly perSecond: number
  /** The highest use of the heap that was seen, garbage included, in MB. */
  readonly peakHeap: number
}

const [kind, contender, megabytes, limit] = process.argv.slice(2)
const size = Number(megabytes)
const holding = 400

const record = (id: number) => ({ id, name: `record ${id}`, tags: ["a", "b"], price: id * 1.1, next: { id: -id } })

/** About 10,000 of these are 2.2 MB of objects. */
const recordsPerMegabyte = 4500
const records = (megabytes: number) => Array.from({ length: megabytes * recordsPerMegabyte }, (_, id) => record(id))

const page = JSON.stringify(records(1))
const parsed = (): unknown => JSON.parse(page)
const text = (): unknown => Array.from({ length: 1000 }, (_, i) => Buffer.alloc(1000, `${i} text `).toString("latin1"))
const map = (): unknown => new Map(Array.from({ length: 11_000 }, (_, id) => [`key ${id}`, { id }]))
const array = (): unknown => Array.from({ length: 131_072 }, () => 0.5)

/** Makes so many parts, one per turn of the event loop, and holds them all. */
const hold = (parts: number, make: () => unknown, pause = 0) =>
  Effect.gen(function*() {
    const held: Array<unknown> = []
    for (let i = 0; i < parts; i++) {
      held.push(make())
      yield* pause === 0 ? turn : Effect.sleep(pause)
    }
    if (pause === 0) yield* Effect.sleep(holding)
    return held.length
  })

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

let garbage: unknown
const litter = Effect.gen(function*() {
  for (let i = 0; i < 40; i++) {
    garbage = [garbage, parsed()].slice(1)
    yield* Effect.sleep(10)
  }
})

const kinds: Readonly<Record<string, Effect.Effect<unknown>>> = {
  json: hold(size, parsed),
  strings: hold(size, text),
  maps: hold(size, map),
  arrays: hold(size, array),
  slow: hold(size, parsed, holding / size),
  late: Effect.andThen(Effect.sleep(holding), hold(size, parsed)),
  once: hold(1, () => records(size)),
  litter: Effect.all([hold(size, parsed), litter], { concurrency: "unbounded" })
}

const fixed = Number(contender)
const policy = contender === "adaptive" ? { policy: ScalingPolicy.adaptive() } : {
  autoscaleInterval: Number(process.env.HEAP_EVERY ?? 1000),
  scaleUpStepRatio: 0.2
} as const
const settings = Number.isNaN(fixed)
  ? { ...policy, concurrencySettings: { maxConcurrency: Number(process.env.HEAP_MAX ?? 50) } }
  : { concurrencySettings: { minConcurrency: fixed, maxConcurrency: fixed, desiredConcurrency: fixed } }

const seconds = limit.endsWith("s") ? Number.parseFloat(limit) : Infinity
const tasks = seconds === Infinity ? Number(limit) : Infinity

const source = function*() {
  for (let i = 0; i < tasks; i++) yield i
}

const program = Effect.gen(function*() {
  const ends: Array<number> = []
  let peakHeap = 0
  const begin = performance.now()
  const pool = yield* AutoscaledPool.fromSource(
    TaskSource.fromIterable(source()),
    () => Effect.andThen(kinds[kind], Effect.sync(() => ends.push(performance.now() - begin))),
    { loggingInterval: null, ...settings }
  )
  const watch = Effect.sync(() => (peakHeap = Math.max(peakHeap, v8.getHeapStatistics().used_heap_size)))
  yield* Effect.forkChild(Effect.forever(Effect.andThen(watch, Effect.sleep(50))))
  if (seconds < Infinity) yield* Effect.forkChild(Effect.andThen(Effect.sleep(seconds * 1000), pool.abort))
  const report = yield* pool.run
  const whole = performance.now() - begin
  const run: HeapRun = {
    finished: ends.length,
    seconds: whole / 1000,
    peakConcurrency: report.peakConcurrency,
    perSecond: ends.filter((end) => end > whole / 2).length / whole * 2000,
    peakHeap: peakHeap / 2 ** 20
  }
  process.stdout.write(`${JSON.stringify(run)}\n`)
})

const status = NodeSystemStatus.layer({ cpu: false, eventLoop: false, client: false })

await Effect.runPromise(Effect.scoped(Effect.provide(program, status)))
process.exit(0)
