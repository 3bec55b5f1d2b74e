/**
 * What the ledger proves: whether each job was done, how often, by whom, and how long those of ended workers waited.
 */
import type { Entry } from "./ledger.ts"

/** A worker that was told to end, killed or stopped, or whose store went away. */
export interface Ending {
  readonly worker: string
  readonly signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "outage"
  readonly at: number
  /** When a worker that was stopped goes on, or its store is back. */
  readonly until?: number
}

/**
 * Why a job was done twice though nobody did anything wrong.
 *
 * - `in hand`: its worker ended, was stopped or cut off while it worked on the job, and the lease lapsed.
 * - `claimed`: its worker had leased the job and not begun when it was stopped or cut off, and began when the lease had lapsed.
 * - `unacknowledged`: its worker had done the job, and ended, was stopped or cut off before the queue knew.
 */
export type Cause = "in hand" | "claimed" | "unacknowledged"

export interface Verdict {
  readonly jobs: number
  /** Jobs that nobody did. */
  readonly missing: ReadonlyArray<number>
  /** Jobs that were done more than once. */
  readonly doubled: ReadonlyArray<number>
  /** How many of these there are of each cause. */
  readonly causes: ReadonlyMap<Cause, number>
  /** The ones without any cause. */
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
  const causes = doubled.map((job) => causeOf(endings, histories.get(job) ?? []))
  return {
    jobs,
    missing: numbers.filter((job) => timesDone(job) === 0),
    doubled,
    causes: countOf(causes.filter((cause) => cause !== undefined)),
    unexplained: doubled.filter((_, index) => causes[index] === undefined),
    doneBy: countDone(entries),
    peaks: peaksOf(entries),
    handedOver: endings.map((ending) => handedOver(ending, [...histories.values()]))
  }
}

/** The time in which a worker that goes on begins what it had leased before, in milliseconds. */
const catchUpMillis = 1000

/** A job is done once more than it needs to be for each time but one; each of these has to have a cause of its own. */
const causeOf = (endings: ReadonlyArray<Ending>, history: ReadonlyArray<Entry>): Cause | undefined => {
  const done = history.filter(({ event }) => event === "done")
  const causes = done.map((entry) => {
    const own = history.filter(({ attempt, worker }) => worker === entry.worker && attempt === entry.attempt)
    const hits = endings.filter(({ worker }) => worker === entry.worker)
    return hits.map((ending) => lapseOf(ending, entry, own)).find((cause) => cause !== undefined)
  }).filter((cause) => cause !== undefined)
  return causes.length < done.length - 1 ? undefined : causes[0]
}

/** Why the queue did not know that a worker had done a job, if that has to do with how the worker ended or was stopped. */
const lapseOf = (ending: Ending, done: Entry, own: ReadonlyArray<Entry>): Cause | undefined => {
  const start = own.findLast(({ at, event }) => event === "started" && at <= done.at)
  const isKnown = own.some(({ at, event }) => event === "acknowledged" && at <= ending.at)
  if (start === undefined || isKnown) return undefined
  if (done.at <= ending.at) return "unacknowledged"
  if (start.at <= ending.at) return "in hand"
  return start.at <= (ending.until ?? ending.at) + catchUpMillis ? "claimed" : undefined
}

/** The last that a worker did with a job before it ended. */
const lastBefore = ({ at, worker }: Ending, history: ReadonlyArray<Entry>): Entry | undefined =>
  history.findLast((entry) => entry.worker === worker && entry.at <= at)

/** The start of a job that a worker had in hand when it ended: it has no end of its own before that. */
const inHandOf = (ending: Ending, history: ReadonlyArray<Entry>): Entry | undefined => {
  const last = lastBefore(ending, history)
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

const countOf = <A>(values: ReadonlyArray<A>): Map<A, number> => {
  const counts = new Map<A, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
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
    if (event === "acknowledged") continue
    const now = (running.get(worker) ?? 0) + (event === "started" ? 1 : -1)
    running.set(worker, now)
    peaks.set(worker, Math.max(peaks.get(worker) ?? 0, now))
  }
  return peaks
}

const seconds = (millis: number | undefined): string => `${((millis ?? 0) / 1000).toFixed(2)} s`

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const reasons: Readonly<Record<Cause, string>> = {
  "in hand": "in hand of a worker that ended or was stopped",
  claimed: "leased to a worker that was stopped, and not begun",
  unacknowledged: "done by a worker that ended before it could say so"
}

/** The verdict in sentences. */
export const linesOf = (verdict: Verdict): Array<string> => {
  const { causes, doneBy, doubled, handedOver, jobs, missing, peaks, unexplained } = verdict
  const whole = missing.length === 0
    ? `${jobs} jobs, each of them done: ${jobs - doubled.length} once, ${doubled.length} more than once`
    : `${jobs} jobs, of which ${missing.length} were LOST: ${missing.slice(0, 20).join(", ")}`
  return [
    whole,
    ...[...causes].map(([cause, count]) => `  ${count} of those ${count === 1 ? "was" : "were"} ${reasons[cause]}`),
    ...unexplained.length === 0 ? [] : [`  ${unexplained.length} of those for no reason that the ledger tells`],
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
  const [first, last] = [seconds(waits[0]), seconds(waits.at(-1))]
  return `${ending}: others took them after ${first === last ? first : `${first} to ${last}`}, ${counted}`
}
