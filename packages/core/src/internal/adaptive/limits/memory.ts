/**
 * How many tasks fit into memory, and the loads that bound their starts.
 */
import type { SignalInfo } from "../../../LoadSignal.ts"
import { type MemoryModel, stray, taken } from "../model/memory.ts"
import { memory as tuning } from "../tuning.ts"

/**
 * - `aim`: the load that a steady state aims at: the target of the signal, less the headroom.
 * - `most`: the load that no start may be foreseen to lead past.
 * - `highest`: the load that tasks in flight may lead to even if nothing more starts.
 */
export interface MemoryLoads {
  readonly aim: number
  readonly most: number
  readonly highest: number
}

export const loadsOf = (target: number, headroom: number): MemoryLoads => {
  const aim = target * (1 - headroom)
  const free = Math.max(0, 1 - aim)
  return { aim, most: aim + tuning.startsWithin * free, highest: aim + tuning.peakWithin * free }
}

/** How many tasks fit under `aim`, and under the limit by chance too; undefined where tasks have no cost to speak of. */
export const limitOf = (
  model: MemoryModel,
  signal: SignalInfo,
  aim: number,
  current: number
): number | undefined => {
  const { seen } = model
  if (seen === null || seen.perTask < tuning.negligible) return undefined
  const free = Math.min(aim, 1 - tuning.safety * stray(seen, current)) - taken(model, signal)
  return Math.max(1, free / seen.perTask)
}
