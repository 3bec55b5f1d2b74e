/**
 * Additive increase, multiplicative decrease.
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { clamp } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { ScalingPolicy } from "../../ScalingPolicy.ts"
import { lostCount } from "../adaptive/model/tasks.ts"
import * as rules from "../options/rules.ts"
import * as summaries from "./summaries.ts"

/**
 * Options of `ScalingPolicy.aimd`.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 1 second.
 * - `decreaseRatio`: what a loss multiplies the limit by, above 0 and at most 1, default 0.9.
 *
 * @category models
 * @since 0.1.0
 */
export interface AimdOptions {
  readonly every?: Duration.Input | undefined
  readonly decreaseRatio?: number | undefined
}

export const make = (options: AimdOptions): Result.Result<ScalingPolicy<number>, InvalidOptionsError> =>
  Result.map(parse(options), ({ decreaseRatio, every }) => ({
    name: "aimd",
    every,
    initial: ({ desiredConcurrency }) => desiredConcurrency,
    decide: (limit, { completions, meanConcurrency, settings }) => {
      const decide = (level: number, summary: string) => {
        const desired = clamp(settings, level)
        return [{ desired, reason: { summary: summaries.within(settings, level, summary) } }, desired] as const
      }
      const lost = lostCount(completions)
      if (lost > 0) return decide(Math.floor(decreaseRatio * limit), summaries.lost(lost))
      if (2 * meanConcurrency < limit) return decide(limit, summaries.halfUsed(meanConcurrency, limit))
      return decide(limit + 1, `no task failed, timed out or met a rate limit, ${summaries.more}`)
    }
  }))

const parse = (options: AimdOptions): Result.Result<
  { readonly every: Duration.Duration; readonly decreaseRatio: number },
  InvalidOptionsError
> =>
  Result.all({
    every: rules.read(rules.interval, "every", options.every ?? "1 second"),
    decreaseRatio: rules.read(rules.positiveRatio, "decreaseRatio", options.decreaseRatio ?? 0.9)
  })
