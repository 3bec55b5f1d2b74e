/**
 * What the law remembers between two decisions: plain data, which survives JSON.
 */
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import * as model from "./model/model.ts"
import { coldStart, type Phase } from "./stages/phases.ts"
import { coldStart as tuning } from "./tuning.ts"

/**
 * - `at`: the last decision.
 * - `level`: the concurrency in force, unrounded.
 * - `settled`: for how many milliseconds that has been in force and made use of.
 * - `phase`: the stage, with all that it has found out.
 * - `model`: what is known, whatever the stage.
 */
export interface State {
  readonly at: number | null
  readonly level: number
  readonly settled: number
  readonly phase: Phase
  readonly model: model.Model
}

export const initial = (settings: ConcurrencySettings): State => ({
  at: null,
  level: Math.min(settings.desiredConcurrency, Math.max(tuning.first, settings.minConcurrency)),
  settled: 0,
  phase: coldStart,
  model: model.initial
})

export interface Parameters {
  /** Milliseconds between two decisions. */
  readonly every: number
  /** The share of the memory target that is left free. */
  readonly memoryHeadroom: number
}
