/**
 * The ways from one stage to another.
 */
import { isConsumed } from "../limits/limits.ts"
import type { Reading } from "../model/reading.ts"
import { clamp } from "../numbers.ts"
import { reasons } from "../reasons.ts"
import {
  descending,
  following as followingTuning,
  slowStart as growth,
  steady as tuning,
  tolerance
} from "../tuning.ts"
import { usedShare, type View } from "../view.ts"
import { following, type SlowStart, slowStart, type Steady, steady, type Verdict } from "./phases.ts"

/** Growth has ended: a resource that is used up is followed, anything else is probed around. */
export const settle = (level: number, view: View): Verdict => {
  const { name } = view.lowest
  return isConsumed(view.lowest) && usedShare(view, name) > followingTuning.slack
    ? { phase: following(name), level, measurement: "anew", why: reasons.following(name) }
    : hold(level)
}

/** To probe around a level. */
export const hold = (level: number): Verdict => ({
  phase: steady(level),
  level,
  measurement: "anew",
  why: reasons.Center(level)
})

/** Twice as many, unless a limit stands in the way. */
export const grow = (phase: SlowStart, level: number, view: View): Verdict => {
  const most = view.lowest.concurrency
  if (most >= Math.max(level + 1, (1 + tolerance.same) * level)) {
    const next = Math.min(most, Math.max(level + 1, growth.growth * level))
    return { phase, level: next, measurement: "anew", why: reasons.doubling }
  }
  const verdict = settle(level, view)
  return verdict.phase._tag === "Steady"
    ? { ...verdict, phase: prove({ ...verdict.phase, isHeld: true }, view) }
    : verdict
}

/** To double again, above what is known of lower levels. */
export const growAnew = (level: number, known: ReadonlyArray<Reading> = []): Verdict => ({
  phase: slowStart(known),
  level,
  measurement: "anew",
  why: reasons.doubling
})

/** From a reading that may be of congestion to a level far below it; `above` is one that seemed too much, if there is. */
export const descendFrom = (from: Reading, { least }: View, above: Reading | null = null): Verdict => ({
  phase: { _tag: "Descending", from, above, measurement: null },
  level: Math.max(least, Math.min(from.concurrency - 1, from.concurrency / descending.far)),
  measurement: "anew",
  why: reasons.descending(from.concurrency)
})

/**
 * More has paid up to a limit, so that there is nothing to gain by trying soon. The limit of memory wavers least of all, and
 * what a try below it frees has to be got from the system again.
 */
export const prove = (phase: Steady, { lowest, time }: View): Steady => {
  const interval = longestHold(time)
  const times = lowest.name === "memory" ? tuning.firmly : 1
  return { ...phase, hold: Math.round(times * interval), interval }
}

/** Readings to wait at most between two probes: about 20 seconds' worth. */
export const longestHold = (time: number): number =>
  clamp(tuning.longestHold.total / Math.max(1, time), tuning.longestHold.least, tuning.longestHold.most)
