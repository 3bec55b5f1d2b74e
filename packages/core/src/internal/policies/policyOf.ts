/**
 * Policies from their options: by a law of this library, or by a law of one's own.
 */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { PolicyOptions, ScalingPolicy } from "../../ScalingPolicy.ts"
import { refusing } from "../options/refusal.ts"
import * as rules from "../options/rules.ts"

/** The policy; or, where an option is invalid, one from which no pool can be built and which cannot be asked. */
export const policyOf = <S>(
  name: string,
  made: Result.Result<ScalingPolicy<S>, InvalidOptionsError>
): ScalingPolicy<S> =>
  Result.getOrElse(made, (error) => {
    const refuse = () => {
      throw error
    }
    return refusing(error, { name, every: Duration.seconds(1), initial: refuse, decide: refuse })
  })

export const ownPolicy = <S>(options: PolicyOptions<S>): Result.Result<ScalingPolicy<S>, InvalidOptionsError> =>
  Result.gen(function*() {
    const name = yield* rules.read(rules.name, "name", options.name)
    const every = yield* rules.read(rules.interval, "every", options.every)
    yield* rules.read(rules.positiveRatio, "desiredConcurrencyRatio", options.desiredConcurrencyRatio ?? 1)
    yield* rules.read(rules.aFunction, "initial", options.initial)
    yield* rules.read(rules.aFunction, "decide", options.decide)
    return { ...options, name, every }
  })
