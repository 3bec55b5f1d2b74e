/**
 * What forbids more: the concurrency that each signal, and losses, allow.
 */
import type { Observation } from "../../../ScalingPolicy.ts"
import { memoryOf, type Model } from "../model/model.ts"
import * as memory from "./memory.ts"
import * as resources from "./resources.ts"

export type Limits = Readonly<Record<string, number>>

/** What allows how many tasks. */
export interface Bound {
  readonly name: string
  readonly concurrency: number
}

/** Where nothing else limits, the maximum of the settings does. */
export const unlimited = "maxConcurrency"

export const losses = "losses"

/** Memory kills, and what is lost is lost; other resources only make tasks slow. */
export const isUrgent = ({ name }: Bound): boolean => name === "memory" || name === losses

/** Whether tasks use it up: such a resource is followed. */
export const isConsumed = (bound: Bound): boolean => !isUrgent(bound) && bound.name !== unlimited

export const limitsOf = (
  model: Model,
  { current, currentInfo: { signals } }: Observation,
  headroom: number,
  isSaturated: boolean
): Limits => {
  const { losses: { backoff } } = model
  const limits: Record<string, number> = backoff === null ? {} : { [losses]: backoff.cap }
  for (const [name, use] of Object.entries(model.uses)) {
    const signal = signals[name]
    if (signal === undefined || signal.isStale) continue
    const limit = name === "memory"
      ? memory.limitOf(memoryOf(model, signal), signal, memory.loadsOf(signal.target, headroom).aim, current)
      : resources.limitOf(use, resources.aimOf(name, signal), isSaturated)
    if (limit !== undefined) limits[name] = limit
  }
  return limits
}

/** The lowest of the limits that count, and of the maximum. */
export const lowest = (limits: Limits, most: number, counts: (bound: Bound) => boolean): Bound =>
  Object.entries(limits)
    .map(([name, concurrency]): Bound => ({ name, concurrency }))
    .filter(counts)
    .reduce((low, bound) => bound.concurrency < low.concurrency ? bound : low, { name: unlimited, concurrency: most })
