/**
 * What a task costs in memory, once it has grown.
 *
 * Memory is the one resource that kills, so that its use is foreseen and not only measured: a task's footprint grows
 * while the task is young, and what tasks that have just started use says little of what they will. It is taken to grow
 * in proportion to age, from a fifth, until the task is as old as one found running at a random moment.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import { approach, clamp, smoothing } from "./numbers.ts"
import { isKnown, type Pace, variation } from "./pace.ts"

/**
 * Use as a fraction of the limit.
 *
 * - `at`: when it was measured last.
 * - `base`: what the process uses without tasks; unknown until the first measurement.
 * - `own`: what the process uses now.
 * - `passed`: unclear measurements that were passed over since the last that counted.
 * - `rise`: what that rises by per millisecond, beyond what is explained by tasks that started and beyond what it does
 *   time and again: soon up, and not at once down where some end that had grown, for the others may grow on.
 * - `unrest`: the mean square of what it rises or falls by without explanation, per millisecond.
 * - `isShown`, `hidden`: whether tasks have shown in use, and for how many milliseconds they ran without.
 * - `isPaced`: whether the duration of tasks was known when the candidates were begun.
 * - `candidates`: what use tells of a task, by how it may follow tasks; unknown until tasks ran.
 * - `seen`: the one of them that is relied on.
 */
export interface MemoryModel {
  readonly at: number | null
  readonly base: number | null
  readonly own: number
  readonly passed: number
  readonly rise: number
  readonly unrest: number
  readonly isShown: boolean
  readonly hidden: number
  readonly isPaced: boolean
  readonly candidates: ReadonlyArray<Seen> | null
  readonly seen: Seen | null
}

/**
 * - `used`, `grown`, `strayed`: means over some time of what tasks use together, of how many grown tasks they amount to,
 *   and of the square of what use is off its expectation by.
 * - `known`: milliseconds that these span so far.
 * - `growth`, `lag`: milliseconds until a task has grown, and the time constant by which use comes after tasks.
 * - `present`: how many grown tasks those in flight, and what others have left behind, amount to now.
 * - `usual`: how far grown a task in flight is on average, where as many start as end.
 * - `perTask`: what such a task uses.
 * - `variance`: that of a task's use. Tasks are many and independent, so that it adds up over them.
 */
export interface Seen {
  readonly used: number
  readonly grown: number
  readonly strayed: number
  readonly known: number
  readonly growth: number
  readonly lag: number
  readonly present: number
  readonly usual: number
  readonly perTask: number
  readonly variance: number
}

export const initial: MemoryModel = {
  at: null,
  base: null,
  own: 0,
  passed: 0,
  rise: 0,
  unrest: 0,
  isShown: false,
  hidden: 0,
  isPaced: false,
  candidates: null,
  seen: null
}

/**
 * A model for each limit that memory may be measured by: use of the heap and of the machine are of different scales, so
 * that what was learned by the one is wrong by orders of magnitude for the other.
 */
export type Memories = Readonly<Record<string, MemoryModel>>

const limitOf = (signal: SignalInfo | undefined): string => signal?.measure?.of ?? ""

/** The model of the limit that memory is measured by now. */
export const of = (memories: Memories, signal: SignalInfo | undefined): MemoryModel =>
  memories[limitOf(signal)] ?? initial

export const observeLimit = (
  memories: Memories,
  signal: SignalInfo,
  ages: ReadonlyArray<number>,
  now: number,
  late: number,
  pace: Pace
): Memories => ({ ...memories, [limitOf(signal)]: observe(of(memories, signal), signal, ages, now, late, pace) })

const newborn = 0.2

/** How far a task of this age has grown. */
export const maturity = (age: number, growth: number): number => clamp(age / growth, newborn, 1)

/** How many grown tasks those of these ages amount to. */
export const grownTasks = (ages: ReadonlyArray<number>, growth: number): number => {
  let sum = 0
  for (const age of ages) sum += maturity(age, growth)
  return sum
}

/**
 * How far grown a task in flight is, on average, where as many start as end: between the value for durations that are
 * all alike and the one for durations that vary as in a Poisson process, by their variation.
 */
export const usualMaturity = (pace: Pace, growth: number): number => {
  if (pace.duration === 0) return 1
  const x = growth / pace.duration
  const alike = x < 1 ? 1 - x / 2 : 1 / (2 * x)
  const varied = (1 - Math.exp(-x)) / x
  return Math.max(newborn, alike + Math.min(1, variation(pace) ** 2) * (varied - alike))
}

/**
 * How use may follow tasks. Which it is shows in use.
 *
 * - `growth`: how long they grow, as a share of the time they take: at once, or for a part of it, or for longer than most
 *   of them last. As long as few have finished to tell how long tasks take, it may be long.
 * - `lag`: the time constant, in milliseconds, by which use comes after them: what they leave behind is collected later.
 *   Where tasks are short, that is most of what is in use, and hardly moves with how many happen to run.
 */
interface Shape {
  readonly growth: number
  readonly lag: number
}

const shapes: ReadonlyArray<Shape> = [
  { growth: 0.02, lag: 0 },
  { growth: 0.25, lag: 0 },
  { growth: 0.75, lag: 0 },
  { growth: 2, lag: 0 },
  { growth: 0.25, lag: 1000 }
]

const growthTime = (pace: Pace, share: number): number =>
  isKnown(pace) ? clamp(share * pace.duration, 10, 15_000) : 5000

export const observe = (
  model: MemoryModel,
  signal: SignalInfo,
  ages: ReadonlyArray<number>,
  now: number,
  late: number,
  pace: Pace
): MemoryModel => {
  const { at = now, own } = signal
  if (signal.isStale || at === model.at) return model
  const isClear = !isUnclear(Math.max(now - at, late), pace)
  if (!isClear && canWait(model)) return { ...model, passed: model.passed + 1 }
  const running = ages.map((age) => age - (now - at)).filter((age) => age >= 0)
  const elapsed = model.at === null ? 0 : at - model.at
  const base = baseOf(model, own, running.length)
  const rise = elapsed > 0 ? (own - model.own) / elapsed : 0
  if (running.length === 0) return { ...model, at, base, own, passed: 0, rise }
  const isPaced = isKnown(pace)
  const weight: Weight = { elapsed, counts: isClear ? elapsed : doubt * elapsed }
  const candidates = shapes.map((shape, i) => {
    const before = model.candidates === null || model.isPaced !== isPaced ? null : model.candidates[i]
    const next = see(before, own - base, running, weight, shape, pace)
    // What tasks used that ended unseen would pass for how much the use of a task may stray.
    return isClear || before === null ? next : { ...next, strayed: before.strayed, variance: before.variance }
  })
  const [seen] = plausible(candidates).slice(-1)
  const unexplained = rise - explained(model.seen, seen, elapsed)
  const isShown = model.isShown || own - base > showing
  const abating = model.rise * (1 - approach(elapsed, abatement))
  return {
    at,
    base,
    own,
    passed: 0,
    rise: Math.max(unexplained - Math.sqrt(model.unrest), abating),
    unrest: slowly(elapsed, seen.known, pace)(model.unrest, unexplained ** 2),
    isShown,
    hidden: isShown ? model.hidden : model.hidden + elapsed,
    isPaced,
    candidates,
    seen
  }
}

/** The time constant with which a rise abates at most, in milliseconds. */
const abatement = 700

/**
 * Whether it is not known any more which tasks were measured: it is too long ago, or the event loop was blocked, after
 * which many tasks end at once.
 */
const isUnclear = (delay: number, { duration }: Pace): boolean => delay > Math.max(10, 0.02 * duration)

/** What an unclear measurement counts for, beside a clear one. */
const doubt = 0.2

/** Better an unclear measurement than none: only who knows what tasks use can wait for a clear one, and not for long. */
const canWait = ({ passed, seen }: MemoryModel): boolean => seen !== null && passed < 2

/** The candidates that explain use about equally well, in the order of `shapes`: the last of them is relied on. */
export const plausible = (candidates: ReadonlyArray<Seen>): ReadonlyArray<Seen> => {
  const least = Math.min(...candidates.map(strayness))
  // A negation, so that all remain where a measurement was no finite number.
  return candidates.filter((one) => !(strayness(one) > 1.5 * least))
}

/** The variance of what a task uses, as a share of the square of that. */
export const strayness = ({ perTask, variance }: Seen): number => variance / Math.max(negligible, perTask) ** 2

/**
 * The rise that more or older tasks account for, as far as what a task uses is known: where tasks differ much, a rise may
 * as well be the first sign of dearer ones.
 */
const explained = (before: Seen | null, seen: Seen, elapsed: number): number => {
  if (before === null || elapsed === 0) return 0
  const trust = clamp((0.65 - Math.sqrt(strayness(seen))) / 0.25, 0, 1)
  return trust * Math.max(0, seen.present - before.present) * seen.perTask / seen.usual / elapsed
}

// A few tasks that have just begun add little. Where many run at first sight the base is unknown: as 0 it makes tasks
// look dear, which is safe.
const baseOf = ({ base }: MemoryModel, own: number, current: number): number => {
  if (current === 0) return own
  if (base === null) return current <= 4 ? own : 0
  return Math.min(base, own)
}

/** A mean must span some tasks of each kind, and the longest ones are the last to be seen. */
const span = ({ duration }: Pace): number => Math.max(10_000, 3 * duration)

/** Use strays as slowly as tasks are replaced, so that it takes many times that to see how far. */
const longSpan = (pace: Pace): number => 6 * span(pace)

/** The milliseconds since the last measurement, and for how many of them this one counts. */
interface Weight {
  readonly elapsed: number
  readonly counts: number
}

// Sums over sums, so that a moment with many tasks counts for more than one with few.
const see = (
  before: Seen | null,
  used: number,
  ages: ReadonlyArray<number>,
  { counts, elapsed }: Weight,
  shape: Shape,
  pace: Pace
): Seen => {
  const { lag } = shape
  const growth = growthTime(pace, shape.growth)
  const present = smoothing(elapsed, lag)(before?.present, grownTasks(ages, growth))
  const usual = usualMaturity(pace, growth)
  const known = (before?.known ?? 0) + counts
  const toward = smoothing(counts, span(pace), known)
  const sums = { used: toward(before?.used, used), grown: toward(before?.grown, present) }
  const perTask = sums.used / sums.grown * usual
  const off = before === null ? untold * perTask ** 2 * present / usual : (used - perTask * present / usual) ** 2
  const strayed = slowly(elapsed, known, pace)(before?.strayed, off)
  const variance = strayed / sums.grown * usual
  return { ...sums, strayed, known, growth, lag, present, usual, perTask, variance }
}

/** What the relative variance of a task's use is taken for before there is anything to tell. */
const untold = 0.5

/** For how many measurements that stands; measurements of the same tasks are one. */
const imagined = 4

const imaginedTime = (elapsed: number, pace: Pace): number =>
  isKnown(pace) ? imagined * Math.max(elapsed, pace.duration) : Infinity

/** A mean of how far use is off, which spans `known` milliseconds beside what is imagined. */
const slowly = (elapsed: number, known: number, pace: Pace) =>
  smoothing(elapsed, longSpan(pace), known + imaginedTime(elapsed, pace))

/** How far the use of so many tasks together strays from its mean by chance: one standard deviation. */
export const stray = ({ variance }: Seen, tasks: number): number => Math.sqrt(variance * Math.max(1, tasks))

/** What is not ours to give: the process's base, and what others use. */
export const taken = ({ base }: MemoryModel, { load, own }: SignalInfo): number => Math.max(0, load - own) + (base ?? 0)

/** What tasks used at the latest measurement. */
export const usedByTasks = ({ base, own }: MemoryModel): number => own - (base ?? 0)

/** A report may be so late without saying so, in milliseconds: a sensor behind a slow link, an average over time. */
const lateness = 2000

/** Use by which tasks show, and the milliseconds within which the first ones do where reports are not late. */
const showing = 0.004
const soon = 1000

/** Use that tells that memory may come to matter, and for how long it has to be watched to know what a task uses. */
const notable = 0.05
const watched = 10_000

/**
 * For how long a rise in concurrency may not show in use. Who doubled again and again meanwhile would be past the limit
 * before seeing it. Where the first tasks showed at once, others will; and what a task uses on average over some time is
 * known however late that is reported.
 */
export const unseenFor = (model: MemoryModel): number =>
  model.hidden > soon && usedByTasks(model) > notable && (model.seen?.known ?? 0) < watched ? lateness : 0

const negligible = 1e-6

/** How many standard deviations of use stay free below the limit. */
const safety = 3

/** How many tasks fit under `aim`, and under the limit by chance too; undefined where tasks have no cost to speak of. */
export const ceiling = (model: MemoryModel, signal: SignalInfo, aim: number, current: number): number | undefined => {
  const { seen } = model
  if (seen === null || seen.perTask < negligible) return undefined
  const free = Math.min(aim, 1 - safety * stray(seen, current)) - taken(model, signal)
  return Math.max(1, free / seen.perTask)
}
