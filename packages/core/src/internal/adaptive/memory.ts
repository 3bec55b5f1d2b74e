/**
 * What a task costs in memory, and how much of that the running ones have yet to take.
 *
 * Use of memory is not proportional to tasks in flight, as that of CPU is: the process itself has a base. And it is the
 * one resource that kills, so it is foreseen and not only measured.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import { approach, clamp } from "./numbers.ts"

/**
 * All as fractions of the limit.
 *
 * - `base`: what the process uses without tasks; unknown until a decision found none in flight.
 * - `perTask`: what a task in flight uses on average; unknown until one ran.
 */
export interface MemoryModel {
  readonly base: number | null
  readonly perTask: number | null
}

export const initial: MemoryModel = { base: null, perTask: null }

export const observe = (
  model: MemoryModel,
  signal: SignalInfo,
  current: number,
  elapsed: number,
  time: number
): MemoryModel => {
  if (signal.isStale) return model
  // A pool that is first seen with tasks running has an unknown base: as 0 it makes tasks look dear, which is safe.
  if (current === 0) return model.base === null ? { ...model, base: signal.own } : model
  const base = Math.min(model.base ?? 0, signal.own)
  const seen = (signal.own - base) / current
  if (model.perTask === null) return { base, perTask: seen }
  const speed = (seen > model.perTask ? 1.5 : 0.5) * approach(elapsed, Math.max(3000, time))
  return { base, perTask: model.perTask + Math.min(1, speed) * (seen - model.perTask) }
}

/** How many tasks fit under `aim`, whatever else lives on the machine; unknown where tasks cost nothing measurable. */
export const ceiling = ({ base, perTask }: MemoryModel, signal: SignalInfo, aim: number): number | undefined => {
  if (perTask === null || perTask < negligible) return undefined
  const external = Math.max(0, signal.load - signal.own)
  return Math.max(1, (aim - external - (base ?? 0)) / perTask)
}

const negligible = 1e-6

/** A task's footprint grows while it is young: the share of it that tasks of these ages, oldest first, still owe. */
export const owed = (ages: ReadonlyArray<number>, time: number): number => {
  const grown = clamp(time, 500, 5000)
  let sum = 0
  for (let i = ages.length - 1; i >= 0 && ages[i] < grown; i--) sum += 1 - ages[i] / grown
  return sum
}

/**
 * By how much a task may yet outgrow what it uses now, where none has finished to tell: fivefold when it has just
 * started, no longer after some seconds.
 */
export const pessimism = (meanAge: number): number => 1 + 4 * Math.exp(-meanAge / 4000)
