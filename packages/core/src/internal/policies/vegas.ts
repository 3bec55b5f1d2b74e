/**
 * The law of TCP Vegas: keeps the queue that durations reveal within two bounds.
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

/**
 * - `shortest`: the shortest mean duration since the baseline was forgotten last, 0 where there is none.
 * - `age`: tasks since then.
 */
export interface VegasState {
  readonly limit: number
  readonly shortest: number
  readonly age: number
  readonly sample: DurationSample
}

/** After so many tasks for each that may run, the baseline is measured anew. */
const baselineLife = 30

/**
 * Options of `ScalingPolicy.vegas`.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 1 second.
 *
 * @category models
 * @since 0.1.0
 */
export interface VegasOptions {
  readonly every?: Duration.Input | undefined
}

export const make = (options: VegasOptions): Result.Result<ScalingPolicy<VegasState>, InvalidOptionsError> =>
  Result.map(parse(options), ({ every }) => ({
    name: "vegas",
    every,
    initial: ({ desiredConcurrency }) => ({ limit: desiredConcurrency, shortest: 0, age: 0, sample: empty }),
    decide: (state, { completions, meanConcurrency, settings }) => {
      const sample = add(state.sample, completions)
      if (!isEnough(sample)) {
        const summary = summaries.tooFew(sample.count, enough)
        return [{ desired: state.limit, reason: { summary } }, { ...state, sample }]
      }
      const mean = meanOf(sample)
      const isOld = state.age > baselineLife * state.limit
      const shortest = mean === 0
        ? state.shortest
        : state.shortest === 0 || isOld
        ? mean
        : Math.min(state.shortest, mean)
      const { level, summary } = next(state.limit, { mean, shortest }, sample.lost, meanConcurrency)
      const limit = clamp(settings, level)
      const age = isOld ? 0 : state.age + sample.count
      return [{ desired: limit, reason: { summary: summaries.within(settings, level, summary) } }, {
        limit,
        shortest,
        age,
        sample: empty
      }]
    }
  }))

const next = (
  limit: number,
  { mean, shortest }: { readonly mean: number; readonly shortest: number },
  lost: number,
  inFlight: number
): { readonly level: number; readonly summary: string } => {
  const step = Math.max(1, Math.log10(limit))
  const queue = Math.ceil(limit * (1 - (mean > 0 ? shortest / mean : 1)))
  if (lost > 0) return { level: limit - step, summary: summaries.lost(lost) }
  if (2 * inFlight < limit) return { level: limit, summary: summaries.halfUsed(inFlight, limit) }
  const seen = `tasks take ${format.millis(mean)} and at best ${format.millis(shortest)}, as if ${queue} of ` +
    `${Math.floor(limit)} stood in a queue`
  const [none, short, long] = [step, 3 * step, 6 * step].map(summaries.decimal)
  if (queue <= step) return { level: limit + 6 * step, summary: `${seen}; it grows fast with up to ${none} in it` }
  if (queue < 3 * step) return { level: limit + step, summary: `${seen}; it grows with fewer than ${short} in it` }
  if (queue > 6 * step) return { level: limit - step, summary: `${seen}; it shrinks with more than ${long} in it` }
  return { level: limit, summary: `${seen}; it stays with ${short} to ${long} in it` }
}

const parse = (
  options: VegasOptions
): Result.Result<{ readonly every: Duration.Duration }, InvalidOptionsError> =>
  Result.all({ every: rules.read(rules.interval, "every", options.every ?? "1 second") })
