/**
 * What a task costs in memory, once it has grown.
 *
 * Memory is the one resource that kills, so that its use is foreseen and not only measured: a task's footprint grows
 * while the task is young, and what tasks that have just started use says little of what they will. It is taken to grow
 * in proportion to age, from a fifth, until the task is as old as one found running at a random moment.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import { approach, clamp } from "./numbers.ts"
import { type Pace, variation } from "./pace.ts"

/**
 * Use as a fraction of the limit.
 *
 * - `base`: what the process uses without tasks; unknown until the first decision.
 * - `own`, `rise`: what the process uses now, and what that has risen by per millisecond.
 * - `candidates`: what use tells of a task, by how long tasks may grow; unknown until tasks ran.
 * - `seen`: the truest of them.
 */
export interface MemoryModel {
  readonly base: number | null
  readonly own: number
  readonly rise: number
  readonly candidates: ReadonlyArray<Seen> | null
  readonly seen: Seen | null
}

/**
 * - `used`, `grown`: what tasks use together, and how many grown tasks they amount to.
 * - `usual`: how far grown a task in flight is on average, where as many start as end.
 * - `renewed`: the share of the tasks in flight that others replace before a change of their kind shows.
 * - `perTask`: what such a task uses.
 * - `variance`: that of a task's use. Tasks are many and independent, so that it adds up over them.
 */
export interface Seen {
  readonly used: number
  readonly grown: number
  readonly usual: number
  readonly renewed: number
  readonly perTask: number
  readonly variance: number
}

export const initial: MemoryModel = { base: null, own: 0, rise: 0, candidates: null, seen: null }

const newborn = 0.2

/** How many grown tasks those of these ages amount to. */
export const grownTasks = (ages: ReadonlyArray<number>, growth: number): number => {
  let sum = 0
  for (const age of ages) sum += clamp(age / growth, newborn, 1)
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
 * How long tasks may take to grow, as shares of the time they take. Which of them it is shows in use: the truest explains
 * it with the least variance. Long, as long as few have finished to tell.
 */
const growths: ReadonlyArray<number> = [0.25, 0.75, 2]

const growthTime = ({ duration, finished }: Pace, share: number): number =>
  finished < 5 ? 5000 : clamp(share * duration, 250, 15_000)

export const observe = (
  model: MemoryModel,
  signal: SignalInfo,
  ages: ReadonlyArray<number>,
  elapsed: number,
  pace: Pace
): MemoryModel => {
  if (signal.isStale) return model
  const { own } = signal
  const base = baseOf(model, own, ages.length)
  const rise = model.base !== null && elapsed > 0 ? (own - model.own) / elapsed : 0
  if (ages.length === 0) return { ...model, base, own, rise }
  const candidates = growths.map((share, i) => {
    const before = model.candidates === null ? null : model.candidates[i]
    return see(before, own - base, ages, elapsed, growthTime(pace, share), pace)
  })
  return {
    base,
    own,
    rise,
    candidates,
    seen: candidates.reduce((best, one) => strayness(one) < strayness(best) ? one : best)
  }
}

const strayness = ({ perTask, variance }: Seen): number => variance / Math.max(negligible, perTask) ** 2

// A few tasks that have just begun add little. Where many run at first sight the base is unknown: as 0 it makes tasks
// look dear, which is safe.
const baseOf = ({ base }: MemoryModel, own: number, current: number): number => {
  if (current === 0) return own
  if (base === null) return current <= 4 ? own : 0
  return Math.min(base, own)
}

/** How long a change of the kind of tasks goes unseen, in milliseconds. */
const unseen = 3000

const see = (
  before: Seen | null,
  used: number,
  ages: ReadonlyArray<number>,
  elapsed: number,
  growth: number,
  pace: Pace
): Seen => {
  const grown = grownTasks(ages, growth)
  const usual = usualMaturity(pace, growth)
  const renewed = Math.min(1, unseen / Math.max(1, pace.duration))
  if (before === null) {
    const perTask = used / grown * usual
    return { used, grown, usual, renewed, perTask, variance: perTask ** 2 }
  }
  const share = approach(elapsed, Math.max(6000, 2 * pace.duration))
  const lately = {
    used: before.used + approach(elapsed, 2000) * (used - before.used),
    grown: before.grown + approach(elapsed, 2000) * (grown - before.grown)
  }
  const perTask = before.perTask + share * (lately.used / lately.grown * usual - before.perTask)
  const deviation = used - perTask * grown / usual
  const variance = before.variance + share * (deviation ** 2 * usual / grown - before.variance)
  return { ...lately, usual, renewed, perTask, variance }
}

/** How many standard deviations stay free, and by how many each of the young tasks may turn out dearer. */
const margin = 1.1
const suspicion = 0.5

/** How far the use of so many tasks together may stray from its mean by chance. */
export const stray = ({ variance }: Seen, tasks: number): number => margin * Math.sqrt(variance * Math.max(1, tasks))

/**
 * How much more tasks that are still young may come to use, should they be of another kind than those before them. Where
 * tasks last long, few have begun before that shows.
 */
export const doubt = ({ renewed, variance }: Seen, young: number): number =>
  suspicion * renewed * Math.sqrt(variance) * young

/** What is not ours to give: the process's base, and what others use. */
export const taken = ({ base }: MemoryModel, { load, own }: SignalInfo): number => Math.max(0, load - own) + (base ?? 0)

const negligible = 1e-6

/** How many tasks fit under `aim`; undefined where tasks have no cost to speak of. */
export const ceiling = (model: MemoryModel, signal: SignalInfo, aim: number, current: number): number | undefined => {
  const { seen } = model
  if (seen === null || seen.perTask < negligible) return undefined
  const free = aim - taken(model, signal) - stray(seen, current)
  return Math.max(1, free / (seen.perTask + doubt(seen, 1 - seen.usual)))
}
