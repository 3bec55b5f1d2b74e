/**
 * Whether the simulated figures of a policy hold on a real machine: endless work under pressure, each contender in a
 * process of its own, and a fixed amount of it under a memory limit that the kernel enforces.
 */
import { Effect } from "effect"
import * as memoryLimit from "../tests/platform-node/memoryLimit.ts"
import { runChild } from "./child.ts"
import type { Pressure } from "./pressureProgram.ts"
import type { Question } from "./question.ts"
import type { Answer, Goal, Table } from "./report.ts"

/** Fixed concurrencies, of which the best depends on the machine. */
const fixed = { mixed: ["9", "11", "14", "18", "22"], memory: ["32", "35", "38"] }
type Workload = keyof typeof fixed
const policies = ["adaptive", "stepRatio"]
const isFixed = (contender: string) => !policies.includes(contender)

/** What is steady from its first moment on needs no longer than this, in seconds. */
const longEnough = 30

const megabytesAllowed = 2147
const millisAllowed = 50

const measure = async (workload: Workload, contender: string, seconds: number) => ({
  workload,
  contender,
  pressure: await runChild<Pressure>(
    "./pressureProgram.ts",
    [workload, contender, String(seconds)],
    [],
    memoryLimit.hugePages
  )
})

type Measured = Awaited<ReturnType<typeof measure>>

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

const worst = ({ perSecond }: Pressure) => Math.min(...perSecond.slice(1))

/** Soon at its best, still there at the end, and at no time between them far from it. */
const rates = (pressure: Pressure): ReadonlyArray<readonly [when: string, rate: number | undefined]> => [
  ["10 to 20 s", pressure.perSecond[1]],
  ["worst 10 s after the first", worst(pressure)],
  ["last 10 s", pressure.perSecond.at(-1)]
]

const tableOf = (measured: ReadonlyArray<Measured>): Table => ({
  title: "Endless work",
  columns: [
    "workload",
    "contender",
    "tasks/s",
    "first 10 s",
    "10 to 20 s",
    "worst",
    "last 10 s",
    "peak in flight",
    "late p99, ms",
    "peak MB"
  ],
  rows: measured.map(({ contender, pressure, workload }) => [
    workload,
    contender,
    ...[
      mean(pressure.perSecond),
      pressure.perSecond[0],
      ...rates(pressure).map(([, rate]) => rate)
    ].map((rate) => rate === undefined || rate === Infinity ? "–" : rate.toFixed(1)),
    String(pressure.maxConcurrency),
    pressure.lateness.p99.toFixed(0),
    pressure.peakMemory.toFixed(0)
  ])
})

const isAllowed = ({ pressure }: Measured) =>
  pressure.lateness.p99 <= millisAllowed && pressure.peakMemory <= megabytesAllowed

const bestFixed = (workload: Workload, measured: ReadonlyArray<Measured>) =>
  Math.max(
    ...measured.filter((run) => run.workload === workload && isFixed(run.contender) && isAllowed(run))
      .map(({ pressure }) => mean(pressure.perSecond))
  )

const rateGoals = (
  pressure: Pressure,
  goal: Omit<Goal, "what" | "value">,
  what: (when: string) => string,
  over = 1
): ReadonlyArray<Goal> => rates(pressure).map(([when, rate = 0]) => ({ ...goal, what: what(when), value: rate / over }))

const goalsOf = (measured: ReadonlyArray<Measured>): ReadonlyArray<Goal> =>
  measured.filter(({ contender }) => contender === "adaptive").flatMap(({ pressure, workload }): Array<Goal> =>
    workload === "mixed"
      ? [
        // What a thread gets done is the machine's matter; how much of that a policy finds is its own.
        ...rateGoals(
          pressure,
          { bound: ">=", limit: 0.94 },
          (when) => `mixed, adaptive, ${when}, over the best fixed that is not late`,
          bestFixed(workload, measured)
        ),
        {
          what: "mixed, adaptive, event loop late p99",
          bound: "<=",
          limit: millisAllowed,
          unit: "ms",
          value: pressure.lateness.p99
        }
      ]
      : [
        ...rateGoals(pressure, { bound: ">=", limit: 58, unit: "tasks/s" }, (when) => `memory, adaptive, ${when}`),
        { what: "memory, adaptive, peak", bound: "<=", limit: megabytesAllowed, unit: "MB", value: pressure.peakMemory }
      ]
  )

const limited = (policy: string) =>
  Effect.runPromise(Effect.scoped(
    Effect.flatMap(memoryLimit.make(512 * 2 ** 20), (group) => memoryLimit.run(group, "pool.ts", policy))
  ))

const underLimit = async (): Promise<Answer> => {
  if (memoryLimit.obstacle !== undefined) {
    return { tables: [], goals: [], notes: [`Skipped: no memory limit can be set here (${memoryLimit.obstacle}).`] }
  }
  const outcomes = new Map<string, memoryLimit.Outcome>()
  for (const policy of ["fixed", "stepRatio", "adaptive"]) outcomes.set(policy, await limited(policy))
  // A run that was killed took forever.
  const secondsOf = (policy: string) => Number(outcomes.get(policy)?.lines.at(-1)?.seconds ?? Infinity)
  return {
    notes: [],
    tables: [{
      title: "300 tasks of 40 MB in a 512 MB group",
      columns: ["", "outcome", "seconds", "peak in flight"],
      rows: Array.from(outcomes, ([policy, { lines, signal }]) => [
        policy === "fixed" ? "50, fixed" : policy,
        signal === null ? "finished" : `killed (${signal})`,
        lines.length === 0 ? "–" : secondsOf(policy).toFixed(1),
        String(lines.at(-1)?.peak ?? "–")
      ])
    }],
    goals: [{
      what: "512 MB group, adaptive over stepRatio",
      bound: "<=",
      limit: 1,
      unit: "of its time",
      value: secondsOf("adaptive") / secondsOf("stepRatio")
    }]
  }
}

export const pressure: Question = {
  key: "pressure",
  title: "Do the policies do on a real machine what they do in simulation?",
  ask: async (effort) => {
    const seconds = effort === "Quick" ? 10 : Number(process.env.PRESSURE_SECONDS ?? 60)
    const measured: Array<Measured> = []
    for (const workload of ["mixed", "memory"] as const) {
      const contenders = effort === "Quick" ? ["adaptive"] : [...fixed[workload], ...policies]
      for (const contender of contenders) {
        const enough = isFixed(contender) ? Math.min(longEnough, seconds) : seconds
        measured.push(await measure(workload, contender, enough))
      }
    }
    const limit = effort === "Quick" ? { notes: [], tables: [], goals: [] } : await underLimit()
    return {
      notes: [
        `${seconds} s for each policy; PRESSURE_SECONDS in the environment sets it. Worst: of 10 s, after the first 10 s.`,
        ...limit.notes
      ],
      tables: [tableOf(measured), ...limit.tables],
      goals: effort === "Quick" ? [] : [...goalsOf(measured), ...limit.goals]
    }
  }
}
