/**
 * Crawlee's law: one step up while the system has been idle and the concurrency is used, one step down while it has not.
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { clamp } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { ScalingPolicy, ScalingReason } from "../../ScalingPolicy.ts"
import type { SystemInfo } from "../../SystemStatus.ts"
import * as rules from "../options/rules.ts"
import * as format from "../views/format.ts"
import * as summaries from "./summaries.ts"

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
      const decide = (next: number, summary: string, bindingSignal?: string) =>
        [{
          desired: clamp(settings, next),
          reason: { summary: summaries.within(settings, next, summary), bindingSignal }
        }, undefined] as const
      if (!historicalInfo.isSystemIdle) {
        const { bindingSignal, summary } = overloadIn(historicalInfo)
        return decide(desired - Math.ceil(scaleDownStepRatio * desired), summary, bindingSignal)
      }
      if (historicalInfo.isStale) return decide(desired, staleIn(historicalInfo))
      const needed = Math.floor(desiredConcurrencyRatio * desired)
      const used = `${current} of ${desired} were in flight`
      if (current < needed) return decide(desired, `only ${used}; it grows with at least ${needed}`)
      return decide(
        desired + Math.ceil(scaleUpStepRatio * desired),
        `no signal was overloaded and ${used}, ${summaries.more}`
      )
    }
  }))

const overloadIn = (info: SystemInfo): ScalingReason => {
  const overloaded = Object.entries(info.signals).filter(([, { isOverloaded }]) => isOverloaded)
  const shares = overloaded.map(([name, { actualRatio, isExhausted, limitRatio }]) =>
    isExhausted === true && actualRatio <= limitRatio
      ? `${name} is exhausted`
      : `${name} was overloaded for ${format.percent(actualRatio)} of the recent time (` +
        `${format.percent(limitRatio)} is allowed)`
  )
  return { summary: `${format.list(shares)}, ${summaries.fewer}`, bindingSignal: overloaded[0]?.[0] }
}

const staleIn = (info: SystemInfo): string => {
  const names = Object.keys(info.signals).filter((name) => info.signals[name].isStale)
  return `${format.list(names)} ${names.length === 1 ? "does" : "do"} not report, and nothing grows until ` +
    `${names.length === 1 ? "it does" : "they do"}`
}
