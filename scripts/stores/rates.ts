/**
 * Jobs a second through a pool, against bare takes of the same queue: the two take turns, because a machine is not equally
 * fast all the time.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import type { QueueStore } from "@autoscaled-pool/platform-node"
import { Deferred, Effect, Layer, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"
import { median } from "../../benchmarks/statistics.ts"

export interface Workload {
  readonly jobs: number
  /** What a job takes, in milliseconds; 0 is a job that does nothing. */
  readonly millis: number
  readonly rounds: number
}

export interface Rates {
  /** Jobs a second, the median of the rounds. */
  readonly offers: number
  readonly bare: number
  readonly pooled: number
  /** CPU time of a job in microseconds, the median of the rounds. */
  readonly bareCpu: number
  readonly pooledCpu: number
  /** Pool against bare in each round. */
  readonly ratios: ReadonlyArray<number>
}

/** How many jobs are in hand at most, either way. */
const slots = 16

/** Of each round, what is done before the clock starts: connections, compiled code, the first look for items. */
const warmUp = 0.1

type Numbers = PersistedQueue.PersistedQueue<number>

type Way = (queue: Numbers, job: Effect.Effect<void>) => Effect.Effect<unknown, unknown, SystemStatus.SystemStatus>

const bare: Way = (queue, job) => {
  const taking = Effect.forever(queue.take(() => job))
  return Effect.forEach(Array.from({ length: slots }), () => taking, { concurrency: slots, discard: true })
}

const pooled: Way = (queue, job) =>
  Effect.flatMap(
    AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(queue), () => job, {
      concurrencySettings: { minConcurrency: slots, maxConcurrency: slots, desiredConcurrency: slots },
      loggingInterval: null
    }),
    (pool) => pool.run
  )

interface Round {
  /** Jobs a second. */
  readonly rate: number
  /** CPU time of a job, in microseconds. */
  readonly cpu: number
}

/** From the time when the first tenth is done. */
const rateOf = Effect.fnUntraced(function*(way: Way, queue: Numbers, { jobs, millis }: Workload) {
  const ended = yield* Deferred.make<Round>()
  const first = Math.floor(jobs * warmUp)
  let done = 0
  let start = 0
  let startCpu = process.cpuUsage()
  const round = (): Round => {
    const { system, user } = process.cpuUsage(startCpu)
    return { rate: (jobs - first) / (performance.now() - start) * 1000, cpu: (system + user) / (jobs - first) }
  }
  const count = Effect.suspend(() => {
    done++
    if (done === first) {
      start = performance.now()
      startCpu = process.cpuUsage()
    }
    return done === jobs ? Deferred.succeed(ended, round()) : Effect.void
  })
  const job = Effect.asVoid(millis > 0 ? Effect.andThen(Effect.sleep(millis), count) : count)
  return yield* Effect.raceFirst(Effect.andThen(way(queue, job), Effect.never), Deferred.await(ended))
})

const offerAll = Effect.fnUntraced(function*(queue: Numbers, jobs: number) {
  const start = performance.now()
  yield* Effect.forEach(Array.from({ length: jobs }, (_, n) => n), (n) => queue.offer(n), {
    concurrency: slots,
    discard: true
  })
  return jobs / (performance.now() - start) * 1000
})

export const measure = (
  store: ReturnType<typeof QueueStore.layerSqlite>,
  workload: Workload
): Promise<Rates> => {
  const offers: Array<number> = []
  const found = { bare: [] as Array<Round>, pooled: [] as Array<Round> }
  const ways = { bare, pooled }
  const program = Effect.gen(function*() {
    for (let round = 0; round < workload.rounds; round++) {
      for (const name of round % 2 === 0 ? ["bare", "pooled"] as const : ["pooled", "bare"] as const) {
        const queue = yield* PersistedQueue.make({
          name: `${name}${round}-${workload.millis}`,
          schema: Schema.Number
        })
        offers.push(yield* offerAll(queue, workload.jobs))
        found[name].push(yield* rateOf(ways[name], queue, workload))
      }
    }
  })
  const layers = Layer.merge(Layer.provide(PersistedQueue.layer, store), SystemStatus.layerTest)
  return Effect.runPromise(Effect.as(Effect.provide(program, layers), undefined)).then(() => ({
    offers: median(offers),
    bare: median(found.bare.map(({ rate }) => rate)),
    pooled: median(found.pooled.map(({ rate }) => rate)),
    bareCpu: median(found.bare.map(({ cpu }) => cpu)),
    pooledCpu: median(found.pooled.map(({ cpu }) => cpu)),
    ratios: found.bare.map(({ rate }, round) => found.pooled[round].rate / rate)
  }))
}
