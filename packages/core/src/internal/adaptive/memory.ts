/**
 * What a task costs in memory, once it has grown.
 *
 * Memory is the one resource that kills, so that its use is foreseen and not only measured: a task's footprint grows
 * while the task is young, and what tasks that have just started use says little of what they will. It is taken to grow
 * in proportion to age, from a fifth, until it is as old as a task found running at a random moment.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import { approach, clamp } from "./numbers.ts"
import { type Pace, turnover, variation } from "./pace.ts"

/**
 * As fractions of the limit.
 *
 * - `base`: what the process uses without tasks; unknown until the first decision.
 * - `used`, `grown`: what tasks use together, and how many grown ones they amount to, averaged over the seconds that
 *   memory takes to be freed; unknown until some ran.
 * - `perTask`: what a task in flight uses where young ones and old ones run side by side; unknown until one ran.
 * - `variance`: that of a task's use. Tasks are many and independent, so it adds up over them.
 */
export interface MemoryModel {
  readonly base: number | null
  readonly used: number
  readonly grown: number | null
  readonly perTask: number
  readonly usual: number
  readonly own: number
  readonly rise: number
  readonly variance: number
}

export const initial: MemoryModel = { base: null, used: 0, grown: null, perTask: 0, usual: 1, own: 0, rise: 0, variance: 0 }

const newborn = 0.2

/** How long tasks grow, in milliseconds; long, as long as none has finished to tell. */
const growthTime = (pace: Pace): number => pace.finished < 5 ? 5000 : clamp(turnover(pace, pace.duration), 500, G)
const G = 5000

/** How many grown tasks those of these ages amount to. */
export const grownTasks = (ages: ReadonlyArray<number>, growth: number): number => {
  let sum = 0
  for (const age of ages) sum += clamp(age / growth, newborn, 1)
  return sum
}

/**
 * How far tasks have grown, on average, where as many start as end. Between durations that are all alike and ones that
 * vary as in a Poisson process, the variation tells.
 */
export const usualMaturity = (pace: Pace, grown: number): number => {
  if (pace.duration === 0) return 1
  const x = grown / pace.duration
  const alike = x < 1 ? 1 - x / 2 : 1 / (2 * x)
  const varied = (1 - Math.exp(-x)) / x
  return Math.max(newborn, alike + Math.min(1, variation(pace) ** 2) * (varied - alike))
}

export const observe = (
  model: MemoryModel,
  signal: SignalInfo,
  ages: ReadonlyArray<number>,
  elapsed: number,
  pace: Pace
): MemoryModel => {
  if (signal.isStale) return model
  // A pool that is first seen with tasks running has an unknown base: as 0 it makes tasks look dear, which is safe.
  if (model.base === null) return { ...model, base: ages.length === 0 ? signal.own : 0 }
  if (ages.length === 0) return model
  const base = Math.min(model.base, signal.own)
  const growth = growthTime(pace)
  const together = grownTasks(ages, growth)
  const usual = usualMaturity(pace, growth)
  if (model.grown === null) {
    const perTask = (signal.own - base) / together * usual
    return { base, used: signal.own - base, grown: together, perTask, usual, own: signal.own, rise: 0, variance: (doubt * perTask) ** 2 }
  }
  const recent = approach(elapsed, 2000)
  const used = model.used + recent * (signal.own - base - model.used)
  const grown = model.grown + recent * (together - model.grown)
  const share = approach(elapsed, Math.max(T, 2 * growth))
  const seen = used / grown * usual
  const perTask = model.perTask + (seen > model.perTask ? Math.min(1, U * share) : share) * (seen - model.perTask)
  const deviation = signal.own - base - perTask * together / usual
  return {
    base,
    used,
    grown,
    perTask,
    usual,
    own: signal.own,
    rise: signal.own - model.own,
    variance: model.variance + share * (deviation * deviation * usual / together - model.variance)
  }
}

const doubt = 1

/** How far the use of so many tasks together may stray from its mean. */
export const stray = ({ variance }: MemoryModel, tasks: number): number => Math.sqrt(variance * Math.max(1, tasks))

/** How many tasks fit under `aim`, whatever else lives on the machine; unknown where tasks cost nothing measurable. */
export const ceiling = (
  model: MemoryModel,
  signal: SignalInfo,
  aim: number,
  current: number
): number | undefined => {
  const { base, grown, perTask } = model
  if (grown === null || perTask < negligible) return undefined
  const young = K * Math.sqrt(model.variance) * (1 - model.usual)
  return Math.max(1, (aim - externalOf(signal) - (base ?? 0) - Z * stray(model, current)) / (perTask + young))
}

const negligible = 1e-6

const Z = 1
const K = 0.5
export const externalOf = ({ load, own }: SignalInfo): number => Math.max(0, load - own)
const T = 6000
const U = 1
