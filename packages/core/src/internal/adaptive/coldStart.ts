/**
 * Nothing is known yet: a few tasks are let in, then twice as many, until some have ended.
 */
import type { Observation } from "../../ScalingPolicy.ts"
import { add, begin, byEnded, type Measurement, type Reading, shortest } from "./measurement.ts"
import { clamp } from "./numbers.ts"
import { isKnown, type Pace } from "./pace.ts"

/** `raisedAt`: when the level was raised last. */
export interface ColdStart {
  readonly _tag: "ColdStart"
  readonly raisedAt: number
}

export const initial: ColdStart = { _tag: "ColdStart", raisedAt: 0 }

/**
 * - `level`: the concurrency in force.
 * - `pace`, `measurement`: what is known of the tasks that ended, and what was measured at that level.
 * - `elapsed`, `time`: milliseconds since the last decision, and of a task.
 * - `ceiling`: the concurrency that is allowed.
 */
export interface Circumstances {
  readonly level: number
  readonly pace: Pace
  readonly measurement: Measurement | null
  readonly observation: Observation
  readonly elapsed: number
  readonly time: number
  readonly ceiling: number
}

/** `Over`: some tasks have ended; `reading`: what they say, if they say enough. */
export type Outcome =
  | { readonly _tag: "Wait"; readonly measurement: Measurement | null }
  | { readonly _tag: "Raise"; readonly next: ColdStart; readonly level: number }
  | { readonly _tag: "Over"; readonly reading: Reading | null }

export const step = (phase: ColdStart, at: Circumstances): Outcome => {
  const { ceiling, level, observation, pace } = at
  const limit = Math.min(mostUnknown(observation), ceiling)
  if (level >= 0.98 * limit) {
    const measurement = add(at.measurement ?? begin, observation, at.elapsed)
    return isKnown(pace) ? judge(at, measurement) : { _tag: "Wait", measurement }
  }
  const raised = Math.min(2 * level, limit)
  const isDue = observation.now - phase.raisedAt >= clamp(isKnown(pace) ? at.time : 0, 500, 5000)
  return isDue && raised > level
    ? { _tag: "Raise", next: { ...phase, raisedAt: observation.now }, level: raised }
    : { _tag: "Wait", measurement: at.measurement }
}

/** How many may run before anything is known. */
const mostUnknown = ({ settings }: Observation): number => clamp(settings.desiredConcurrency, 8, 10)

/** How many times as old as the mean of those that ended a task may be that is no exception. */
const outlasting = 1.75

/**
 * Tasks that began together tell all once they have ended. Where others began before them, or some outlast them by far,
 * so that the ones that ended are the short ones, it is to be measured anew.
 */
const judge = (at: Circumstances, measurement: Measurement): Outcome => {
  const { duration, finished } = at.pace
  if (finished !== measurement.count) return { _tag: "Over", reading: null }
  if (finished < at.level || measurement.elapsed < Math.max(shortest, duration)) return { _tag: "Wait", measurement }
  const doOutlast = Math.max(...at.observation.inFlightAges) > outlasting * duration
  return { _tag: "Over", reading: doOutlast ? null : byEnded(measurement) }
}
