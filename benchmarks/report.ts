/**
 * What a question answers, and how it is shown: tables that read well on a terminal and are Markdown too.
 */
export interface Table {
  readonly title: string
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  /** Whether docs/measurements.md shows it. */
  readonly isHeadline?: boolean
}

/** A figure with the bound that it should keep. */
export interface Goal {
  readonly what: string
  readonly bound: "<=" | ">="
  readonly limit: number
  readonly unit?: string
  readonly value: number
}

export interface Answer {
  readonly notes: ReadonlyArray<string>
  readonly tables: ReadonlyArray<Table>
  readonly goals: ReadonlyArray<Goal>
}

export const showTable = ({ columns, rows, title }: Table): string => {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index].length)))
  const line = (cells: ReadonlyArray<string>): string =>
    `| ${
      cells.map((cell, index) => index === 0 ? cell.padEnd(widths[index]) : cell.padStart(widths[index])).join(" | ")
    } |`
  const rule = `| ${
    widths.map((width, index) => index === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`).join(" | ")
  } |`
  return [title, "", line(columns), rule, ...rows.map(line)].join("\n")
}

export const showGoal = (goal: Goal): string =>
  `${goal.what}: goal ${boundOf(goal)}: ${valueOf(goal)} ${verdictOf(goal)}`

export const goalTable = (title: string, goals: ReadonlyArray<Goal>): Table => ({
  title,
  columns: ["", "goal", "measured", ""],
  rows: goals.map((goal) => [goal.what, boundOf(goal), valueOf(goal), verdictOf(goal)])
})

const verdictOf = ({ bound, limit, value }: Goal): string =>
  (bound === "<=" ? value <= limit : value >= limit) ? "holds" : "misses"

const boundOf = ({ bound, limit, unit }: Goal): string => withUnit(`${bound} ${limit}`, unit)

const valueOf = ({ unit, value }: Goal): string => withUnit(short(value), unit)

const withUnit = (text: string, unit: string | undefined): string => unit === undefined ? text : `${text} ${unit}`

/** Three significant digits, without an exponent. */
export const short = (value: number): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3
  return value.toFixed(digits)
}
