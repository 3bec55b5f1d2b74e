/**
 * The part of the answers that docs/measurements.md shows, and how it gets there.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Goal, goalTable, showTable, type Table } from "./report.ts"

export interface Summary {
  readonly command: string
  readonly machine: string
  readonly versions: string
  readonly goals: ReadonlyArray<Goal>
  readonly tables: ReadonlyArray<Table>
}

export const showSummary = ({ command, goals, machine, tables, versions }: Summary): string =>
  [
    `Measured by \`${command}\` on ${new Date().toISOString().slice(0, 10)}: ${machine}; ${versions}.`,
    ...tables.map(showTable),
    ...goals.length === 0 ? [] : [showTable(goalTable("Goals", goals))]
  ].join("\n\n")

const start = "<!-- bench:start -->"
const end = "<!-- bench:end -->"
const page = fileURLToPath(new URL("../docs/measurements.md", import.meta.url))

/** Puts the summary between the marks of the page. */
export const updatePage = (summary: string): void => {
  const text = readFileSync(page, "utf8")
  const from = text.indexOf(start)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`docs/measurements.md has no "${start}" followed by "${end}"`)
  writeFileSync(page, `${text.slice(0, from + start.length)}\n${summary}\n${text.slice(to)}`)
}
