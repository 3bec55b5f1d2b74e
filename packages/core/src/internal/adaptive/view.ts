/**
 * What a decision rests on: the observation, what is known, and what follows from both.
 */
import type { Observation } from "../../ScalingPolicy.ts"
import { type Bound, isUrgent, type Limits, limitsOf, lowest } from "./limits/limits.ts"
import { hiddenFor } from "./model/memory.ts"
import type { Model } from "./model/model.ts"
import * as tasks from "./model/tasks.ts"
import type { Parameters, State } from "./state.ts"
import { saturated, shaken } from "./tuning.ts"

/**
 * - `elapsed`, `settled`: milliseconds since the last decision, and since the level is in force.
 * - `isShaken`: whether the event loop has been blocked lately, so that tasks end late and together.
 * - `time`, `turnover`, `variation`: of tasks, see `Tasks`.
 * - `hidden`: milliseconds for which a rise may not show in memory.
 * - `isSaturated`: whether the limit was made use of for most of the time.
 * - `haveLossesMoved`: whether the limit of losses is another than it was.
 * - `limits`: the concurrency that each signal and losses allow.
 * - `lowest`: the lowest of these that count, and the maximum. The first tasks all are at their first step: what they use
 *   says little of what a task uses, so that of the limits only those count that cannot wait.
 */
export interface View {
  readonly elapsed: number
  readonly settled: number
  readonly isShaken: boolean
  readonly time: number
  readonly turnover: number
  readonly variation: number
  readonly hidden: number
  readonly isSaturated: boolean
  readonly haveLossesMoved: boolean
  readonly observation: Observation
  readonly model: Model
  readonly limits: Limits
  readonly lowest: Bound
  readonly least: number
}

export const look = (
  { every, memoryHeadroom }: Parameters,
  before: State,
  model: Model,
  observation: Observation,
  elapsed: number
): View => {
  const { maxConcurrency, minConcurrency } = observation.settings
  const time = tasks.taskTime(model.tasks, observation.inFlightAges)
  const isSaturated = observation.saturatedShare >= saturated
  const limits = limitsOf(model, observation, memoryHeadroom, isSaturated)
  return {
    elapsed,
    // While the event loop is blocked, nothing settles.
    settled: before.settled + Math.min(elapsed, every),
    isShaken: model.blocked > shaken,
    time,
    turnover: tasks.turnover(model.tasks, time),
    variation: tasks.variation(model.tasks),
    hidden: Math.max(0, ...Object.values(model.memories).map(hiddenFor)),
    isSaturated,
    haveLossesMoved: model.losses.backoff !== before.model.losses.backoff,
    observation,
    model,
    limits,
    lowest: lowest(limits, maxConcurrency, tasks.areKnown(model.tasks) ? () => true : isUrgent),
    least: minConcurrency
  }
}

/** Use of a resource by all, as a share of its target. */
export const usedShare = ({ model, observation }: View, name: string): number =>
  (model.uses[name]?.load ?? 0) / (observation.currentInfo.signals[name]?.target ?? Infinity)
