/**
 * What it costs to run a task, in nanoseconds, by kind of task and concurrency.
 */
import {
  canRun,
  type Contender,
  contenders,
  crawlee,
  effectForEach,
  fastqContender,
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

const kinds = [noop, sync, promise, immediate, yielding]

export const dispatch: Question = {
  key: "dispatch",
  title: "What does it cost to run a task?",
  ask: async (effort) => {
    const rounds: Rounds = effort === "Quick" ? { tasks: 1000, rounds: 1 } : { tasks: 100_000, rounds: 7 }
    const costs: Array<Costs> = []
    for (const task of kinds) {
      costs.push(await measure(task, contenders.filter(canRun(task)), [1, ...compared], rounds))
    }
    const ratios = ratiosOf(costs)
    return {
      notes: [
        "Nanoseconds per task, median of the rounds; in brackets the ratio to Effect.forEach.",
        "fromSource, forEach and make are this pool over SystemStatus.layer({ signals: [] }), with minConcurrency 1; " +
        "\"Node signals\" is fromSource over NodeSystemStatus.layer() with minConcurrency as asked for, as Crawlee has it.",
        "p-limit, p-queue and fastq take all tasks up front; the others take a task when they can start it."
      ],
      tables: [
        ...costs.map((costs) => ({ ...costTable(costs), isHeadline: costs.task === immediate })),
        ratioTable(ratios)
      ],
      goals: goalsOf(ratios)
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

interface Ratio {
  readonly name: string
  readonly of: (task: Task) => number
}

/** Geometric means over the concurrencies that are compared; NaN where one of the two cannot run the task. */
const ratiosOf = (costs: ReadonlyArray<Costs>) => {
  const ratio = (above: Contender, below: Contender): Ratio => ({
    name: `${above.name} / ${below.name}`,
    of: (task) => {
      const { of } = costs.find((costs) => costs.task === task) ?? { of: () => NaN }
      return geometricMean(compared.map((concurrency) => of(above, concurrency) / of(below, concurrency)))
    }
  })
  return {
    fromSource: ratio(ours.fromSource, effectForEach),
    forEach: ratio(ours.forEach, effectForEach),
    make: ratio(ours.make, effectForEach),
    fromSourceOverLoop: ratio(ours.fromSource, promiseLoop),
    forEachOverLoop: ratio(ours.forEach, promiseLoop),
    pLimit: ratio(pLimitContender, ours.fromSource),
    pQueue: ratio(pQueueContender, ours.fromSource),
    fastq: ratio(fastqContender, ours.fromSource),
    crawlee: ratio(crawlee, ours.fromSource),
    crawleeOverMake: ratio(crawlee, ours.make)
  }
}

type Ratios = ReturnType<typeof ratiosOf>

const ratioTable = (ratios: Ratios): Table => ({
  title: `Ratios, geometric mean over concurrency ${compared.join(", ")}`,
  columns: ["", ...kinds.map(({ name }) => name)],
  rows: Object.values(ratios).map(({ name, of }) => [name, ...kinds.map(of).map(shortOrNone)]),
  isHeadline: true
})

const goalsOf = (ratios: Ratios): ReadonlyArray<Goal> => {
  const ofAll = (tasks: ReadonlyArray<Task>, { name, of }: Ratio, bound: Goal["bound"], limit: number): Goal => ({
    what: `${tasks.map(({ name }) => name).join(", ")}: ${name}`,
    bound,
    limit,
    value: geometricMean(tasks.map(of))
  })
  const asynchronous = [promise, immediate, yielding]
  return [
    ofAll(asynchronous, ratios.fromSource, "<=", 0.9),
    ofAll(asynchronous, ratios.forEach, "<=", 0.9),
    ofAll(asynchronous, ratios.make, "<=", 1.1),
    ofAll([sync], ratios.fromSourceOverLoop, "<=", 5),
    ofAll([sync], ratios.forEachOverLoop, "<=", 5),
    ofAll([immediate], ratios.pLimit, ">=", 3),
    ofAll([immediate], ratios.pQueue, ">=", 5),
    ofAll([immediate], ratios.crawlee, ">=", 2),
    ofAll([immediate], ratios.crawleeOverMake, ">=", 2)
  ]
}

const shortOrNone = (value: number): string => Number.isNaN(value) ? "" : short(value)
