/**
 * How far memory grows over the idle process while many tasks go through: each contender in a process of its own.
 */
import { runChild } from "./child.ts"
import { contenders, ours } from "./contenders.ts"
import type { Growth } from "./memoryProgram.ts"
import type { Effort, Question } from "./question.ts"
import { type Goal, short } from "./report.ts"
import { median } from "./statistics.ts"
import { immediate, sync } from "./tasks.ts"

interface Setting {
  readonly name: string
  readonly task: string
  readonly nodeFlags: ReadonlyArray<string>
}

const settings: ReadonlyArray<Setting> = [
  { name: sync.name, task: sync.name, nodeFlags: [] },
  { name: immediate.name, task: immediate.name, nodeFlags: [] },
  { name: `${immediate.name}, small nursery`, task: immediate.name, nodeFlags: ["--max-semi-space-size=1"] }
]

const scales = {
  Quick: { tasks: 10_000, runs: 1, settings: settings.slice(1, 2) },
  Full: { tasks: 1_000_000, runs: 3, settings }
} satisfies Record<Effort, unknown>

export const memory: Question = {
  key: "memory",
  title: "How much memory do a million tasks take?",
  ask: async (effort) => {
    const { runs, settings, tasks } = scales[effort]
    const growths = new Map<string, ReadonlyArray<number>>()
    for (const { name } of contenders) growths.set(name, await growthsOf(name, settings, tasks, runs))
    const count = tasks.toLocaleString("en")
    const goalsOf = (contender: string): ReadonlyArray<Goal> =>
      settings.map(({ name }, index) => ({
        what: `memory, ${count} tasks, ${name}: ${contender}`,
        bound: "<=",
        limit: 15,
        unit: "MiB",
        value: growths.get(contender)?.[index] ?? NaN
      }))
    return {
      notes: [
        "MiB by which peak resident memory exceeds that of the process that has loaded everything and run nothing, at " +
        "concurrency 100, median.",
        "Much of it is garbage that V8 lets lie in a young generation which grows with the work done, whatever the " +
        "program keeps: with a \"small nursery\" (--max-semi-space-size=1) what is kept shows."
      ],
      tables: [{
        title: `${count} tasks`,
        columns: ["", ...settings.map(({ name }) => name)],
        rows: [...growths].map(([name, growths]) => [name, ...growths.map(short)]),
        isHeadline: true
      }],
      goals: [ours.fromSource, ours.forEach, ours.make].flatMap(({ name }) => goalsOf(name))
    }
  }
}

const growthsOf = async (
  contender: string,
  settings: ReadonlyArray<Setting>,
  tasks: number,
  runs: number
): Promise<ReadonlyArray<number>> => {
  const growths: Array<number> = []
  for (const { nodeFlags, task } of settings) {
    const ofRuns: Array<number> = []
    for (let run = 0; run < runs; run++) {
      const args = [contender, task, String(tasks)]
      ofRuns.push((await runChild<Growth>("./memoryProgram.ts", args, nodeFlags)).mebibytes)
    }
    growths.push(median(ofRuns))
  }
  return growths
}
