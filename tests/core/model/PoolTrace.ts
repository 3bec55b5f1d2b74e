/**
 * What can be seen of a pool while a program runs, from outside: the same for the model and for the real thing.
 */
import type { Program } from "./PoolProgram.ts"

/**
 * What the pool says of itself. `blockers` are the reasons why nothing starts: the model names all that hold, the pool
 * the one it chose.
 */
export interface View {
  readonly inFlight: number
  readonly desired: number
  readonly phase: "Idle" | "Running" | "Draining" | "Ending"
  readonly isPaused: boolean
  readonly pausedUntil: number | undefined
  readonly started: number
  readonly succeeded: number
  readonly timedOut: number
  readonly failed: number
  readonly abandoned: number
  readonly retried: number
  readonly delayed: number
  readonly finalizing: number
  readonly blockers: ReadonlyArray<string>
}

/** What a policy is shown. */
export interface Observed {
  readonly at: number
  readonly desired: number
  readonly current: number
  readonly mean: number
  readonly saturated: number
  readonly ended: number
  readonly failures: number
  readonly timeouts: number
  readonly fresh: number
  readonly ages: ReadonlyArray<number>
}

/** Sums of the same numbers in another order. */
export const nearly = (n: number): number => Math.round(n * 1e6) / 1e6

/** What happened from one step to the next, and how things stand after it. */
export interface Moment {
  readonly at: number
  /** Tasks that started, in order. */
  readonly starts: ReadonlyArray<string>
  /** All else that happened; in no order where it happened at the same time. */
  readonly events: ReadonlyArray<string>
  readonly view: View
}

export type Trace = ReadonlyArray<Moment>

export const makeMoment = (
  at: number,
  starts: ReadonlyArray<string>,
  events: ReadonlyArray<string>,
  view: View
): Moment => ({
  at,
  starts: [...starts],
  events: [...events].toSorted(),
  view
})

/** The first failure decides; those that it brings about are kept, in no order. */
export const nameFailures = ([first, ...others]: ReadonlyArray<string>): string =>
  [...new Set([first, ...others.toSorted()])].join(", ")

/** Whether what was seen is what should have been seen. */
export const agree = (expected: Moment, actual: Moment): boolean =>
  same(expected.starts, actual.starts) && same(expected.events, actual.events) &&
  same(withoutBlockers(expected.view), withoutBlockers(actual.view)) &&
  (expected.view.phase === "Idle" || expected.view.phase === "Ending" || agreeOnBlocker(expected.view, actual.view))

/** The number of the first moment that is not as it should be, or `undefined`. */
export const firstDifference = (expected: Trace, actual: Trace): number | undefined => {
  const index = expected.findIndex((moment, index) => actual[index] === undefined || !agree(moment, actual[index]))
  return index < 0 ? undefined : index
}

const agreeOnBlocker = (expected: View, actual: View): boolean =>
  actual.blockers.length === 1 && expected.blockers.includes(actual.blockers[0])

const withoutBlockers = (view: View): View => ({ ...view, blockers: [] })

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The moments up to the first difference, for a person to read. */
export const describe = (program: Program, expected: Trace, actual: Trace): string => {
  const difference = firstDifference(expected, actual) ?? expected.length - 1
  const past = expected.slice(Math.max(0, difference - 3), difference).map((moment) => `  as expected  ${line(moment)}`)
  const [wanted, got] = [expected[difference], actual[difference]]
  return [
    `step ${difference} of ${program.steps.length}:`,
    ...past,
    `  expected     ${wanted === undefined ? "nothing" : line(wanted)}`,
    `  but saw      ${got === undefined ? "nothing" : line(got)}`
  ].join("\n")
}

const line = ({ at, events, starts, view }: Moment): string =>
  `@${at} starts [${starts.join(", ")}] events [${events.join(", ")}] ${JSON.stringify(view)}`
