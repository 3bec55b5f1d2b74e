/**
 * The process in which one pool has nothing to do while its CPU time is read.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect, type Layer, Queue } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { crawleePool } from "./contenders.ts"

export interface IdleTime {
  readonly cpuSeconds: number
}

export interface Idler {
  readonly isOurs: boolean
  /** Begins to have nothing to do. */
  readonly begin: () => unknown
}

/** A pool that waits for items of a queue. */
const awaiting = Effect.gen(function*() {
  const queue = yield* Queue.unbounded<never>()
  const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => Effect.void)
  return yield* pool.run
})

/** A pool whose check says no whenever it is asked, every 0.5 s. */
const asking = Effect.gen(function*() {
  const pool = yield* AutoscaledPool.make({
    runTask: Effect.void,
    isTaskReady: Effect.succeed(false),
    isFinished: Effect.succeed(false)
  })
  return yield* pool.run
})

const ofOurs = <E, E2>(
  pool: Effect.Effect<unknown, E, SystemStatus.SystemStatus>,
  system: Layer.Layer<SystemStatus.SystemStatus, E2>
): Idler => ({ isOurs: true, begin: () => Effect.runFork(Effect.provide(pool, system)) })

const noSignals = SystemStatus.layer({ signals: [] })

export const idlers: Readonly<Record<string, Idler>> = {
  "a timer": { isOurs: false, begin: () => {} },
  "fromQueue, no signals": ofOurs(awaiting, noSignals),
  "fromQueue, Node signals": ofOurs(awaiting, NodeSystemStatus.layer()),
  "make, no signals": ofOurs(asking, noSignals),
  "make, Node signals": ofOurs(asking, NodeSystemStatus.layer()),
  "Crawlee": {
    isOurs: false,
    begin: () =>
      crawleePool({
        runTaskFunction: async () => {},
        isTaskReadyFunction: async () => false,
        isFinishedFunction: async () => false
      }).run()
  }
}

const measure = async (name: string, settle: number, seconds: number): Promise<IdleTime> => {
  void idlers[name].begin()
  await sleep(settle * 1000)
  const before = process.cpuUsage()
  await sleep(seconds * 1000)
  const { system, user } = process.cpuUsage(before)
  return { cpuSeconds: (system + user) / 1e6 }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, settle, seconds] = process.argv.slice(2)
  console.log(JSON.stringify(await measure(name, Number(settle), Number(seconds))))
  process.exit()
}
