/**
 * How many tasks a resource that tasks use up can bear.
 *
 * Its use is close to proportional to the number of tasks, so that the number that brings it to its target can be
 * computed: `n * (target - others) / own` (as the Kubernetes horizontal autoscaler does), and need not be searched for.
 * What others use is subtracted, but a part of the target stays ours however much they use: who gives way to every
 * neighbour ends with nothing.
 */
import type { SignalInfo } from "../../../LoadSignal.ts"
import type { Use } from "../model/uses.ts"
import { clamp } from "../numbers.ts"
import { resources as tuning } from "../tuning.ts"

/** By what the tasks in flight may be multiplied until `own` use fills what others leave of the target. */
const room = ({ load, own }: Use, target: number): number =>
  Math.max(target - Math.max(0, load - own), tuning.fairShare * target) / own

/**
 * The load to aim at. What a JavaScript thread leaves free of its time serves only that nothing waits for long, and
 * whether it does its signal says: the more often it is overloaded, the nearer to the target.
 */
export const aimOf = (name: string, { actualRatio, limitRatio, target }: SignalInfo): number => {
  if (name !== "eventLoop") return target
  const overloaded = clamp(actualRatio / Math.max(limitRatio, tuning.leastLimitRatio), 0, 1)
  return target + (1 - overloaded) * Math.max(0, Math.min(1, tuning.beyond * target) - target)
}

/** Demand beyond a resource that is used up shows nowhere in its use. */
const isExhausted = ({ load, own }: Use, target: number): boolean =>
  load > tuning.exhausted && own > tuning.fairShare * target

/** A tenth fewer; where tasks are few, so many fewer that it rounds to one less. */
const fewer = (inFlight: number): number => inFlight - Math.max(tuning.fewerShare * inFlight, tuning.fewerTasks)

/**
 * The limit that one use sets, if it sets one. Where the pool has too little to do, what is in flight says nothing of what
 * could be.
 */
export const limitOf = (use: Use, aim: number, isSaturated: boolean): number | undefined => {
  if (!isSaturated || use.own < tuning.noise * aim) return undefined
  return Math.max(1, isExhausted(use, aim) ? fewer(use.inFlight) : use.inFlight * room(use, aim))
}
