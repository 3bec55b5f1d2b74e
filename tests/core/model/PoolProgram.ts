/**
 * Programs over a pool: what work there is, how it behaves, and what is done to the pool at which moment.
 *
 * A program is plain data, so that a failing one can be printed, pasted into a test and replayed. All times are in
 * milliseconds.
 */
import { Arbitrary, Schema } from "effect"

/** What a task may do, besides taking time; `add` puts items into the source. */
export type Action =
  | { readonly do: "pause" | "resume" | "notify" | "abort" | "drain" | "close" }
  | { readonly do: "pauseFor"; readonly millis: number }
  | { readonly do: "add"; readonly count: number }
  | { readonly do: "configure"; readonly change: Change }

/** What a step does: a task's actions, and those that only the outside can do. `break` fails a queue. */
export type StepAction =
  | Action
  | { readonly do: "nothing" | "run" | "interrupt" | "break" }
  | { readonly do: "signal"; readonly name: "cpu" | "memory"; readonly says: "idle" | "overloaded" | "stale" }

/** A change of settings; `pace` is the time between two starts, 0 for no cap. */
export interface Change {
  readonly min?: number
  readonly max?: number
  readonly desired?: number
  readonly pace?: number
}

/**
 * One task: first a part that cannot be interrupted, then one that can, then an action and the end, and last the
 * finalizer. All of them 0: the task is synchronous.
 */
export interface TaskSpec {
  readonly fixed: number
  readonly wait: number
  readonly act: Action | null
  readonly end: "succeed" | "fail" | "die" | "interrupt"
  readonly cleanup: number
}

/** Actions in one turn, `after` milliseconds behind those of the step before. */
export interface Step {
  readonly after: number
  readonly actions: ReadonlyArray<StepAction>
}

export type PolicySpec =
  | {
    readonly law: "stepRatio"
    readonly every: number
    readonly ratio: number
    readonly up: number
    readonly down: number
  }
  | {
    readonly law: "script"
    readonly every: number
    readonly atStart: boolean
    /** Taken in turn, over and over; an allowance of -1 means none is given. */
    readonly decisions: ReadonlyArray<{ readonly desired: number; readonly allowance: number }>
  }

/** The question (by its number, over all runs) that does not answer but fails. */
export interface Fault {
  readonly at: number
  readonly how: "fail" | "die"
}

/**
 * - `from`: what the pool works on. `checks` is the opaque pool of three effects; `pull` and `lease` are leased; what
 *   was interrupted of a pull its source keeps, and hands out before it pulls again.
 * - `min`, `max`, `desired`, `pace`: settings.
 * - `timeout`: of a task, 0 for none; `absorb` is what `onTaskTimeout` does. `patience`: `finalizerTimeout`, 0 for none.
 * - `retry`: how often a task that fails is tried again, and after which pause; it stops failing some day. Not of checks.
 * - `askEvery`: `maybeRunInterval`.
 * - `questions`: how long the nth `isTaskReady`, or the nth take of a leased source, thinks; taken in turn.
 * - `finals`: the same for `isFinished`.
 * - `items`: there from the start; `isClosed`: whether no more will come.
 * - `tasks`: what item n does, taken in turn.
 */
export interface Program {
  readonly from: "checks" | "iterable" | "queue" | "pull" | "lease"
  readonly min: number
  readonly max: number
  readonly desired: number
  readonly pace: number
  readonly timeout: number
  readonly absorb: { readonly wait: number; readonly end: "succeed" | "fail" } | null
  readonly patience: number
  readonly retry: { readonly times: number; readonly pause: number } | null
  readonly askEvery: number
  readonly policy: PolicySpec | null
  readonly questions: ReadonlyArray<number>
  readonly questionFault: Fault | null
  readonly finals: ReadonlyArray<number>
  readonly finalFault: Fault | null
  readonly items: number
  readonly isClosed: boolean
  readonly tasks: ReadonlyArray<Partial<TaskSpec>>
  readonly steps: ReadonlyArray<Step>
}

export const defaultTask: TaskSpec = { fixed: 0, wait: 0, act: null, end: "succeed", cleanup: 0 }

/** The simplest of everything, and not what a pool takes where it is told nothing. */
export const defaults: Program = {
  from: "checks",
  min: 1,
  max: 1,
  desired: 1,
  pace: 0,
  timeout: 0,
  absorb: null,
  patience: 0,
  retry: null,
  askEvery: 500,
  policy: null,
  questions: [],
  questionFault: null,
  finals: [],
  finalFault: null,
  items: 0,
  isClosed: true,
  tasks: [],
  steps: []
}

/** What remains to be done when the steps are over, so that every run that can end does. */
export const epilogue: ReadonlyArray<Step> = [
  {
    after: 1_009,
    actions: [
      { do: "signal", name: "cpu", says: "idle" },
      { do: "signal", name: "memory", says: "idle" },
      { do: "resume" },
      { do: "close" },
      { do: "notify" }
    ]
  },
  { after: 30_011, actions: [{ do: "nothing" }] }
]

/** There are no more items than this, though tasks may make items that are tasks. */
export const mostItems = 64

/** What the nth start of an item does: where it is tried again, it does not fail for ever. */
export const taskOf = (program: Program, id: number, starts = 1): TaskSpec => {
  const spec = { ...defaultTask, ...program.tasks[id % program.tasks.length] }
  const isCured = program.retry !== null && spec.end === "fail" && starts > 1 + id % 3
  return isCured ? { ...spec, end: "succeed" } : spec
}

/** The nth of a list that is taken in turn. */
export const inTurn = <A>(list: ReadonlyArray<A>, n: number, fallback: A): A =>
  list.length === 0 ? fallback : list[n % list.length]

/** The literal that `replay` takes: defaults are left out. */
export const print = (program: Program): string => {
  const usual: Readonly<Record<string, unknown>> = { ...defaults }
  const given = Object.entries(program).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(usual[key]))
  const fields = given.map(([key, value]) =>
    `  ${key}: ${key === "steps" || key === "tasks" ? column(value) : literal(value)}`
  )
  return `replay({\n${fields.join(",\n")}\n})`
}

const column = (entries: unknown): string =>
  Array.isArray(entries) ? `[${entries.map((entry) => `\n    ${literal(entry)}`).join(",")}\n  ]` : literal(entries)

const literal = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return `{ ${Object.entries(value).map(([key, of]) => `${key}: ${literal(of)}`).join(", ")} }`
}

// Generation: tuples of small integers that shrink towards 0, and a reading of them in which 0 is the simplest thing.

const below = (count: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: count - 1 })))

/** Numbers drawn evenly, where the generator of integers prefers the ends of a range. */
const evenly = (count: number) => Arbitrary.map(below(1 << 20), (n) => n % count)

const pick = <const A>(choices: ReadonlyArray<A>): Arbitrary.Arbitrary<A> =>
  Arbitrary.map(evenly(choices.length), (index) => choices[index])

/** Mostly the first, otherwise one of the rest. */
const rarely = <A>(usual: A, other: Arbitrary.Arbitrary<A>, oneIn: number): Arbitrary.Arbitrary<A> =>
  Arbitrary.map(Arbitrary.all([evenly(oneIn), other]), ([n, value]) => n === oneIn - 1 ? value : usual)

/** Durations of very different scale, seldom the same one twice. */
const duration = (scales: ReadonlyArray<number>): Arbitrary.Arbitrary<number> =>
  Arbitrary.map(Arbitrary.all([pick(scales), below(97)]), ([scale, offset]) => scale === 0 ? 0 : scale + offset)

const change: Arbitrary.Arbitrary<Change> = Arbitrary.map(
  Arbitrary.all([evenly(6), evenly(5), evenly(9), evenly(9), pick([0, 250, 1_500])]),
  ([which, min, max, desired, pace]) => {
    if (which === 0) return { desired: desired + 1 }
    if (which === 1) return { max: max + 1 }
    if (which === 2) return { min: min + 1 }
    if (which === 3) return { pace }
    if (which === 4) return { min: min + 1, max: max + 1 }
    return { min: min + 1, max: max + 1, desired: desired + 1, pace }
  }
)

const action: Arbitrary.Arbitrary<Action> = Arbitrary.map(
  Arbitrary.all([evenly(14), below(6), change, duration([97, 599, 2_003])]),
  ([which, count, change, millis]) => {
    if (which < 4) return { do: "add", count: count + 1 }
    if (which < 6) return { do: "notify" }
    if (which === 6) return { do: "pause" }
    if (which < 9) return { do: "resume" }
    if (which === 9) return { do: "configure", change }
    if (which === 10) return { do: "pauseFor", millis }
    return { do: which === 11 ? "close" : which === 12 ? "drain" : "abort" }
  }
)

const stepAction: Arbitrary.Arbitrary<StepAction> = Arbitrary.map(
  Arbitrary.all([evenly(24), action, pick(["cpu", "memory"]), pick(["idle", "overloaded", "stale"]), change]),
  ([which, action, name, says, change]) => {
    if (which === 0) return { do: "nothing" }
    if (which < 5) return { do: "run" }
    if (which < 10) return { do: "signal", name, says }
    if (which < 13) return { do: "configure", change }
    if (which === 13) return { do: "interrupt" }
    if (which === 14) return { do: "pause" }
    if (which === 15) return { do: "break" }
    return action
  }
)

const step: Arbitrary.Arbitrary<Step> = Arbitrary.map(
  Arbitrary.all([
    duration([1, 101, 401, 1_009, 2_503]),
    stepAction,
    rarely([], Arbitrary.array(stepAction, { maxLength: 2 }), 6)
  ]),
  ([after, first, more]) => ({ after, actions: [first, ...more] })
)

/** What a task has that a task does not usually have. */
const unusual = (task: TaskSpec): Partial<TaskSpec> => {
  const usual: Readonly<Record<string, unknown>> = { ...defaultTask }
  return Object.fromEntries(Object.entries(task).filter(([key, value]) => value !== usual[key]))
}

const task: Arbitrary.Arbitrary<Partial<TaskSpec>> = Arbitrary.map(
  Arbitrary.all({
    wait: duration([0, 53, 307, 1_103, 2_903, 2_903]),
    fixed: rarely(0, duration([211, 907]), 8),
    cleanup: rarely(0, duration([101, 809]), 4),
    act: rarely(null, action, 8),
    end: rarely("succeed", pick(["fail", "die", "interrupt"]), 10)
  }),
  unusual
)

const policy: Arbitrary.Arbitrary<PolicySpec> = Arbitrary.map(
  Arbitrary.all({
    isScript: evenly(2),
    every: duration([409, 1_301, 2_711]),
    ratio: pick([0.9, 0.5, 1]),
    up: pick([0.05, 0.3, 1]),
    down: pick([0.05, 0.3, 1]),
    atStart: pick([false, true]),
    decisions: Arbitrary.array(
      Arbitrary.map(
        Arbitrary.all([evenly(10), evenly(4), rarely(-1, evenly(5), 2)]),
        ([desired, part, allowance]) => ({ desired: desired + (part === 3 ? 0.5 : 0), allowance })
      ),
      { minLength: 1, maxLength: 5 }
    )
  }),
  ({ atStart, decisions, down, every, isScript, ratio, up }) =>
    isScript === 1 ? { law: "script", every, atStart, decisions } : { law: "stepRatio", every, ratio, up, down }
)

const faultAmong = (first: number) =>
  rarely<Fault | null>(
    null,
    Arbitrary.map(Arbitrary.all([evenly(first), evenly(2)]), ([at, how]) => ({ at, how: how === 0 ? "fail" : "die" })),
    12
  )

const thinking = Arbitrary.array(duration([0, 0, 61, 503, 1_409]), { maxLength: 5 })

/** Half of the tasks fail, for there is little to see of retries otherwise. */
const failing = (task: Partial<TaskSpec>, index: number): Partial<TaskSpec> =>
  index % 2 === 0 ? { end: "fail", ...task } : task

/** Random programs that begin with a run. */
export const arbitrary: Arbitrary.Arbitrary<Program> = Arbitrary.map(
  Arbitrary.all({
    from: pick(["checks", "checks", "iterable", "queue", "pull", "lease"]),
    bounds: Arbitrary.all([evenly(3), evenly(8), evenly(8)]),
    pace: rarely(0, pick([100, 600, 1_500]), 4),
    timeout: rarely(0, duration([101, 503, 1_601]), 4),
    absorb: rarely(null, Arbitrary.all({ wait: duration([0, 307]), end: pick(["succeed", "succeed", "fail"]) }), 2),
    askEvery: duration([500, 503, 1_511]),
    patience: rarely(0, duration([53, 307, 701]), 2),
    retry: rarely(null, Arbitrary.all({ times: evenly(4), pause: duration([0, 211, 1_301]) }), 3),
    policy: rarely(null, policy, 2),
    questions: thinking,
    questionFault: faultAmong(12),
    finals: thinking,
    finalFault: faultAmong(2),
    items: below(16),
    isClosed: pick([true, false]),
    tasks: Arbitrary.array(task, { maxLength: 8 }),
    steps: Arbitrary.array(step, { maxLength: 18 })
  }),
  ({ bounds: [min, max, desired], steps, ...rest }) => ({
    ...rest,
    retry: rest.from === "checks" ? null : rest.retry,
    tasks: rest.retry === null ? rest.tasks : rest.tasks.map(failing),
    min: min + 1,
    max: min + 1 + max,
    desired: desired + 1,
    steps: [{ after: 1, actions: [{ do: "run" }] }, ...steps]
  })
)
