/**
 * Follows the ceiling of a resource, both ways: down as soon as running tasks can have shown that it is exceeded, up
 * step by step, and only while the resource's use does rise with the tasks. Where it does not, something else binds.
 */
import { approach, clamp } from "./numbers.ts"

/** Level, tasks in flight and use of the resource when the last step up was checked. */
export interface Check {
  readonly level: number
  readonly inFlight: number
  readonly use: number
  readonly at: number
}

/**
 * - `slackSince`: since when the resource has been far below its target, which is none of a resource that binds.
 */
export interface Tracking {
  readonly _tag: "Tracking"
  readonly signal: string
  readonly check: Check | null
  readonly slackSince: number | null
}

export const initial = (signal: string): Tracking => ({
  _tag: "Tracking",
  signal,
  check: null,
  slackSince: null
})

/** Whether the ceiling is low enough to come down to. */
export const isExceeded = (ceiling: number, level: number): boolean => ceiling < 0.97 * level

export const comeDown = (level: number, ceiling: number, elapsed: number, time: number, isUrgent: boolean): number =>
  level + (ceiling - level) * approach(elapsed, isUrgent ? 1000 : clamp(time / 2, 750, 5000))

export interface Circumstances {
  readonly now: number
  readonly elapsed: number
  readonly time: number
  readonly level: number
  readonly inFlight: number
  readonly use: number
  /** Use by all, as a share of the target. */
  readonly usedShare: number
  /** The lowest of all ceilings. */
  readonly ceiling: number
}

/** `Refuted`: use did not follow tasks, or does not bind any more; `level` is where it did last. */
export type Outcome =
  | { readonly _tag: "Follow"; readonly next: Tracking; readonly level: number }
  | { readonly _tag: "Refuted"; readonly level: number }

/** A resource of whose target less than this share is used does not bind. */
export const slack = 0.85

export const follow = (tracking: Tracking, at: Circumstances): Outcome => {
  const check = checked(tracking.check, at)
  if (check === "Refuted") return { _tag: "Refuted", level: tracking.check?.inFlight ?? at.level }
  const slackSince = at.usedShare < slack ? tracking.slackSince ?? at.now : null
  if (slackSince !== null && at.now - slackSince > clamp(at.time / 4, 3000, 10_000)) {
    return { _tag: "Refuted", level: at.level }
  }
  const next: Tracking = { ...tracking, check, slackSince }
  if (at.ceiling <= 1.03 * at.level) return { _tag: "Follow", next, level: at.level }
  const rise = (at.ceiling - at.level) * approach(at.elapsed, clamp(at.time, 2000, 10_000))
  const level = Math.min(2 * check.level, at.level + Math.min(rise, 0.25 * at.level))
  return { _tag: "Follow", next, level: Math.max(at.level, level) }
}

/** The check to go on from, once there was time for use to answer to a growth worth judging. */
const checked = (check: Check | null, at: Circumstances): Check | "Refuted" => {
  const here: Check = { level: at.level, inFlight: at.inFlight, use: at.use, at: at.now }
  // Fewer tasks, or tasks that use less: what was checked tells nothing of these.
  if (check === null || at.level < 0.9 * check.level || at.use < 0.95 * check.use) return here
  const wait = Math.max(1500, 1.25 * at.time)
  if (at.now - check.at <= wait) return check
  const growth = at.inFlight / Math.max(1, check.inFlight) - 1
  // Three tenths of a proportional rise is the least that counts as one.
  if (growth > 0.15) return at.use - check.use < 0.3 * growth * check.use ? "Refuted" : here
  return at.now - check.at > 8 * wait ? here : check
}
