/**
 * What a task costs in memory, once it has grown.
 *
 * Memory is the one resource that kills, so that its use is foreseen and not only measured: a task's footprint grows
 * while the task is young, and what tasks that have just started use says little of what they will. It is taken to grow
 * in proportion to age, from a fifth. For how long, and how late it shows, is read from use: there are a few shapes, and
 * the one that explains use is relied on.
 */
import type { SignalInfo } from "../../../LoadSignal.ts"
import type { Observation } from "../../../ScalingPolicy.ts"
import { approach, clamp, smoothing } from "../numbers.ts"
import { memory as tuning, type Shape, shapes } from "../tuning.ts"
import * as garbage from "./garbage.ts"
import { areKnown, type Tasks, variation } from "./tasks.ts"

/**
 * Use as a fraction of the limit.
 *
 * - `at`: when it was measured last.
 * - `base`: what the process uses without tasks; unknown until the first measurement.
 * - `own`: what the process uses now, garbage of tasks apart.
 * - `remains`: which tasks have left garbage.
 * - `passed`: unclear measurements that were passed over since the last that counted.
 * - `rise`: what that rises by per millisecond, beyond what is explained by tasks that started and beyond what it
 *   does time and again: soon up, and not at once down where
 *   some tasks end that had grown, for the others may grow on.
 * - `unrest`: the mean square of what it rises or falls by without explanation, per millisecond.
 * - `unseen`: for how many milliseconds tasks ran without showing in use.
 * - `isPaced`: whether the duration of tasks was known when the candidates were begun, by which they grow.
 * - `candidates`: what use tells of a task, by its shape; none until tasks ran.
 * - `seen`: the one of them that is relied on.
 */
export interface MemoryModel {
  readonly at: number | null
  readonly base: number | null
  readonly own: number
  readonly remains: garbage.Remains
  readonly passed: number
  readonly rise: number
  readonly unrest: number
  readonly unseen: number
  readonly isPaced: boolean
  readonly candidates: ReadonlyArray<Seen>
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
  remains: garbage.none,
  passed: 0,
  rise: 0,
  unrest: 0,
  unseen: 0,
  isPaced: false,
  candidates: [],
  seen: null
}

/** How far a task of this age has grown. */
export const maturity = (age: number, growth: number): number => clamp(age / growth, tuning.newborn, 1)

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
export const usualMaturity = (tasks: Tasks, growth: number): number => {
  if (tasks.duration === 0) return 1
  const share = growth / tasks.duration
  const alike = share < 1 ? 1 - share / 2 : 1 / (2 * share)
  const varied = (1 - Math.exp(-share)) / share
  return Math.max(tuning.newborn, alike + Math.min(1, variation(tasks) ** 2) * (varied - alike))
}

const growthTime = (tasks: Tasks, share: number): number =>
  areKnown(tasks) ? clamp(share * tasks.duration, tuning.leastGrowth, tuning.mostGrowth) : tuning.unknownGrowth

export const observe = (
  before: MemoryModel,
  signal: SignalInfo,
  { completions, inFlightAges: ages, now }: Observation,
  late: number,
  tasks: Tasks
): MemoryModel => {
  if (signal.isStale) return before
  const model = { ...before, remains: garbage.observe(before.remains, signal, ages.length, completions.count) }
  const { at = now, own } = signal
  if (at === model.at) return model
  const isUnclear = Math.max(now - at, late) > Math.max(tuning.unclear, tuning.unclearShare * tasks.duration)
  if (isUnclear && canWait(model)) return { ...model, passed: model.passed + 1 }
  const running = ages.map((age) => age - (now - at)).filter((age) => age >= 0)
  const base = baseOf(model, own, running.length)
  const elapsed = model.at === null ? 0 : at - model.at
  const measured = { ...model, at, base, own, passed: 0 }
  if (running.length === 0) return { ...measured, rise: perMillisecond(own - model.own, elapsed) }
  const isPaced = areKnown(tasks)
  const weight: Weight = { elapsed, counts: isUnclear ? tuning.doubt * elapsed : elapsed }
  const candidates = shapes.map((shape, i) => {
    const known = model.isPaced === isPaced ? model.candidates[i] as Seen | undefined : undefined
    const next = see(known, own - base, running, weight, shape, tasks)
    // What tasks used that ended unseen would pass for how much the use of a task may stray.
    return isUnclear && known !== undefined ? { ...next, strayed: known.strayed, variance: known.variance } : next
  })
  const [seen] = plausible(candidates).slice(-1)
  const lasting = own - garbageOf(seen, own - base, seen.present, model.remains.left)
  const rise = perMillisecond(lasting - model.own, elapsed) - explained(model.candidates, candidates, elapsed)
  const abating = model.rise * (1 - approach(elapsed, tuning.abatement))
  return {
    ...measured,
    own: lasting,
    rise: Math.max(rise - Math.sqrt(model.unrest), abating),
    unrest: slowly(elapsed, seen.known, tasks)(model.unrest, rise ** 2),
    unseen: own - base > tuning.showing ? model.unseen : model.unseen + elapsed,
    isPaced,
    candidates,
    seen
  }
}

const perMillisecond = (change: number, elapsed: number): number => elapsed > 0 ? change / elapsed : 0

const garbageOf = ({ grown, used: meanUsed }: Seen, used: number, present: number, left: number): number => {
  const each = meanUsed / grown
  return garbage.ofUse(used, each * present, each, left)
}

/**
 * A report of use without the garbage of tasks, as far as that is sure. What a task uses is learned with it all the same:
 * to take tasks for dearer than they are is safe.
 */
export const withoutGarbage = (model: MemoryModel, signal: SignalInfo, ages: ReadonlyArray<number>): SignalInfo => {
  const { base, remains: { left }, seen } = model
  if (seen === null || left === 0) return signal
  const used = signal.own - (base ?? 0)
  const unused = Math.max(0, garbageOf(seen, used, grownTasks(ages, seen.growth), left) - stray(seen, left))
  return { ...signal, load: signal.load - unused, own: signal.own - unused }
}

/** Better an unclear measurement than none: only who knows what tasks use can wait for a clear one, and not for long. */
const canWait = ({ passed, seen }: MemoryModel): boolean => seen !== null && passed < tuning.mostPassed

/** The candidates that explain use about equally well, in the order of `shapes`: the last of them is relied on. */
export const plausible = (candidates: ReadonlyArray<Seen>): ReadonlyArray<Seen> => {
  const least = Math.min(...candidates.map(strayness))
  // A negation, so that all remain where a measurement was no finite number.
  return candidates.filter((one) => !(strayness(one) > tuning.plausible * least))
}

/** The variance of what a task uses, as a share of the square of that. */
export const strayness = ({ perTask, variance }: Seen): number => variance / Math.max(tuning.negligible, perTask) ** 2

// A few tasks that have just begun add little. Where many run at first sight the base is unknown: as 0 it makes tasks
// look dear, which is safe.
const baseOf = ({ base }: MemoryModel, own: number, current: number): number => {
  if (current === 0) return own
  return Math.min(own, base ?? (current <= tuning.fewAtFirst ? own : 0))
}

/** A mean must span some tasks of each kind, and the longest ones are the last to be seen. */
const span = ({ duration }: Tasks): number => Math.max(tuning.leastSpan, tuning.spanTasks * duration)

/** The milliseconds since the last measurement, and for how many of them this one counts. */
interface Weight {
  readonly elapsed: number
  readonly counts: number
}

// Sums over sums, so that a moment with many tasks counts for more than one with few.
const see = (
  before: Seen | undefined,
  used: number,
  ages: ReadonlyArray<number>,
  { counts, elapsed }: Weight,
  shape: Shape,
  tasks: Tasks
): Seen => {
  const { lag } = shape
  const growth = growthTime(tasks, shape.growth)
  const present = smoothing(elapsed, lag)(before?.present, grownTasks(ages, growth))
  const usual = usualMaturity(tasks, growth)
  const known = (before?.known ?? 0) + counts
  const toward = smoothing(counts, span(tasks), known)
  const sums = { used: toward(before?.used, used), grown: toward(before?.grown, present) }
  const perTask = sums.used / sums.grown * usual
  const expected = perTask * present / usual
  const off = before === undefined ? tuning.untold * perTask ** 2 * present / usual : (used - expected) ** 2
  const strayed = slowly(elapsed, known, tasks)(before?.strayed, off)
  return { ...sums, strayed, known, growth, lag, present, usual, perTask, variance: strayed / sums.grown * usual }
}

/**
 * The rise that more or older tasks account for, by the shape that expects most of it: a rise is no news that follows from
 * any of them. Where tasks differ much, a rise may as well be the first sign of dearer ones.
 */
const explained = (before: ReadonlyArray<Seen>, after: ReadonlyArray<Seen>, elapsed: number): number =>
  elapsed === 0 ? 0 : Math.max(0, ...after.map((seen, i) => i in before ? expected(before[i], seen) : 0)) / elapsed

const expected = (before: Seen, after: Seen): number => {
  const trust = clamp((tuning.differing - Math.sqrt(strayness(after))) / tuning.differingWidth, 0, 1)
  return trust * Math.max(0, after.present - before.present) * after.perTask / after.usual
}

/**
 * A mean of how far use is off. It strays as slowly as tasks are replaced, so that it takes many times that to see how far;
 * beside the `known` milliseconds some are imagined, for measurements of the same tasks are one.
 */
const slowly = (elapsed: number, known: number, tasks: Tasks) => {
  const imagined = areKnown(tasks) ? tuning.imagined * Math.max(elapsed, tasks.duration) : Infinity
  return smoothing(elapsed, tuning.strayingSpans * span(tasks), known + imagined)
}

/** How far the use of so many tasks together strays from its mean by chance: one standard deviation. */
export const stray = ({ variance }: Seen, tasks: number): number => Math.sqrt(variance * Math.max(1, tasks))

/** What is not ours to give: the process's base, and what others use. */
export const taken = ({ base }: MemoryModel, { load, own }: SignalInfo): number => Math.max(0, load - own) + (base ?? 0)

/** What tasks used at the latest measurement. */
export const usedByTasks = ({ base, own }: MemoryModel): number => own - (base ?? 0)

/**
 * For how long a rise in concurrency may not show in use: reports may be late without saying so. Who doubled again and again
 * meanwhile would be past the limit before seeing it. Where the first tasks showed at once, others will; and what a task
 * uses on average over some time is known however late that is reported.
 */
export const hiddenFor = (model: MemoryModel): number => {
  const isLate = model.unseen > tuning.soon && (model.seen?.known ?? 0) < tuning.watched
  return isLate && usedByTasks(model) > tuning.notable ? tuning.hidden : 0
}
