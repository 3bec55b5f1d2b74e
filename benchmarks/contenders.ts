/**
 * Whoever can run many tasks at a fixed concurrency: this pool, what Effect offers, and what others use.
 *
 * The pools that adapt are held at one concurrency, so that all do the same work. This pool has `minConcurrency` 1, which
 * makes it look at the verdict before each start; Crawlee's has the concurrency asked for as its minimum, because its
 * signals would close it otherwise.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { AutoscaledPool as CrawleePool, Configuration, log } from "@crawlee/core"
import { Effect, ManagedRuntime } from "effect"
import fastq from "fastq"
import pLimit from "p-limit"
import PQueue from "p-queue"
import type { Task } from "./tasks.ts"

export interface Contender {
  readonly name: string
  /** Whether it takes a task when it can start one; the others want all of them up front. */
  readonly pulls: boolean
  /** Whether a task that is an effect is run by it. */
  readonly runsEffects: boolean
  readonly run: (task: Task, tasks: number, concurrency: number) => Promise<unknown>
}

/** A status with nothing to watch: idle for ever, by the implementation that programs use. */
const idleSystem = ManagedRuntime.make(SystemStatus.layer({ signals: [] }))
/** The status of this process, all four signals. */
const nodeSystem = ManagedRuntime.make(NodeSystemStatus.layer())

/** Ends what the contenders keep running in the background. */
export const close = async (): Promise<void> => {
  await Promise.all([idleSystem.dispose(), nodeSystem.dispose()])
}

export function* upTo(count: number): Generator<number> {
  for (let n = 0; n < count; n++) yield n
}

const fixedAt = (concurrency: number) => ({
  concurrencySettings: { maxConcurrency: concurrency, desiredConcurrency: concurrency },
  loggingInterval: null
})

type EffectRun = (
  task: Effect.Effect<unknown>,
  tasks: number,
  concurrency: number
) => Effect.Effect<unknown, unknown, SystemStatus.SystemStatus>

const ofEffects = (name: string, run: EffectRun, system = idleSystem): Contender => ({
  name,
  pulls: true,
  runsEffects: true,
  run: ({ effect }, tasks, concurrency) => system.runPromise(run(effect, tasks, concurrency))
})

type PromiseRun = (task: () => Promise<unknown>, tasks: number, concurrency: number) => Promise<unknown>

const ofPromises = (name: string, pulls: boolean, run: PromiseRun): Contender => ({
  name,
  pulls,
  runsEffects: false,
  run: ({ name: task, promise }, tasks, concurrency) =>
    promise === undefined
      ? Promise.reject(new Error(`${name} cannot run the task "${task}"`))
      : run(promise, tasks, concurrency)
})

const fromSource: EffectRun = (task, tasks, concurrency) =>
  Effect.flatMap(
    AutoscaledPool.fromSource(TaskSource.fromIterable(upTo(tasks)), () => task, fixedAt(concurrency)),
    (pool) => pool.run
  )

export const ours = {
  fromSource: ofEffects("fromSource", fromSource),
  forEach: ofEffects(
    "forEach",
    (task, tasks, concurrency) =>
      AutoscaledPool.forEach(upTo(tasks), () => task, { ...fixedAt(concurrency), discard: true })
  ),
  make: ofEffects("make", (task, tasks, concurrency) =>
    Effect.suspend(() => {
      let left = tasks
      return Effect.flatMap(
        AutoscaledPool.make({
          runTask: task,
          isTaskReady: Effect.sync(() => left-- > 0),
          isFinished: Effect.succeed(true),
          ...fixedAt(concurrency)
        }),
        (pool) => pool.run
      )
    })),
  withNodeSignals: ofEffects("fromSource, Node signals", (task, tasks, concurrency) =>
    Effect.flatMap(
      AutoscaledPool.fromSource(TaskSource.fromIterable(upTo(tasks)), () => task, {
        ...fixedAt(concurrency),
        concurrencySettings: { ...fixedAt(concurrency).concurrencySettings, minConcurrency: concurrency }
      }),
      (pool) => pool.run
    ), nodeSystem)
}

export const effectForEach = ofEffects(
  "Effect.forEach",
  (task, tasks, concurrency) => Effect.forEach(upTo(tasks), () => task, { concurrency, discard: true })
)

/** The least that a design on promises can cost. */
export const promiseLoop = ofPromises("promise loop", true, async (task, tasks, concurrency) => {
  let next = 0
  const takeTurns = async (): Promise<void> => {
    while (next < tasks) {
      next++
      await task()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, takeTurns))
})

export const pLimitContender = ofPromises("p-limit", false, (task, tasks, concurrency) => {
  const limit = pLimit(concurrency)
  return Promise.all(Array.from({ length: tasks }, () => limit(task)))
})

export const pQueueContender = ofPromises("p-queue", false, async (task, tasks, concurrency) => {
  const queue = new PQueue({ concurrency })
  for (let n = 0; n < tasks; n++) void queue.add(task)
  await queue.onIdle()
})

export const fastqContender = ofPromises("fastq", false, async (task, tasks, concurrency) => {
  const queue = fastq.promise(task, concurrency)
  for (let n = 0; n < tasks; n++) void queue.push(n)
  await queue.drained()
})

log.setLevel(log.LEVELS.OFF)

export const crawleePool = (
  options: ConstructorParameters<typeof CrawleePool>[0]
): CrawleePool => new CrawleePool(options, new Configuration({ persistStorage: false }))

/** Replaces the judge of Crawlee's signals by one that has nothing to compute. */
const withoutSignals = (pool: CrawleePool): CrawleePool => {
  const idle = { isSystemIdle: true }
  return Object.assign(pool, { systemStatus: { getCurrentStatus: () => idle, getHistoricalStatus: () => idle } })
}

const crawleeRun = (adjust: (pool: CrawleePool) => CrawleePool): PromiseRun => (task, tasks, concurrency) => {
  let left = tasks
  const pool = crawleePool({
    minConcurrency: concurrency,
    maxConcurrency: concurrency,
    desiredConcurrency: concurrency,
    runTaskFunction: task,
    isTaskReadyFunction: async () => left-- > 0,
    isFinishedFunction: async () => true
  })
  return adjust(pool).run()
}

export const crawlee = ofPromises("Crawlee", true, crawleeRun((pool) => pool))
export const crawleeWithoutSignals = ofPromises("Crawlee, no signals", true, crawleeRun(withoutSignals))

export const contenders: ReadonlyArray<Contender> = [
  ours.fromSource,
  ours.forEach,
  ours.make,
  ours.withNodeSignals,
  effectForEach,
  promiseLoop,
  pLimitContender,
  pQueueContender,
  fastqContender,
  crawlee,
  crawleeWithoutSignals
]

export const canRun = (task: Task) => ({ runsEffects }: Contender): boolean => runsEffects || task.promise !== undefined
