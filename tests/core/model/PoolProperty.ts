/**
 * The property: whatever a program does, the pool does one of the things that the model permits.
 */
import { Arbitrary, Cause, Effect, Result } from "effect"
import { type Neighbour, PoolModel } from "./PoolModel.ts"
import { arbitrary, defaults, print, type Program } from "./PoolProgram.ts"
import { type Budget, execute, type Wrap } from "./PoolRun.ts"
import { agree, describe, type Moment, type Trace } from "./PoolTrace.ts"

/** More permitted traces than this are not tried: a program that leaves so much open proves nothing. */
const mostTraces = 300

/** `unknown`: there may be a permitted trace that is the actual one, but it was not found. */
export type Verdict =
  | { readonly is: "right" | "unknown" }
  | { readonly is: "wrong"; readonly why: string }

/**
 * Looks for a permitted trace that is the actual one. What comes behind the first difference is not tried another way,
 * because nothing there can mend it.
 */
export const judge = (program: Program, actual: Trace, neighbour: Neighbour = "None"): Verdict => {
  let path: Array<number> = []
  let best: Trace = []
  for (let tried = 0; tried < mostTraces; tried++) {
    const { counts, isRight, trace } = follow(program, actual, path, neighbour)
    if (isRight) return { is: "right" }
    if (trace.length > best.length) best = trace
    path = counts.map((_, index) => path[index] ?? 0)
    while (path.length > 0 && path[path.length - 1] + 1 >= counts[path.length - 1]) path.pop()
    if (path.length === 0) return { is: "wrong", why: describe(program, best, actual) }
    path[path.length - 1]++
  }
  return { is: "unknown" }
}

/** Lives through the program with these choices, for as long as nothing differs; says how many choices there were. */
const follow = (program: Program, actual: Trace, path: ReadonlyArray<number>, neighbour: Neighbour) => {
  const counts: Array<number> = []
  const starts = actual.flatMap((moment) => moment.starts.map((start) => Number.parseInt(start, 10)))
  const model = new PoolModel(program, {
    choose: (count) => path[counts.push(count) - 1] ?? 0,
    nextStart: (items, n) => items.includes(starts[n]) ? starts[n] : items[0]
  }, neighbour)
  const trace: Array<Moment> = []
  for (const moment of model.moments()) {
    const seen = actual[trace.push(moment) - 1]
    if (seen === undefined || !agree(moment, seen)) return { counts, trace, isRight: false }
  }
  return { counts, trace, isRight: true }
}

/** What was tried in how many programs, by what was seen. */
export type Tally = Map<string, number>

const count = (tally: Tally, label: string): void => void tally.set(label, (tally.get(label) ?? 0) + 1)

/** Runs a program and fails with what is wrong, if anything is. */
const verify = (program: Program, tally: Tally, wrap?: Wrap, budget?: Budget): Effect.Effect<boolean, string> =>
  Effect.matchCauseEffect(execute(program, wrap, budget), {
    onFailure: (cause) => Effect.fail(brokenRule(cause) ?? Cause.pretty(cause)),
    onSuccess: (trace) => {
      const verdict = judge(program, trace, budget === "GovernorBesideBusy" ? "HoldsOne" : "None")
      for (const label of labelsOf(program, trace)) count(tally, label)
      count(tally, verdict.is)
      return verdict.is === "wrong" ? Effect.fail(verdict.why) : Effect.succeed(true)
    }
  })

const brokenRule = (cause: Cause.Cause<{ readonly rule: string }>): string | undefined =>
  Result.getOrUndefined(Cause.findError(cause))?.rule

export interface CheckOptions {
  readonly programs: number
  readonly seed: number
  readonly wrap?: Wrap | undefined
  readonly budget?: Budget | undefined
}

/** Random programs, until one is wrong: that one is then made as small as can be. */
export const check = Effect.fnUntraced(function*({ budget, programs, seed, wrap }: CheckOptions) {
  const tally: Tally = new Map()
  const result = yield* Arbitrary.checkEffect(arbitrary, (program) => verify(program, tally, wrap, budget), {
    runs: programs,
    seed,
    size: 40,
    maxShrinks: 2_000
  })
  if (result._tag !== "Falsified") return { result: result._tag, tally, smallest: undefined, message: "" }
  const why = result.failure._tag === "PropertyError" ? result.failure.error : ""
  const smallest = result.shrunkInput
  return { result: result._tag, tally, smallest, message: `${print(smallest)}\n\n${why}` }
})

/** Says what is wrong with a program that a failed check has printed, or that it is right. */
export const replay = (program: Partial<Program>, wrap?: Wrap, budget?: Budget): Effect.Effect<string> =>
  verify({ ...defaults, ...program }, new Map(), wrap, budget).pipe(
    Effect.as("right"),
    Effect.catch((why) => Effect.succeed(why))
  )

/** What a program and its trace are examples of. */
const labelsOf = (program: Program, trace: Trace): ReadonlySet<string> => {
  const events = trace.flatMap((moment) => moment.events)
  const starts = trace.flatMap((moment) => moment.starts.map((start) => Number.parseInt(start, 10)))
  const labels = trace.flatMap((
    { view }
  ) => [...view.blockers, view.phase, view.inFlight > 1 ? "tasks side by side" : ""])
  for (const event of events) {
    for (const [label, pattern] of seen) if (pattern.test(event)) labels.push(label)
  }
  const desired = new Set(trace.map(({ view }) => view.desired))
  return new Set([
    `from ${program.from}`,
    ...labels.filter((label) => label !== ""),
    ...(desired.size > 1 ? ["desired changed"] : []),
    ...(program.retry === null && new Set(starts).size < starts.length ? ["given back and started again"] : []),
    ...(trace.some(({ view }, n) => view.delayed > 0 && trace[n + 1]?.view.phase === "Idle")
      ? ["given back between tries"]
      : []),
    ...(program.policy === null ? [] : [`law ${program.policy.law}`]),
    ...program.steps.flatMap(({ actions }) => actions.map((action) => action.do === "signal" ? action.says : action.do))
  ])
}

const seen: ReadonlyArray<readonly [string, RegExp]> = [
  ["finished", /^run \d+ Finished/],
  ["aborted", /^run \d+ Aborted/],
  ["aborted with tasks in flight", /^run \d+ Aborted.*"interrupted":[1-9]/],
  ["drained", /^run \d+ Drained/],
  ["abandoned", /"abandoned":[1-9]/],
  ["retried", /"retried":[1-9]/],
  ["interrupted", /^run \d+ interrupted/],
  ["already running", /^run \d+ AlreadyRunning/],
  ["second run", /^run 2 (?!AlreadyRunning)/],
  ["third run", /^run 3 (?!AlreadyRunning)/],
  ["task failed the run", /fails: fail task/],
  ["task died", /fails: die task/],
  ["several failures", /fails: .*, /],
  ["timeout failed the run", /fails: timeout/],
  ["timeout absorbed", /"timedOut":[1-9]/],
  ["onTaskTimeout failed the run", /fails: fail absorbed/],
  ["question failed the run", /fails: (fail|die) question/],
  ["isFinished failed the run", /fails: (fail|die) final/],
  ["source failed the run", /fails: fail queue/],
  ["refused change", /^refused/],
  ["decision seen", /^decides on/]
]
