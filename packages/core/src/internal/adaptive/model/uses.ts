/**
 * What tasks use of each resource: use and tasks in flight, smoothed alike, so that their quotient is of one time.
 */
import type { Observation } from "../../../ScalingPolicy.ts"
import { smoothing } from "../numbers.ts"
import { wait, waits } from "../tuning.ts"

/** `load`: use by all; `own`: by this process; `known`: milliseconds that the means span so far. */
export interface Use {
  readonly load: number
  readonly own: number
  readonly inFlight: number
  readonly known: number
}

/** The use of each resource, by the name of its signal. */
export type Uses = Readonly<Record<string, Use>>

/** The signal of a service's rate limits is a matter of losses: it is no resource of ours. */
const isResource = (name: string): boolean => name !== "client"

/** Plain means at first, then ones that forget. */
export const observe = (before: Uses, observation: Observation, elapsed: number, time: number): Uses => {
  const uses: Record<string, Use> = { ...before }
  for (const [name, { isStale, load, own }] of Object.entries(observation.currentInfo.signals)) {
    if (!isResource(name) || isStale) continue
    const use = before[name] as Use | undefined // a signal may be new
    const known = (use?.known ?? 0) + elapsed
    const toward = smoothing(elapsed, wait(waits.use, time), known)
    const inFlight = toward(use?.inFlight, observation.meanConcurrency)
    uses[name] = { load: toward(use?.load, load), own: toward(use?.own, own), inFlight, known }
  }
  return uses
}
