/**
 * How close tasks that only wait come to the time that their concurrency allows.
 */
import { canRun, contenders, ours } from "./contenders.ts"
import { interleave, type Laps } from "./measure.ts"
import type { Question } from "./question.ts"
import { short, type Table } from "./report.ts"
import { sleeping as sleepingTask } from "./tasks.ts"

const millis = 10
const concurrencies = [100, 1000]

export const sleeping: Question = {
  key: "sleeping",
  title: "How long do tasks of 10 ms take?",
  ask: async (effort) => {
    const rounds = effort === "Quick" ? { tasks: 2000, rounds: 1 } : { tasks: 10_000, rounds: 5 }
    const task = sleepingTask(millis)
    const tables: Array<Table> = []
    const ratios: Array<number> = []
    for (const concurrency of concurrencies) {
      const ideal = rounds.tasks / concurrency * millis
      const laps = await interleave(
        contenders.filter(canRun(task)).map(({ name, run }) => ({
          name,
          run: (tasks) => run(task, tasks, concurrency)
        })),
        rounds
      )
      tables.push(lapTable(laps, rounds.tasks, concurrency, ideal))
      ratios.push((laps.get(ours.fromSource.name)?.wall ?? NaN) / ideal)
    }
    return {
      notes: ["Wall-clock time, its ratio to the ideal (tasks / concurrency * 10 ms), and CPU time per task; medians."],
      tables,
      goals: [{
        what: `${millis} ms tasks at ${concurrencies[1]}: fromSource / ideal`,
        bound: "<=",
        limit: 1.6,
        value: ratios[1]
      }]
    }
  }
}

const lapTable = (laps: Laps, tasks: number, concurrency: number, ideal: number): Table => ({
  title: `${tasks.toLocaleString("en")} tasks of ${millis} ms at ${concurrency}, ideal ${ideal} ms`,
  columns: ["", "ms", "/ ideal", "CPU µs per task"],
  rows: [...laps].map((
    [name, { cpu, wall }]
  ) => [name, wall.toFixed(0), short(wall / ideal), short(cpu * 1000 / tasks)])
})
