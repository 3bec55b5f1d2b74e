/**
 * Crawlee's law: one step up while the system has been idle and the concurrency is used, one step down while it has not.
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { clamp } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { SystemInfo } from "../../SystemStatus.ts"
import * as rules from "../options/rules.ts"
import type { ScalingPolicy, ScalingReason } from "./scalingModel.ts"

/**
 * Options of `ScalingPolicy.stepRatio`.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 10 seconds.
 * - `desiredConcurrencyRatio`: the share of `desired` that must be in flight before it grows, 0 to 1, default 0.9.
 * - `scaleUpStepRatio`, `scaleDownStepRatio`: the share of `desired` to move by, above 0 and at most 1, default 0.05.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepRatioOptions {
  readonly every?: Duration.Input | undefined
  readonly desiredConcurrencyRatio?: number | undefined
  readonly scaleUpStepRatio?: number | undefined
  readonly scaleDownStepRatio?: number | undefined
}

export const parse = (options: StepRatioOptions): Result.Result<
  {
    readonly every: Duration.Duration
    readonly desiredConcurrencyRatio: number
    readonly scaleUpStepRatio: number
    readonly scaleDownStepRatio: number
  },
  InvalidOptionsError
> => {
  const ratio = (field: "desiredConcurrencyRatio" | "scaleUpStepRatio" | "scaleDownStepRatio", fallback: number) =>
    rules.read(rules.positiveRatio, field, options[field] ?? fallback)
  return Result.all({
    every: rules.read(rules.interval, "every", options.every ?? "10 seconds"),
    desiredConcurrencyRatio: ratio("desiredConcurrencyRatio", 0.9),
    scaleUpStepRatio: ratio("scaleUpStepRatio", 0.05),
    scaleDownStepRatio: ratio("scaleDownStepRatio", 0.05)
  })
}

export const make = (options: StepRatioOptions): Result.Result<ScalingPolicy<undefined>, InvalidOptionsError> =>
  Result.map(parse(options), ({ desiredConcurrencyRatio, every, scaleDownStepRatio, scaleUpStepRatio }) => ({
    name: "stepRatio",
    every,
    desiredConcurrencyRatio,
    initial: () => undefined,
    decide: (_state, { current, desired, historicalInfo, settings }) => {
      const decide = (next: number, reason: ScalingReason) =>
        [{ desired: clamp(settings, next), reason }, undefined] as const
      if (!historicalInfo.isSystemIdle) {
        return decide(desired - Math.ceil(scaleDownStepRatio * desired), overloadReason(historicalInfo))
      }
      if (historicalInfo.isStale) return decide(desired, { summary: "a signal has stopped reporting" })
      if (current < Math.floor(desiredConcurrencyRatio * desired)) {
        return decide(desired, { summary: `only ${current} of ${desired} are in use` })
      }
      return decide(desired + Math.ceil(scaleUpStepRatio * desired), {
        summary: "the system is idle and all is in use"
      })
    }
  }))

const overloadReason = (info: SystemInfo): ScalingReason => {
  const names = Object.keys(info.signals).filter((name) => info.signals[name].isOverloaded)
  return { summary: `overloaded: ${names.join(", ")}`, bindingSignal: names[0] }
}
