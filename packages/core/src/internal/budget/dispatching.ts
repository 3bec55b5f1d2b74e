/**
 * Who dispatches on a budget, and is woken and told by it.
 */
import type { GovernorEvent } from "../../ConcurrencyGovernor.ts"

/**
 * - `wake`: the gate may be open again, or closed now; called synchronously, must not start tasks itself.
 * - `report`: something happened to the budget.
 * - `ages`: milliseconds since the start of each running task, oldest first.
 * - `waits`: how many starts wait for permits, where there may be more than one.
 */
export interface Dispatching {
  readonly wake: () => void
  readonly report: (event: GovernorEvent) => void
  readonly waits?: () => number
  readonly ages: (now: number) => ReadonlyArray<number>
}

export const nobody: Dispatching = { wake: () => {}, report: () => {}, ages: () => [] }
