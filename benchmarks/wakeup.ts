/**
 * How long an idle pool takes to start a task: the time from what makes it possible to the first line of the task.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { Effect, ManagedRuntime, Queue } from "effect"
import PQueue from "p-queue"
import { crawleePool } from "./contenders.ts"
import type { Effort, Question } from "./question.ts"
import { type Goal, short } from "./report.ts"
import { quantile } from "./statistics.ts"

/** An idle pool, and how to give it something to do. */
interface Sleeper {
  /** Brings about what holds the task back. */
  readonly arm?: () => Promise<unknown>
  /** Lets the task start. */
  readonly trigger: () => unknown
  readonly close: () => Promise<unknown>
}

interface Cause {
  readonly name: string
  /** Builds an idle pool whose tasks call `started` first thing. */
  readonly open: (started: () => void) => Promise<Sleeper>
  /** Where the pool looks for work at an interval, its length in milliseconds: triggers come at any phase of it. */
  readonly interval?: number
  readonly isOurs: boolean
}

export const wakeup: Question = {
  key: "wakeup",
  title: "How long does an idle pool take to start a task?",
  ask: async (effort) => {
    const samples = new Map<Cause, ReadonlyArray<number>>()
    for (const cause of causes) samples.set(cause, await sampleAll(cause, effort))
    return {
      notes: [`Milliseconds to the first line of the task, ${countOf(effort)} times each.`],
      tables: [{
        title: "Wake-up",
        columns: ["", "p50", "p99"],
        rows: [...samples].map((
          [{ name }, times]
        ) => [name, short(quantile(times, 0.5)), short(quantile(times, 0.99))]),
        isHeadline: true
      }],
      goals: [...samples].filter(([{ isOurs }]) => isOurs).map(([{ name }, times]): Goal => ({
        what: `wake-up p99, ${name}`,
        bound: "<=",
        limit: 1,
        unit: "ms",
        value: quantile(times, 0.99)
      }))
    }
  }
}

const countOf = (effort: Effort): number => effort === "Quick" ? 10 : 400

const sampleAll = async (cause: Cause, effort: Effort): Promise<ReadonlyArray<number>> => {
  // A sample that waits for an interval takes long, and leaves time for those of other pools.
  const pools = cause.interval === undefined ? 1 : Math.min(40, countOf(effort))
  const times = await Promise.all(Array.from({ length: pools }, () => sample(cause, countOf(effort) / pools)))
  return times.flat()
}

const sample = async (cause: Cause, count: number): Promise<ReadonlyArray<number>> => {
  const times: Array<number> = []
  let onStart: (startedAt: number) => void = () => {}
  const sleeper = await cause.open(() => onStart(performance.now()))
  const warmUp = Math.ceil(count / 10)
  for (let n = 0; n < warmUp + count; n++) {
    await sleeper.arm?.()
    await quiet(cause.interval ?? 4)
    const started = new Promise<number>((resolve) => {
      onStart = resolve
    })
    const before = performance.now()
    sleeper.trigger()
    const time = await started - before
    if (n >= warmUp) times.push(time)
  }
  await sleeper.close()
  return times
}

/** Until nothing is left of the last task, and at no fixed phase of an interval. */
const quiet = (interval: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 2 + interval * Math.random()))

const system = () => ManagedRuntime.make(SystemStatus.layerTest)

const overloaded = { load: 1, isOverloaded: true }
const idle = { load: 0, isOverloaded: false }

/** A pool on a queue, running in a runtime of its own until it is closed. */
const openQueuePool = async (options: {
  readonly started: () => void
  readonly maxConcurrency: number
  readonly system: ReturnType<typeof system>
}) => {
  const queue = Effect.runSync(Queue.unbounded<Effect.Effect<void>>())
  const pool = await options.system.runPromise(
    AutoscaledPool.fromSource(TaskSource.fromQueue(queue), (task) => task, {
      concurrencySettings: { maxConcurrency: options.maxConcurrency },
      loggingInterval: null
    })
  )
  const ended = options.system.runPromise(pool.run)
  return {
    pool,
    offer: () => Queue.offerUnsafe(queue, Effect.sync(options.started)),
    occupy: () => Queue.offerUnsafe(queue, Effect.never),
    close: async () => {
      await Effect.runPromise(pool.abort)
      await ended
      await options.system.dispose()
    }
  }
}

/** Waits, in turns of the event loop, until a pool says that it is held back for a reason, or that it is not. */
const until = async <E>(pool: AutoscaledPool.AutoscaledPool<E>, blocker: AutoscaledPool.Blocker["_tag"]) => {
  while (Effect.runSync(pool.state).blocker?._tag !== blocker) await new Promise((resolve) => setImmediate(resolve))
}

const causes: ReadonlyArray<Cause> = [
  {
    name: "notify",
    isOurs: true,
    open: async (started) => {
      const runtime = system()
      let ready = 0
      let isOver = false
      const pool = await runtime.runPromise(AutoscaledPool.make({
        runTask: Effect.sync(started),
        isTaskReady: Effect.sync(() => ready > 0 && ready-- > 0),
        isFinished: Effect.sync(() => isOver),
        loggingInterval: null
      }))
      const ended = runtime.runPromise(pool.run)
      return {
        trigger: () => {
          ready++
          Effect.runSync(pool.notify)
        },
        close: async () => {
          isOver = true
          Effect.runSync(pool.notify)
          await ended
          await runtime.dispose()
        }
      }
    }
  },
  {
    name: "an item in a queue",
    isOurs: true,
    open: async (started) => {
      const { close, offer } = await openQueuePool({ started, maxConcurrency: 10, system: system() })
      return { trigger: offer, close }
    }
  },
  {
    name: "resume",
    isOurs: true,
    open: async (started) => {
      const { close, offer, pool } = await openQueuePool({ started, maxConcurrency: 10, system: system() })
      return {
        arm: async () => {
          await Effect.runPromise(pool.pause)
          await until(pool, "Paused")
          offer()
        },
        trigger: () => Effect.runSync(pool.resume),
        close
      }
    }
  },
  {
    name: "a change of settings",
    isOurs: true,
    open: async (started) => {
      const { close, occupy, offer, pool } = await openQueuePool({ started, maxConcurrency: 1, system: system() })
      occupy()
      return {
        arm: async () => {
          await Effect.runPromise(pool.configure({ maxConcurrency: 1 }))
          offer()
          await until(pool, "AtDesired")
        },
        trigger: () => Effect.runSync(pool.configure({ maxConcurrency: 2, desiredConcurrency: 2 })),
        close
      }
    }
  },
  {
    name: "the end of overload",
    isOurs: true,
    open: async (started) => {
      const runtime = system()
      const { close, occupy, offer, pool } = await openQueuePool({ started, maxConcurrency: 10, system: runtime })
      const test = await runtime.runPromise(SystemStatus.TestSystemStatus)
      occupy()
      return {
        arm: async () => {
          await Effect.runPromise(test.set("cpu", overloaded))
          await until(pool, "Overloaded")
          offer()
        },
        trigger: () => Effect.runSync(test.set("cpu", idle)),
        close
      }
    }
  },
  {
    name: "p-queue: add",
    isOurs: false,
    open: async (started) => {
      const queue = new PQueue({ concurrency: 10 })
      return { trigger: () => queue.add(started), close: () => queue.onIdle() }
    }
  },
  {
    name: "Crawlee: notify",
    isOurs: false,
    open: (started) => openCrawlee(started, (pool) => pool.notify())
  },
  {
    name: "Crawlee: its own interval",
    isOurs: false,
    interval: 500,
    open: (started) => openCrawlee(started, () => {})
  }
]

const openCrawlee = async (
  started: () => void,
  tell: (pool: ReturnType<typeof crawleePool>) => unknown
): Promise<Sleeper> => {
  let ready = 0
  let isOver = false
  const pool = crawleePool({
    runTaskFunction: async () => started(),
    isTaskReadyFunction: async () => ready > 0 && ready-- > 0,
    isFinishedFunction: async () => isOver
  })
  const ended = pool.run()
  return {
    trigger: () => {
      ready++
      return tell(pool)
    },
    close: async () => {
      isOver = true
      await pool.notify()
      await ended
    }
  }
}
