/**
 * The adaptive law as a policy: its options, and the law of `internal/adaptive` under them.
 */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { AdaptiveOptions, ScalingPolicy } from "../../ScalingPolicy.ts"
import * as law from "../adaptive/law.ts"
import { initial, type State } from "../adaptive/state.ts"
import * as rules from "../rules.ts"

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
