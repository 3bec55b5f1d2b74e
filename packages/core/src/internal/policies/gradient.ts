/**
 * Gradient2: shrinks by the ratio of what durations were for long to what they are now, and adds a small queue.
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { clamp } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { ScalingPolicy } from "../../ScalingPolicy.ts"
import * as rules from "../options/rules.ts"
import * as format from "../views/format.ts"
import { add, type DurationSample, empty, enough, isEnough, meanOf } from "./durationSample.ts"
import * as summaries from "./summaries.ts"

/** `longTerm`: the slow mean of durations; `seen`: means that went into it so far. */
export interface GradientState {
  readonly limit: number
  readonly longTerm: number
  readonly seen: number
  readonly sample: DurationSample
}

/** Means that the slow mean spans; the first few are averaged plainly. */
const span = 600
const warmUp = 10

const smoothing = 0.2

/**
 * Options of `ScalingPolicy.gradient`.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 1 second.
 * - `tolerance`: by what durations may exceed their long-term mean before the limit shrinks, above 0, default 1.5.
 * - `queueSize`: the queue that is added, in tasks, above 0, default 4.
 *
 * @category models
 * @since 0.1.0
 */
export interface GradientOptions {
  readonly every?: Duration.Input | undefined
  readonly tolerance?: number | undefined
  readonly queueSize?: number | undefined
}

export const make = (options: GradientOptions): Result.Result<ScalingPolicy<GradientState>, InvalidOptionsError> =>
  Result.map(parse(options), ({ every, queueSize, tolerance }) => ({
    name: "gradient",
    every,
    initial: ({ desiredConcurrency }) => ({ limit: desiredConcurrency, longTerm: 0, seen: 0, sample: empty }),
    decide: (state, { completions, meanConcurrency, settings }) => {
      const sample = add(state.sample, completions)
      const mean = meanOf(sample)
      const keep = (summary: string, next: GradientState) =>
        [{ desired: state.limit, reason: { summary } }, next] as const
      if (!isEnough(sample) || mean === 0) return keep(summaries.tooFew(sample.count, enough), { ...state, sample })
      const weight = state.seen < warmUp ? 1 / (state.seen + 1) : 2 / (span + 1)
      const average = state.longTerm + weight * (mean - state.longTerm)
      // A slow mean far above what is usual now would let a queue grow unseen: it gives way faster.
      const longTerm = average / mean > 2 ? 0.95 * average : average
      const known = { longTerm, seen: state.seen + 1, sample: empty }
      if (2 * meanConcurrency < state.limit) {
        return keep(summaries.halfUsed(meanConcurrency, state.limit), { ...known, limit: state.limit })
      }
      const gradient = Math.max(0.5, Math.min(1, tolerance * longTerm / mean))
      const level = (1 - smoothing) * state.limit + smoothing * (gradient * state.limit + queueSize)
      const limit = clamp(settings, level)
      const result = level > state.limit ? summaries.more : summaries.fewer
      const summary =
        `tasks take ${format.millis(mean)}, ${(mean / longTerm).toFixed(1)} times their long-term mean, ` +
        `where ${summaries.decimal(tolerance)} times is tolerated, ${result}`
      return [{ desired: limit, reason: { summary: summaries.within(settings, level, summary) } }, { ...known, limit }]
    }
  }))

const parse = (options: GradientOptions): Result.Result<
  { readonly every: Duration.Duration; readonly tolerance: number; readonly queueSize: number },
  InvalidOptionsError
> =>
  Result.all({
    every: rules.read(rules.interval, "every", options.every ?? "1 second"),
    tolerance: rules.read(rules.positiveFinite, "tolerance", options.tolerance ?? 1.5),
    queueSize: rules.read(rules.positiveFinite, "queueSize", options.queueSize ?? 4)
  })
