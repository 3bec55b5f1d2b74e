/**
 * What comes before any stage, in the order in which it does: the first guard that has something to say decides.
 */
import { type Bound, isConsumed, isUrgent } from "./limits/limits.ts"
import { approach } from "./numbers.ts"
import { reasons } from "./reasons.ts"
import { descendFrom } from "./stages/moves.ts"
import { following, type Phase, slowStart, steady, type Verdict } from "./stages/phases.ts"
import * as slowStarting from "./stages/slowStart.ts"
import { following as tuning, tolerance, wait, waits } from "./tuning.ts"
import { usedShare, type View } from "./view.ts"

export type Guard = (phase: Phase, level: number, view: View) => Verdict | undefined

/** The limit of losses has moved. */
const lost: Guard = (phase, level, { haveLossesMoved, model: { losses: { backoff } } }) => {
  if (!haveLossesMoved) return undefined
  if (backoff === null) return { phase: slowStart(), level, measurement: "keep", why: reasons.doubling }
  const { cap } = backoff
  const next: Phase = phase._tag === "Steady" ? { ...phase, center: cap, position: "Center" } : steady(cap)
  return { phase: next, level: cap, measurement: "anew", why: reasons.losses }
}

/** A limit lies below the level. Memory and losses cannot wait; of others it shows only as tasks end that they suffice. */
const exceeded: Guard = (phase, level, view) => {
  const { elapsed, lowest: bound, time } = view
  if (bound.concurrency >= (1 - tolerance.same) * level) return undefined
  const patience = wait(isUrgent(bound) ? waits.comeDownUrgently : waits.comeDown, time)
  const lower = level + (bound.concurrency - level) * approach(elapsed, patience)
  // What slow start has read tells where to land, better than one resource does.
  return phase._tag === "SlowStart"
    ? slowStarting.step(phase, lower, view)
    : { phase: below(phase, lower, bound), level: lower, measurement: "keep", why: reasons.comingDown(bound.name) }
}

/** A resource that tasks use up is followed. Where it is another limit, less may be enough all the same. */
const below = (phase: Phase, level: number, bound: Bound): Phase => {
  // Only a first guess at what tasks use stands in the way: that is better known as soon as some have ended.
  if (phase._tag === "ColdStart") return phase
  if (isConsumed(bound)) {
    return phase._tag === "Following" && phase.signal === bound.name ? phase : following(bound.name)
  }
  return phase._tag === "Steady"
    ? { ...phase, center: Math.min(phase.center, level), position: "Center", isHeld: true }
    : steady(level, { isHeld: true })
}

/** While there is too little to do, nothing settles and nothing is measured. */
const unused: Guard = (phase, level, { isSaturated, observation: { current } }) =>
  isSaturated ? undefined : { phase, level, measurement: "hold", why: reasons.unused(current, Math.round(level)) }

/** A signal does not report: nothing grows, and nothing is measured that growth would rest on. */
const blind: Guard = (phase, level, { observation: { currentInfo } }) =>
  currentInfo.isStale ? { phase, level, measurement: "void", why: reasons.stale(currentInfo) } : undefined

/**
 * Far less gets done than before: back to where more was served, to see whether it is congestion. It is none of ours where
 * nothing is known yet, where fewer are tried already, and where it is known what binds.
 */
const collapsed: Guard = (phase, _level, view) => {
  const { collapsed, reading } = view.model.best
  if (collapsed === null || phase._tag === "ColdStart" || phase._tag === "Descending") return undefined
  if (phase._tag === "Following" && usedShare(view, phase.signal) >= tuning.slack) return undefined
  const verdict = descendFrom(collapsed, view)
  return { ...verdict, level: Math.min(verdict.level, reading?.concurrency ?? Infinity) }
}

export const guards: ReadonlyArray<Guard> = [lost, exceeded, unused, blind, collapsed]
