/**
 * What the ledger proves: whether each job was done, how often, by whom, and how long those of ended workers waited.
 */
import type { Entry } from "./ledger.ts"

/** A worker that was told to end, killed or stopped, or whose store went away. */
export interface Ending {
  readonly worker: string
  readonly signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "outage"
  readonly at: number
}

export interface Verdict {
  readonly jobs: number
  /** Jobs that nobody did. */
  readonly missing: ReadonlyArray<number>
  /** Jobs that were done more than once. */
  readonly doubled: ReadonlyArray<number>
  /** Of these, the ones that no worker had in hand when it was killed or stopped. */
  readonly unexplained: ReadonlyArray<number>
  readonly doneBy: ReadonlyMap<string, number>
  /** The most tasks that a worker had in hand at once. */
  readonly peaks: ReadonlyMap<string, number>
  readonly handedOver: ReadonlyArray<HandedOver>
}

/** What became of the jobs that an ended worker had in hand. */
export interface HandedOver extends Ending {
  readonly jobs: number
  /** How long they waited until another worker started them, in milliseconds, shortest first. */
  readonly waits: ReadonlyArray<number>
  /** How many of them cost an attempt. */
  readonly attemptsCounted: number
}

export const verdictOf = (entries: ReadonlyArray<Entry>, jobs: number, endings: ReadonlyArray<Ending>): Verdict => {
  const histories = Map.groupBy(entries, ({ job }) => job)
  const numbers = Array.from({ length: jobs }, (_, n) => n)
  const timesDone = (job: number) => histories.get(job)?.filter(({ event }) => event === "done").length ?? 0
  const doubled = numbers.filter((job) => timesDone(job) > 1)
  const killed = endings.filter(({ signal }) => signal !== "SIGTERM")
  const isExplained = (job: number) => killed.some((ending) => hasLapsed(ending, histories.get(job) ?? []))
  return {
    jobs,
    missing: numbers.filter((job) => timesDone(job) === 0),
    doubled,
    unexplained: doubled.filter((job) => !isExplained(job)),
    doneBy: countDone(entries),
    peaks: peaksOf(entries),
    handedOver: endings.map((ending) => handedOver(ending, [...histories.values()]))
  }
}

/** Longer than the lease, and than a stop or an outage in a test. */
const lapseMillis = 6000

/** Whether a lease on a job lapsed with its worker: the job was in hand, or it had been claimed and was begun afterwards. */
const hasLapsed = (ending: Ending, history: ReadonlyArray<Entry>): boolean =>
  inHandOf(ending, history) !== undefined ||
  history.some(({ at, event, worker }) =>
    event === "started" && worker === ending.worker && at > ending.at && at < ending.at + lapseMillis
  )

/** The start of a job that a worker had in hand when it ended: it has no end of its own before that. */
const inHandOf = ({ at, worker }: Ending, history: ReadonlyArray<Entry>): Entry | undefined => {
  const own = history.filter((entry) => entry.worker === worker && entry.at <= at)
  const last = own.at(-1)
  return last?.event === "started" ? last : undefined
}

const handedOver = (ending: Ending, histories: ReadonlyArray<ReadonlyArray<Entry>>): HandedOver => {
  const handed = histories.flatMap((history) => {
    const start = inHandOf(ending, history)
    if (start === undefined) return []
    const next = history.find(({ at, event, worker }) =>
      event === "started" && at >= ending.at && worker !== ending.worker
    )
    return [{ wait: next && next.at - ending.at, counted: next !== undefined && next.attempt > start.attempt }]
  })
  const waits = handed.flatMap(({ wait }) => wait === undefined ? [] : [wait]).toSorted((a, b) => a - b)
  return { ...ending, jobs: handed.length, waits, attemptsCounted: handed.filter(({ counted }) => counted).length }
}

const countDone = (entries: ReadonlyArray<Entry>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const { event, worker } of entries) {
    counts.set(worker, (counts.get(worker) ?? 0) + (event === "done" ? 1 : 0))
  }
  return counts
}

const peaksOf = (entries: ReadonlyArray<Entry>): Map<string, number> => {
  const running = new Map<string, number>()
  const peaks = new Map<string, number>()
  for (const { event, worker } of entries) {
    const now = (running.get(worker) ?? 0) + (event === "started" ? 1 : -1)
    running.set(worker, now)
    peaks.set(worker, Math.max(peaks.get(worker) ?? 0, now))
  }
  return peaks
}

const seconds = (millis: number | undefined): string => `${((millis ?? 0) / 1000).toFixed(2)} s`

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/** The verdict in sentences. */
export const linesOf = (verdict: Verdict): Array<string> => {
  const { doneBy, doubled, handedOver, jobs, missing, peaks, unexplained } = verdict
  const whole = missing.length === 0
    ? `${jobs} jobs, each of them done: ${jobs - doubled.length} once, ${doubled.length} more than once`
    : `${jobs} jobs, of which ${missing.length} were LOST: ${missing.slice(0, 20).join(", ")}`
  return [
    whole,
    ...unexplained.length === 0 ? [] : [`  ${unexplained.length} of those without any worker having died with them`],
    ...[...doneBy].toSorted().map(([worker, count]) =>
      `  worker ${worker} did ${plural(count, "job")}, up to ${peaks.get(worker)} at once`
    ),
    ...handedOver.map(lineOf)
  ]
}

const lineOf = ({ attemptsCounted, jobs, signal, waits, worker }: HandedOver): string => {
  const ending = `  worker ${worker} got ${signal} with ${plural(jobs, "job")} in hand`
  if (waits.length === 0) return ending
  const counted = attemptsCounted === 0 ? "no attempt counted" : `${plural(attemptsCounted, "attempt")} counted`
  return `${ending}: others took them after ${seconds(waits[0])} to ${seconds(waits.at(-1))}, ${counted}`
}
