/**
 * What the law remembers between two decisions: plain data, which survives JSON.
 */
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type * as ceilings from "./ceilings.ts"
import * as coldStart from "./coldStart.ts"
import * as collapse from "./collapse.ts"
import * as losses from "./losses.ts"
import type { Measurement } from "./measurement.ts"
import type * as memory from "./memory.ts"
import * as pace from "./pace.ts"
import type { Probing } from "./probing.ts"
import type { SlowStart } from "./slowStart.ts"
import type { Tracking } from "./tracking.ts"

export type Phase = coldStart.ColdStart | SlowStart | Tracking | Probing

/**
 * - `at`: the last decision.
 * - `level`: the concurrency in force, unrounded.
 * - `since`: since when it has been in force and made full use of.
 * - `blocked`: the share of the last second or so, or of the time of a task, by which decisions came late.
 */
export interface State {
  readonly at: number | null
  readonly level: number
  readonly since: number
  readonly blocked: number
  readonly phase: Phase
  readonly pace: pace.Pace
  readonly uses: ceilings.Uses
  readonly memories: memory.Memories
  readonly losses: losses.Losses
  readonly watch: collapse.Watch
  readonly measurement: Measurement | null
}

export const initial = (settings: ConcurrencySettings): State => ({
  at: null,
  level: Math.min(settings.desiredConcurrency, Math.max(2, settings.minConcurrency)),
  since: 0,
  blocked: 0,
  phase: coldStart.initial,
  pace: pace.initial,
  uses: {},
  memories: {},
  losses: losses.initial(0),
  watch: collapse.initial,
  measurement: null
})

export interface Parameters {
  /** Milliseconds between two decisions. */
  readonly every: number
  /** The share of the memory target that is left free. */
  readonly memoryHeadroom: number
}
