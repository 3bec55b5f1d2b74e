/**
 * What tasks leave behind where memory is garbage-collected: use that goes on to count until the next collection, which
 * comes late where little is allocated. A pool that takes it for use of the tasks in flight starts none, so that nothing is
 * allocated and nothing collected.
 */
import type { SignalInfo } from "../../../LoadSignal.ts"

/**
 * - `reclaimedAt`: when what tasks left behind was reclaimed last; none where load falls as soon as use does.
 * - `kept`, `left`: tasks that were in flight at the report of that, and how many of them have ended since.
 */
export interface Remains {
  readonly reclaimedAt: number | null
  readonly kept: number
  readonly left: number
}

export const none: Remains = { reclaimedAt: null, kept: 0, left: 0 }

/**
 * After a decision by which so many have ended. Those that ended between a collection and the report of it count for none:
 * what lives must not be taken for garbage.
 */
export const observe = (before: Remains, { reclaimedAt }: SignalInfo, inFlight: number, ended: number): Remains => {
  if (reclaimedAt === undefined) return none
  if (reclaimedAt !== before.reclaimedAt) return { reclaimedAt, kept: inFlight, left: 0 }
  return { ...before, left: Math.min(before.kept, before.left + ended) }
}

/** What of the use of tasks is garbage: what those in flight do not explain, up to what those that have ended had. */
export const ofUse = (used: number, explained: number, each: number, left: number): number =>
  Math.max(0, Math.min(used - explained, each * left))
