/**
 * Every reason that users see, as one list. Each is a piece of a sentence that follows a colon, and tells what was seen
 * and what comes of it.
 */
import type { SystemInfo } from "../../SystemStatus.ts"

export const reasons = {
  stale: ({ signals }: SystemInfo) => {
    const names = Object.keys(signals).filter((name) => signals[name].isStale)
    const they = names.length === 1
      ? "does not report, and nothing grows until it does"
      : "do not report, and nothing grows until they do"
    return `${names.join(" and ")} ${they}`
  },
  losses: "tasks failed, timed out or met a rate limit: back to what is being served, then up again with care",
  unused: (current: number, desired: number) => `only ${current} of ${desired} are in use, so the limit stays as it is`,
  coldStart: "too few tasks have ended to judge by: more are let in step by step",
  doubling: "doubling as long as throughput follows",
  doubted: "the event loop was blocked, so what looked like congestion is measured once more",
  descending: (center: number) =>
    `tasks take longer than they did: trying fewer than ${Math.round(center)} tells whether that is congestion`,
  comingDown: (signal: string) => `${signal} allows fewer than are desired, so fewer are`,
  following: (signal: string) => `as many as bring ${signal} to its target`,
  Center: (center: number) => `holding ${Math.round(center)}, the best known`,
  Above: (center: number) => `trying whether more than ${Math.round(center)} gain throughput`,
  Below: (center: number) => `trying whether fewer than ${Math.round(center)} lose throughput`,
  memory: "memory lets tasks start only slowly"
}

/** What users call the stages. */
export const labels = {
  ColdStart: "cold start",
  SlowStart: "slow start",
  Descending: "descending",
  Following: "following a ceiling",
  Steady: "steady",
  BackingOff: "backing off" // whatever the stage, while losses limit
} as const
