/**
 * The workers side by side, a column each.
 */
import type { Worker } from "./fleet.ts"

const width = 26

const columnOf = ({ child, ending, name, status }: Worker): ReadonlyArray<string> => {
  const isOver = child.exitCode !== null || child.signalCode !== null
  const condition = ending !== undefined && isOver ? `ended by ${ending.signal}` : status?.blocker ?? "starting tasks"
  if (status === undefined) return [`worker ${name}`, "", isOver ? "ended" : "starting up", ""]
  const { desired, done, running } = status
  const bar = isOver ? "" : "█".repeat(Math.min(running, width - 4))
  return [`worker ${name}`, bar, `${isOver ? 0 : running} in flight / ${desired} desired`, `${done} done, ${condition}`]
}

/** In a terminal. */
export const viewOf = (workers: ReadonlyArray<Worker>, done: number, jobs: number): Array<string> => {
  const columns = workers.map(columnOf)
  const rows = columns[0].map((_, row) => columns.map((column) => column[row].padEnd(width)).join("  ").trimEnd())
  return [`${done} of ${jobs} jobs done`, ...rows]
}

/** On one line, elsewhere. */
export const lineOf = (workers: ReadonlyArray<Worker>, done: number, jobs: number): Array<string> => [
  `${done} of ${jobs} jobs done`,
  ...workers.map((worker) => `${worker.name}: ${columnOf(worker).slice(2).filter((text) => text !== "").join(", ")}`)
]
