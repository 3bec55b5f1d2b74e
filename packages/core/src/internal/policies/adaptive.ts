/**
 * The adaptive law as a policy: its options, and the law of `internal/adaptive` under them.
 */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { ScalingPolicy } from "../../ScalingPolicy.ts"
import * as law from "../adaptive/law.ts"
import { initial, type State } from "../adaptive/state.ts"
import * as rules from "../options/rules.ts"

/**
 * Options of `ScalingPolicy.adaptive`. What to aim at is no option of the law but the `target` of each signal.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 250 milliseconds, as often as memory is sampled.
 * - `memoryHeadroom`: the share of the memory signal's target to leave free, 0 to 1, default 0.05. More where a task's
 *   footprint can be many times the usual one, or where to be killed costs more than throughput: nothing starts past
 *   0.38 of the way from the load that is aimed at to the limit, which is 0.91 by default.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveOptions {
  readonly every?: Duration.Input | undefined
  readonly memoryHeadroom?: number | undefined
}

export const make = (options: AdaptiveOptions): Result.Result<ScalingPolicy<State>, InvalidOptionsError> =>
  Result.map(parse(options), ({ every, memoryHeadroom }) => {
    const parameters = { every: Duration.toMillis(every), memoryHeadroom }
    return {
      name: "adaptive",
      every,
      decidesAtStart: true,
      boundsStarts: true,
      initial,
      decide: (state, observation) => law.decide(parameters, state, observation)
    }
  })

const parse = (options: AdaptiveOptions): Result.Result<
  { readonly every: Duration.Duration; readonly memoryHeadroom: number },
  InvalidOptionsError
> =>
  Result.all({
    every: rules.read(rules.interval, "every", options.every ?? "250 millis"),
    memoryHeadroom: rules.read(rules.shareOfTime, "memoryHeadroom", options.memoryHeadroom ?? 0.05)
  })
