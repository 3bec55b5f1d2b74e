/**
 * What a terminal shows of a pool: lines of text from snapshots, and nothing that knows of a terminal.
 */
import * as PoolSnapshot from "@autoscaled-pool/core/PoolSnapshot"
import type { History } from "./history.ts"
import { clip, type Line, pad, type Span, wrap } from "./text.ts"

/** The lines of all pools, none wider than `columns`, as many as `rows` at most. */
export const render = (pools: ReadonlyArray<History>, columns: number, rows: number): ReadonlyArray<Line> => {
  const each = pools.map((history) => poolLines(history, columns))
  const whole = each.flatMap((lines, index) => index === 0 ? lines : [[], ...lines])
  const lines = whole.length <= rows ? whole : shortened(each, rows)
  return lines.map((line) => clip(line, columns))
}

/** Where there is not room for all: of each pool its first lines, and then how many pools do not fit. */
const shortened = (pools: ReadonlyArray<ReadonlyArray<Line>>, rows: number): ReadonlyArray<Line> => {
  const perPool = Math.max(1, Math.floor(rows / pools.length))
  const lines = pools.flatMap((lines) => lines.slice(0, perPool))
  if (lines.length <= rows) return lines
  return [...lines.slice(0, rows - 1), [dim(`and ${pools.length - rows + 1} more pools`)]]
}

const poolLines = (history: History, columns: number): ReadonlyArray<Line> => {
  const pool = history.latest
  const change = history.change()
  return [
    headline(pool, change, columns),
    concurrency(history, columns),
    ...pool.signals.map((signal) => signalLine(signal)),
    tasks(pool, change),
    ...keys(pool),
    ...reason(pool, columns)
  ]
}

const dim = (text: string): Span => ({ text, format: "dim" })
const bold = (text: string): Span => ({ text, format: "bold" })
const plain = (text: string): Span => ({ text })

const nameWidth = 10
const label = (text: string): Span => dim(`${pad(text, nameWidth)} `)

const headline = (pool: PoolSnapshot.PoolSnapshot, change: PoolSnapshot.Change, columns: number): Line => {
  const { run } = pool
  const ended = run?.ended ?? pool.totals.succeeded
  const name = bold(pad(pool.name, nameWidth))
  if (run?.total === undefined) return [name, plain(` ${number(ended)} done`), ...rate(change)]
  const share = run.total === 0 ? 1 : Math.min(1, run.ended / run.total)
  return [
    name,
    plain(" "),
    ...bar(share, Math.max(8, Math.min(30, columns - 60)), "cyan"),
    plain(` ${percent(share)}  ${number(ended)} of ${number(run.total)}`),
    ...rate(change),
    ...change.timeLeft === undefined || change.timeLeft === 0
      ? []
      : [plain(`  ${PoolSnapshot.formatMillis(change.timeLeft)} left`)]
  ]
}

const rate = ({ perSecond }: PoolSnapshot.Change): Line => [
  plain(`  ${perSecond < 10 ? perSecond.toFixed(1) : number(Math.round(perSecond))}/s`)
]

const concurrency = (history: History, columns: number): Line => {
  const { current, desired, policy, settings, share } = history.latest
  return [
    label("in flight"),
    plain(`${current} of ${desired}`),
    dim(` desired, ${settings.maxConcurrency} at most, by ${policy}${share === undefined ? "" : `, share ${share}`}  `),
    { text: graph(history.inFlight(Math.max(10, Math.min(30, columns - 66)))), format: "cyan" }
  ]
}

const signalLine = (signal: PoolSnapshot.SignalReading): Line => {
  const { isOverloaded, isStale, load, measure, name, target } = signal
  const colour = isStale ? "dim" : isOverloaded ? "red" : load > target ? "yellow" : "green"
  return [
    label(name),
    ...bar(Math.min(1, load), 16, colour),
    plain(` ${pad(percent(load), 5)}`),
    dim(` of ${percent(target)}  `),
    ...isStale ? [{ text: "does not report", format: "yellow" } as const] : [],
    ...isOverloaded ? [{ text: "overloaded  ", format: "red" } as const] : [],
    dim(measure === undefined ? "" : PoolSnapshot.formatMeasure(measure))
  ]
}

const tasks = (
  { durations, oldestAges, totals }: PoolSnapshot.PoolSnapshot,
  { p50, p95 }: PoolSnapshot.Change
): Line => {
  const failures = totals.failed + totals.timedOut
  return [
    label("tasks"),
    plain(p50 === undefined ? `${number(durations.count)} ended` : `p50 ${PoolSnapshot.formatMillis(p50)}`),
    plain(p95 === undefined ? "" : `  p95 ${PoolSnapshot.formatMillis(p95)}`),
    ...failures > 0 ? [{ text: `  ${number(failures)} failed`, format: "red" } as const] : [],
    plain(totals.rejected > 0 ? `  ${number(totals.rejected)} rate-limited` : ""),
    plain(oldestAges.length > 0 ? `  oldest ${PoolSnapshot.formatMillis(oldestAges[0])}` : "")
  ]
}

/** The keys that most items wait for. */
const keys = ({ heldBackKeys }: PoolSnapshot.PoolSnapshot): ReadonlyArray<Line> =>
  heldBackKeys.length === 0 ? [] : [[
    label("held back"),
    plain(
      heldBackKeys.map(({ inFlight, key, limit, parked }) =>
        `${key} ${parked} (${inFlight} of ${limit === Infinity ? "any" : limit})`
      ).join("  ")
    )
  ]]

const reason = ({ holding, phase }: PoolSnapshot.PoolSnapshot, columns: number): ReadonlyArray<Line> => {
  const words = holding?.words ??
    (phase === "Running" ? "Tasks are starting." : phase === "Ending" ? "The run is ending." : "")
  if (words === "") return []
  const indent = nameWidth + 1
  return wrap(words, Math.max(20, columns - indent)).slice(0, 3).map((line, index) => [
    index === 0 ? label("now") : plain(" ".repeat(indent)),
    plain(line)
  ])
}

const percent = (share: number): string => `${Math.round(share * 100)} %`

const number = (value: number): string => value.toLocaleString("en-US")

const eighths = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]

const bar = (share: number, columns: number, colour: Span["format"]): Line => {
  const filled = Math.round(share * columns * 8)
  const whole = Math.floor(filled / 8)
  const part = whole < columns ? eighths[filled % 8] : ""
  return [
    { text: "█".repeat(whole) + part.trim(), format: colour },
    dim("░".repeat(columns - whole - part.trim().length))
  ]
}

const heights = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

const graph = (values: ReadonlyArray<number | undefined>): string => {
  const top = Math.max(1, ...values.map((value) => value ?? 0))
  return values.map((value) => value === undefined ? " " : heights[Math.round(value / top * 7)]).join("")
}

/** A pool in one line, for where nothing can be drawn over. */
export const summary = (history: History): string => {
  const { current, desired, holding, name, run, totals } = history.latest
  const change = history.change()
  const done = run?.total === undefined ? number(totals.succeeded) : `${number(run.ended)} of ${number(run.total)}`
  return `${name}: ${done} done, ${change.perSecond.toFixed(1)}/s, ${current} of ${desired} in flight. ${
    holding?.words ?? ""
  }`
    .trim()
}
