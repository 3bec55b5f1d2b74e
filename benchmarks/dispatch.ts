/**
 * What it costs to run a task, in nanoseconds, by kind of task and concurrency.
 */
import {
  canRun,
  type Contender,
  contenders,
  crawlee,
  effectForEach,
  ours,
  pLimitContender,
  pQueueContender,
  promiseLoop
} from "./contenders.ts"
import { interleave, type Rounds } from "./measure.ts"
import type { Question } from "./question.ts"
import { type Goal, short, type Table } from "./report.ts"
import { geometricMean } from "./statistics.ts"
import { immediate, noop, promise, sync, type Task, yielding } from "./tasks.ts"

/** Nanoseconds per task of one kind, by contender and concurrency. */
export interface Costs {
  readonly task: Task
  readonly tasks: number
  readonly concurrencies: ReadonlyArray<number>
  readonly of: (contender: Contender, concurrency: number) => number
}

/** The concurrencies that ratios are taken over. */
const compared = [16, 100, 1000]

export const dispatch: Question = {
  key: "dispatch",
  title: "What does it cost to run a task?",
  ask: async (effort) => {
    const rounds: Rounds = effort === "Quick" ? { tasks: 1000, rounds: 1 } : { tasks: 100_000, rounds: 7 }
    const costs: Array<Costs> = []
    for (const task of [noop, sync, promise, immediate, yielding]) {
      costs.push(await measure(task, contenders.filter(canRun(task)), [1, ...compared], rounds))
    }
    return {
      notes: [
        "Nanoseconds per task, median of the rounds; in brackets the ratio to Effect.forEach.",
        "fromSource, forEach and make are this pool over SystemStatus.layer({ signals: [] }), with minConcurrency 1; " +
        "\"Node signals\" is fromSource over NodeSystemStatus.layer() with minConcurrency as asked for, as Crawlee has it.",
        "p-limit, p-queue and fastq take all tasks up front; the others take a task when they can start it."
      ],
      tables: costs.map(costTable),
      goals: goalsOf(costs)
    }
  }
}

export const dispatchOfMany: Question = {
  key: "many",
  title: "What does it cost to run one of a million tasks?",
  ask: async (effort) => {
    const rounds: Rounds = effort === "Quick" ? { tasks: 20_000, rounds: 1 } : { tasks: 1_000_000, rounds: 3 }
    const pulling = [ours.fromSource, ours.forEach, ours.make, effectForEach, promiseLoop]
    const costs: Array<Costs> = []
    for (const task of [noop, sync, immediate]) costs.push(await measure(task, pulling, compared, rounds))
    return {
      notes: ["Nanoseconds per task, median of the rounds; in brackets the ratio to Effect.forEach."],
      tables: costs.map(costTable),
      goals: []
    }
  }
}

const measure = async (
  task: Task,
  contenders: ReadonlyArray<Contender>,
  concurrencies: ReadonlyArray<number>,
  rounds: Rounds
): Promise<Costs> => {
  const nanos = new Map<number, ReadonlyMap<string, number>>()
  for (const concurrency of concurrencies) {
    const laps = await interleave(
      contenders.map(({ name, run }) => ({ name, run: (tasks) => run(task, tasks, concurrency) })),
      rounds
    )
    nanos.set(concurrency, new Map([...laps].map(([name, { wall }]) => [name, wall * 1e6 / rounds.tasks])))
  }
  return {
    task,
    tasks: rounds.tasks,
    concurrencies,
    of: ({ name }, concurrency) => nanos.get(concurrency)?.get(name) ?? NaN
  }
}

const costTable = ({ concurrencies, of, task, tasks }: Costs): Table => ({
  title: `${task.name}, ${tasks.toLocaleString("en")} tasks`,
  columns: ["", ...concurrencies.map((concurrency) => `at ${concurrency}`)],
  rows: contenders.filter((contender) => !Number.isNaN(of(contender, concurrencies[0]))).map((contender) => [
    contender.name,
    ...concurrencies.map((concurrency) => {
      const nanos = of(contender, concurrency)
      return `${nanos.toFixed(0)} (${short(nanos / of(effectForEach, concurrency))})`
    })
  ])
})

const goalsOf = (costs: ReadonlyArray<Costs>): ReadonlyArray<Goal> => {
  const asynchronous = costs.filter(({ task }) => task === promise || task === immediate || task === yielding)
  const ratios = (a: Contender, b: Contender, of: ReadonlyArray<Costs>) =>
    geometricMean(
      of.flatMap((costs) => compared.map((concurrency) => costs.of(a, concurrency) / costs.of(b, concurrency)))
    )
  const only = (task: Task) => costs.filter((costs) => costs.task === task)
  const againstForEach = (contender: Contender, limit: number): ReadonlyArray<Goal> => [
    ...asynchronous.map((costs): Goal => ({
      what: `${costs.task.name}: ${contender.name} / Effect.forEach`,
      bound: "<=",
      limit,
      value: ratios(contender, effectForEach, [costs])
    })),
    {
      what: `asynchronous tasks: ${contender.name} / Effect.forEach`,
      bound: "<=",
      limit,
      value: ratios(contender, effectForEach, asynchronous)
    }
  ]
  return [
    ...againstForEach(ours.fromSource, 0.9),
    ...againstForEach(ours.forEach, 0.9),
    ...againstForEach(ours.make, 1.1),
    ...[ours.fromSource, ours.forEach].map((contender): Goal => ({
      what: `sync: ${contender.name} / promise loop`,
      bound: "<=",
      limit: 5,
      value: ratios(contender, promiseLoop, only(sync))
    })),
    {
      what: "setImmediate: p-limit / fromSource",
      bound: ">=",
      limit: 3,
      value: ratios(pLimitContender, ours.fromSource, only(immediate))
    },
    {
      what: "setImmediate: p-queue / fromSource",
      bound: ">=",
      limit: 5,
      value: ratios(pQueueContender, ours.fromSource, only(immediate))
    },
    {
      what: "setImmediate: Crawlee / fromSource",
      bound: ">=",
      limit: 2,
      value: ratios(crawlee, ours.fromSource, only(immediate))
    },
    {
      what: "setImmediate: Crawlee / make",
      bound: ">=",
      limit: 2,
      value: ratios(crawlee, ours.make, only(immediate))
    }
  ]
}
