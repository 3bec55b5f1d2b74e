/**
 * Thirteen workloads that each stress one or two resources: the public set on which policies are compared.
 *
 * @since 0.1.0
 */
import * as Workload from "./Workload.ts"

const { call, cpu, eventLoop, wait } = Workload

/**
 * 0.2 s of CPU and 0.3 s of waiting on a box of 4 cores.
 *
 * @category workloads
 * @since 0.1.0
 */
export const cpu4 = Workload.make({
  name: "cpu4",
  summary: "CPU-bound, 4 cores",
  duration: "10 minutes",
  phases: [{ cores: 4 }],
  task: (random) => ({
    stages: [cpu(random.lognormal(100, 0.5)), wait(random.lognormal(300, 0.5)), cpu(random.lognormal(100, 0.5))],
    memory: 10
  })
})

/**
 * 0.3 s of CPU and 0.9 s of waiting on a box of 32 cores.
 *
 * @category workloads
 * @since 0.1.0
 */
export const cpu32 = Workload.make({
  name: "cpu32",
  summary: "CPU-bound, 32 cores",
  phases: [{ cores: 32, memoryLimit: 64_000 }],
  task: (random) => ({
    stages: [cpu(random.lognormal(150, 0.5)), wait(random.lognormal(900, 0.5)), cpu(random.lognormal(150, 0.5))],
    memory: 20
  })
})

/**
 * Tasks of 7 s that grow to 140 MB within 5 s, in 4 GB.
 *
 * @category workloads
 * @since 0.1.0
 */
export const memory = Workload.make({
  name: "mem",
  summary: "memory-bound, long tasks that grow, 4 GB",
  baseMemory: 300,
  phases: [{ memoryLimit: 4096 }],
  task: (random) => ({
    stages: [cpu(200), wait(random.lognormal(7000, 0.5)), cpu(200)],
    memory: random.lognormal(140, 0.6),
    memoryRamp: 5000
  })
})

/**
 * 20 ms of synchronous JavaScript and 0.4 s of waiting.
 *
 * @category workloads
 * @since 0.1.0
 */
export const loop = Workload.make({
  name: "loop",
  summary: "bound by the one JavaScript thread",
  duration: "10 minutes",
  task: (random) => ({
    stages: [
      eventLoop(random.lognormal(10, 0.7)),
      wait(random.lognormal(400, 0.5)),
      eventLoop(random.lognormal(10, 0.7))
    ],
    memory: 5
  })
})

/** A task that calls the downstream service for `mean` milliseconds of one server. */
const caller = (mean: number, variation: number) => (random: Workload.TaskRandom): Workload.Task => ({
  stages: [wait(50), call(random.lognormal(mean, variation)), cpu(5)],
  memory: 5
})

/**
 * A service of 40 servers that slows beyond its knee.
 *
 * @category workloads
 * @since 0.1.0
 */
export const knee = Workload.make({
  name: "knee",
  summary: "calls a service with a knee at 40 calls",
  duration: "10 minutes",
  phases: [{ downstream: { servers: 40, slowdown: 0.15, timeout: 5000 } }],
  task: caller(250, 0.6)
})

/**
 * A service that refuses all beyond 30 calls at once.
 *
 * @category workloads
 * @since 0.1.0
 */
export const refusing = Workload.make({
  name: "r429",
  summary: "calls a service that refuses beyond 30 calls",
  duration: "10 minutes",
  phases: [{ downstream: { servers: 30, rejectAbove: 30, rejectionCost: 0.05 } }],
  task: caller(300, 0.5)
})

/**
 * A service that loses three quarters of its servers for five minutes.
 *
 * @category workloads
 * @since 0.1.0
 */
export const step = Workload.make({
  name: "step",
  summary: "calls a service of 60, then 15, then 60 servers",
  phases: [
    { downstream: { servers: 60, slowdown: 0.15, timeout: 10_000 } },
    { startsAt: "5 minutes", downstream: { servers: 15 } },
    { startsAt: "10 minutes", downstream: { servers: 60 } }
  ],
  task: caller(250, 0.6)
})

/**
 * 12 threads and 3 GB of a neighbour on 8 cores for five minutes.
 *
 * @category workloads
 * @since 0.1.0
 */
export const noisy = Workload.make({
  name: "noisy",
  summary: "CPU-bound beside a neighbour that comes and goes",
  baseMemory: 300,
  phases: [
    { memoryLimit: 8000 },
    { startsAt: "5 minutes", neighbourThreads: 12, neighbourMemory: 3000 },
    { startsAt: "10 minutes", neighbourThreads: 0, neighbourMemory: 0 }
  ],
  task: (random) => ({
    stages: [cpu(random.lognormal(150, 0.5)), wait(random.lognormal(600, 0.5)), cpu(random.lognormal(150, 0.5))],
    memory: random.lognormal(80, 0.5)
  })
})

/**
 * Light requests and heavy browser tasks; the share of heavy ones rises from 10 % to 60 %.
 *
 * @category workloads
 * @since 0.1.0
 */
export const mixed = Workload.make({
  name: "mixed",
  summary: "light and heavy tasks, 6 GB; the heavy share rises from 10 to 60 %",
  baseMemory: 300,
  phases: [{ memoryLimit: 6000, values: { heavyShare: 0.1 } }, { startsAt: 450_000, values: { heavyShare: 0.6 } }],
  task: (random, phase) =>
    random.chance(phase.values.heavyShare) ?
      {
        stages: [cpu(random.lognormal(500, 0.5)), wait(random.lognormal(2000, 0.5)), cpu(random.lognormal(300, 0.5))],
        memory: random.lognormal(180, 0.4),
        memoryRamp: 1500
      } :
      { stages: [eventLoop(4), wait(random.lognormal(300, 0.5)), eventLoop(4)], memory: 8, memoryRamp: 200 }
})

/**
 * Browser sessions of 20 s: few completions to learn from.
 *
 * @category workloads
 * @since 0.1.0
 */
export const slow = Workload.make({
  name: "slow",
  summary: "CPU-bound tasks of 20 seconds",
  duration: "20 minutes",
  phases: [{ memoryLimit: 32_000 }],
  task: (random) => ({
    stages: [cpu(random.lognormal(1000, 0.5)), wait(random.lognormal(18_000, 0.3)), cpu(random.lognormal(1000, 0.5))],
    memory: 200,
    memoryRamp: 4000
  })
})

/**
 * A distant site that answers four times as slowly for five minutes, with no loss of capacity: more concurrency is right.
 *
 * @category workloads
 * @since 0.1.0
 */
export const latencyShift = Workload.make({
  name: "latshift",
  summary: "waits that grow fourfold without any loss of capacity",
  phases: [
    { cores: 2, values: { factor: 1 } },
    { startsAt: "5 minutes", values: { factor: 4 } },
    { startsAt: "10 minutes", values: { factor: 1 } }
  ],
  task: (random, phase) => ({
    stages: [
      cpu(random.lognormal(25, 0.5)),
      wait(phase.values.factor * random.lognormal(300, 0.5)),
      cpu(random.lognormal(25, 0.5))
    ],
    memory: 5
  })
})

/**
 * A service with a knee whose calls take very different times.
 *
 * @category workloads
 * @since 0.1.0
 */
export const heavy = Workload.make({
  name: "heavy",
  summary: "calls a service with a knee at 30 calls of very different length",
  phases: [{ downstream: { servers: 30, slowdown: 0.15, timeout: 30_000 } }],
  task: caller(500, 2)
})

/**
 * 80 arrivals a second for 20 s, then 2 a second for 40 s, over and over: judged by how long they wait.
 *
 * @category workloads
 * @since 0.1.0
 */
export const burst = Workload.make({
  name: "burst",
  summary: "bursts of 80 arrivals a second for 20 s of every minute",
  arrivals: [{ perSecond: 80, lasting: "20 seconds" }, { perSecond: 2, lasting: "40 seconds" }],
  task: (random) => ({
    stages: [cpu(random.lognormal(40, 0.5)), wait(random.lognormal(400, 0.5)), cpu(random.lognormal(40, 0.5))],
    memory: 8
  })
})

/**
 * All of them, in the order of the tables. The first twelve always have a task to start and are scored by throughput;
 * the last one is judged by its waits.
 *
 * @category workloads
 * @since 0.1.0
 */
export const all: ReadonlyArray<Workload.Workload> = [
  cpu4,
  cpu32,
  memory,
  loop,
  knee,
  refusing,
  step,
  noisy,
  mixed,
  slow,
  latencyShift,
  heavy,
  burst
]
