/**
 * What a budget that several share costs, and whether it is divided as it should be on a real machine.
 */
import { AutoscaledPool, ConcurrencyGovernor, KeyedLimits, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { Effect, ManagedRuntime } from "effect"
import { type Share, Shares } from "../packages/core/src/internal/budget/shares.ts"
import { runChild } from "./child.ts"
import { upTo } from "./contenders.ts"
import { interleave } from "./measure.ts"
import type { Effort, Question } from "./question.ts"
import { type Goal, short, type Table } from "./report.ts"
import type { Shared } from "./sharingProgram.ts"
import { median } from "./statistics.ts"
import { immediate } from "./tasks.ts"

/** Nanoseconds in which a task's permits are released, the next consumer found, and its permits booked. */
const costOf = (consumers: number, turns: number, permitsOf: (consumer: number) => number): number => {
  const permits = Math.max(8, Math.round(consumers * 1.8))
  const shares = new Shares(permits)
  const joined = Array.from({ length: consumers }, (_, n) => shares.join(1 + n % 3, 0))
  joined.forEach((share, n) => shares.want(share, permitsOf(n), 0))
  const holders: Array<Share> = []
  const fill = (now: number) => {
    while (shares.inUse < permits) {
      const next = shares.next(now) ?? joined[0]
      if (!shares.fits(next.request)) return
      shares.book(next, next.request, now)
      holders.push(next)
    }
  }
  fill(0)
  let now = 0
  const lap = () => {
    const before = performance.now()
    for (let turn = 0; turn < turns; turn++) {
      now += 0.01
      const ends = Math.floor(Math.random() * holders.length)
      const share = holders[ends]
      holders[ends] = holders[holders.length - 1]
      holders.pop()
      shares.release(share, share.request, now)
      fill(now)
    }
    return (performance.now() - before) * 1e6 / turns
  }
  return median(Array.from({ length: 7 }, lap))
}

const sizes = [1, 10, 100, 1000]
const limits: Readonly<Record<number, number>> = { 10: 400, 100: 600, 1000: 2000 }

const keysInUse = 10_000

/** Nanoseconds that limits for ten thousand keys add to a task. */
const costOfKeys = async (effort: Effort): Promise<number> => {
  const rounds = effort === "Quick" ? { tasks: 20_000, rounds: 1 } : { tasks: 200_000, rounds: 7 }
  const system = ManagedRuntime.make(SystemStatus.layer({ signals: [] }))
  const concurrencySettings = { maxConcurrency: 100, desiredConcurrency: 100 }
  const plain = (tasks: number) =>
    system.runPromise(
      AutoscaledPool.forEach(upTo(tasks), () => immediate.effect, {
        concurrencySettings,
        discard: true,
        loggingInterval: null
      })
    )
  const keyed = (tasks: number) =>
    system.runPromise(Effect.gen(function*() {
      // What each key remembers keeps all of them in use.
      const keys = yield* KeyedLimits.make({ key: (n: number) => n % keysInUse, concurrency: 10, adapt: {} })
      yield* AutoscaledPool.forEach(upTo(tasks), () => immediate.effect, {
        concurrencySettings,
        keys,
        discard: true,
        loggingInterval: null
      })
    }))
  const laps = await interleave([{ name: "plain", run: plain }, { name: "keyed", run: keyed }], rounds)
  await system.dispose()
  const nanos = (name: string) => (laps.get(name)?.wall ?? NaN) * 1e6 / rounds.tasks
  return nanos("keyed") - nanos("plain")
}

/** MiB by which the heap grows while so many keys pass through, each once. */
const memoryOfKeys = async (keys: number): Promise<number> =>
  (await runChild<{ readonly mebibytes: number }>("./keysProgram.ts", [String(keys)], ["--expose-gc"])).mebibytes

/** Task times until a pool that joins three others has its quarter of twelve permits, all of whose tasks take 100 ms. */
const joinLate = Effect.gen(function*() {
  const permits = 12
  const bounds = { minConcurrency: permits, maxConcurrency: permits, desiredConcurrency: permits }
  const governor = yield* ConcurrencyGovernor.make(bounds)
  const run = Effect.gen(function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(endless()), () => Effect.sleep(taskMillis), {
      governor,
      loggingInterval: null
    })
    yield* Effect.forkScoped(pool.run)
    return pool
  })
  yield* Effect.replicateEffect(run, 3)
  yield* Effect.sleep(10.2 * taskMillis) // in the middle of their tasks, which all began at once
  const joined = performance.now()
  const late = yield* run
  while ((yield* late.currentConcurrency) < permits / 4) yield* Effect.sleep(1)
  return (performance.now() - joined) / taskMillis
}).pipe(Effect.scoped, Effect.provide(SystemStatus.layer({ signals: [] })))

const taskMillis = 100

const endless = function*() {
  for (let n = 0;; n++) yield n
}

const total = ({ tasks }: Shared): number => tasks.reduce((sum, each) => sum + each, 0)

const dividedTable = (runs: ReadonlyArray<Shared>): Table => ({
  title: "Tasks that hold 40 MB for one to two seconds under a limit of 1 GiB (1,074 MB), in a minute",
  columns: ["", "tasks", "of it by each pool", "peak MB"],
  rows: runs.map((run) => [
    run.pools === 1 ? "one pool" : `${run.pools} pools under one governor`,
    String(total(run)),
    run.tasks.join(", "),
    run.peakMemory.toFixed(0)
  ])
})

const dividedGoals = (runs: ReadonlyArray<Shared>): ReadonlyArray<Goal> => {
  const ones = runs.filter(({ pools }) => pools === 1)
  const fours = runs.filter(({ pools }) => pools > 1)
  const strays = fours.flatMap((four) => four.tasks.map((tasks) => Math.abs(4 * tasks / total(four) - 1)))
  const ratio = median(fours.map(total)) / median(ones.map(total))
  const most = Math.max(...runs.map(({ peakMemory }) => peakMemory))
  return [
    { what: "four pools: farthest from a quarter", bound: "<=", limit: 0.1, value: Math.max(...strays) },
    { what: "four pools: tasks over those of one pool", bound: ">=", limit: 0.95, value: ratio },
    { what: "one pool or four: peak memory", bound: "<=", limit: 1074, unit: "MB", value: most },
    { what: "of which the limit is reached", bound: ">=", limit: 0.8, value: most / 1074 }
  ]
}

export const sharing: Question = {
  key: "sharing",
  title: "What do a shared budget and limits per key cost, and is the budget divided fairly?",
  ask: async (effort) => {
    const turns = effort === "Quick" ? 2_000 : 200_000
    const costsOf = (permitsOf: (consumer: number) => number) =>
      sizes.map((consumers) => costOf(consumers, turns, permitsOf))
    const costs = costsOf(() => 1)
    const ofSizes = costsOf((consumer) => consumer % 5 === 0 ? 2 : 1)
    const ofKeys = await costOfKeys(effort)
    const memory = await memoryOfKeys(effort === "Quick" ? 20_000 : 1_000_000)
    const late = await Effect.runPromise(joinLate)
    const runs: Array<Shared> = []
    for (const pools of effort === "Quick" ? [] : [1, 4, 1, 4]) {
      runs.push(await runChild<Shared>("./sharingProgram.ts", [String(pools), "60"]))
    }
    return {
      notes: [`Nanoseconds to release a permit, choose who is next and book it; ${keysInUse} keys in use.`],
      tables: [
        {
          title: "A turn of a shared budget",
          columns: ["consumers", ...sizes.map(String)],
          rows: [
            ["ns, each task takes one permit", ...costs.map(short)],
            ["ns, those of one in five take two", ...ofSizes.map(short)]
          ]
        },
        ...(runs.length === 0 ? [] : [dividedTable(runs)])
      ],
      goals: [
        ...costs.flatMap((value, n): ReadonlyArray<Goal> =>
          limits[sizes[n]] === undefined
            ? []
            : [{ what: `a turn among ${sizes[n]}`, bound: "<=", limit: limits[sizes[n]], unit: "ns", value }]
        ),
        { what: "late joiner: task times until it has its share", bound: "<=", limit: 2, value: late },
        { what: "limits per key add to a task", bound: "<=", limit: 500, unit: "ns", value: ofKeys },
        { what: "1,000,000 keys that pass through", bound: "<=", limit: 5, unit: "MiB", value: memory },
        ...(runs.length === 0 ? [] : dividedGoals(runs))
      ]
    }
  }
}
