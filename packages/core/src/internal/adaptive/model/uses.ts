/**
 * What tasks use of each resource: use and tasks in flight, smoothed alike, so that their quotient is of one time.
 */
import type { SignalInfo } from "../../../LoadSignal.ts"
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

export const observe = (before: Uses, observation: Observation, elapsed: number, time: number): Uses => {
  const uses: Record<string, Use> = { ...before }
  for (const [name, signal] of Object.entries(observation.currentInfo.signals)) {
    if (isResource(name) && !signal.isStale) uses[name] = after(before[name], signal, observation, elapsed, time)
  }
  return uses
}

// A plain mean at first, then one that forgets.
const after = (
  before: Use | undefined,
  { load, own }: SignalInfo,
  { meanConcurrency }: Observation,
  elapsed: number,
  time: number
): Use => {
  const known = (before?.known ?? 0) + elapsed
  const toward = smoothing(elapsed, wait(waits.use, time), known)
  return {
    load: toward(before?.load, load),
    own: toward(before?.own, own),
    inFlight: toward(before?.inFlight, meanConcurrency),
    known
  }
}
