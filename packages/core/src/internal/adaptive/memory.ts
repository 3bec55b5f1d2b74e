/**
 * What a task costs in memory, once it has grown.
 *
 * Memory is the one resource that kills, so that its use is foreseen and not only measured: a task's footprint grows
 * while the task is young, and what tasks that have just started use says little of what they will. It is taken to grow
 * in proportion to age, from a fifth, until the task is as old as one found running at a random moment.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import { approach, clamp } from "./numbers.ts"
import { type Pace, turnover, variation } from "./pace.ts"

/**
 * Use as a fraction of the limit.
 *
 * - `base`: what the process uses without tasks; unknown until the first decision.
 * - `own`, `rise`: what the process uses now, and what that has risen by per millisecond.
 * - `seen`: averages over the seconds that memory takes to be freed; unknown until tasks ran.
 */
export interface MemoryModel {
  readonly base: number | null
  readonly own: number
  readonly rise: number
  readonly seen: Seen | null
}

/**
 * - `used`, `grown`: what tasks use together, and how many grown tasks they amount to.
 * - `usual`: how far grown a task in flight is on average, where as many start as end.
 * - `perTask`: what such a task uses.
 * - `variance`: that of a task's use. Tasks are many and independent, so that it adds up over them.
 */
export interface Seen {
  readonly used: number
  readonly grown: number
  readonly usual: number
  readonly perTask: number
  readonly variance: number
}

export const initial: MemoryModel = { base: null, own: 0, rise: 0, seen: null }

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

/** How long tasks grow, in milliseconds: long, as long as none has finished to tell. */
const growthTime = (pace: Pace): number => pace.finished < 5 ? 5000 : clamp(turnover(pace, pace.duration), 500, 5000)

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
  return { base, own, rise, seen: ages.length === 0 ? model.seen : see(model.seen, own - base, ages, elapsed, pace) }
}

// A few tasks that have just begun add little. Where many run at first sight the base is unknown: as 0 it makes tasks
// look dear, which is safe.
const baseOf = ({ base }: MemoryModel, own: number, current: number): number => {
  if (current === 0) return own
  if (base === null) return current <= 4 ? own : 0
  return Math.min(base, own)
}

const see = (
  before: Seen | null,
  used: number,
  ages: ReadonlyArray<number>,
  elapsed: number,
  pace: Pace
): Seen => {
  const growth = growthTime(pace)
  const grown = grownTasks(ages, growth)
  const usual = usualMaturity(pace, growth)
  if (before === null) {
    const perTask = used / grown * usual
    return { used, grown, usual, perTask, variance: perTask ** 2 }
  }
  const share = approach(elapsed, Math.max(6000, 2 * growth))
  const lately = {
    used: before.used + approach(elapsed, 2000) * (used - before.used),
    grown: before.grown + approach(elapsed, 2000) * (grown - before.grown)
  }
  const perTask = before.perTask + share * (lately.used / lately.grown * usual - before.perTask)
  const deviation = used - perTask * grown / usual
  const variance = before.variance + share * (deviation ** 2 * usual / grown - before.variance)
  return { ...lately, usual, perTask, variance }
}

/** How far the use of so many tasks together may stray from its mean by chance. */
export const stray = ({ variance }: Seen, tasks: number): number => Math.sqrt(variance * Math.max(1, tasks))

/** How much more tasks that are still young may come to use, should they be of another kind than those before them. */
export const doubt = ({ variance }: Seen, young: number): number => 0.4 * Math.sqrt(variance) * young

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
