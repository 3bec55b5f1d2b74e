/**
 * The options of a pool, read and checked once.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ConcurrencySettings from "../../ConcurrencySettings.ts"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { PoolOptions } from "../../PoolOptions.ts"
import type { RetrySchedule } from "../feeds/retryFeed.ts"
import * as rules from "../options/rules.ts"
import type { ScalingPolicy } from "../policies/scalingModel.ts"
import * as stepRatio from "../policies/stepRatio.ts"
import * as retryPlan from "./retryPlan.ts"
import type { Limits } from "./timeLimits.ts"

export interface PoolPlan {
  readonly name: string
  readonly settings: ConcurrencySettings.ConcurrencySettings
  readonly policy: ScalingPolicy
  readonly limits: Limits
  /** Which failures are tried again, if any. */
  readonly retry: RetrySchedule | undefined
  readonly loggingInterval: Duration.Duration | null
  readonly maybeRunInterval: Duration.Duration
}

export const read = Effect.fnUntraced(function*(options: PoolOptions<never, unknown, unknown, unknown, never>) {
  const settings = yield* Effect.mapError(
    ConcurrencySettings.make(options.concurrencySettings),
    nestedIn("concurrencySettings")
  )
  return yield* Effect.fromResult(readRest(options, settings))
})

const nestedIn = (parent: string) => ({ field, remedy, value }: InvalidOptionsError): InvalidOptionsError =>
  new InvalidOptionsError({ field: `${parent}.${field}`, value, remedy })

const readRest = (
  options: PoolOptions<never, unknown, unknown, unknown, never>,
  settings: ConcurrencySettings.ConcurrencySettings
): Result.Result<PoolPlan, InvalidOptionsError> =>
  Result.gen(function*() {
    const name = yield* rules.read(rules.name, "name", options.name ?? "pool")
    const taskTimeout = yield* rules.read(rules.timeLimit, "taskTimeout", options.taskTimeout ?? Infinity)
    const finalizerTimeout = yield* rules.read(
      rules.timeLimit,
      "finalizerTimeout",
      options.finalizerTimeout ?? Infinity
    )
    const maybeRunInterval = yield* rules.read(
      rules.interval,
      "maybeRunInterval",
      options.maybeRunInterval ?? "500 millis"
    )
    const loggingInterval = options.loggingInterval === null
      ? null
      : yield* rules.read(rules.interval, "loggingInterval", options.loggingInterval ?? "1 minute")
    const retry = yield* retryPlan.read(options.retry)
    const policy = yield* readPolicy(options)
    const limits = {
      taskTimeout: Duration.toMillis(taskTimeout),
      finalizerTimeout: Duration.toMillis(finalizerTimeout)
    }
    return { name, settings, policy, limits, retry, loggingInterval, maybeRunInterval }
  })

const readPolicy = (
  options: PoolOptions<never, unknown, unknown, unknown, never>
): Result.Result<ScalingPolicy, InvalidOptionsError> => {
  const { autoscaleInterval, desiredConcurrencyRatio, policy, scaleDownStepRatio, scaleUpStepRatio } = options
  const ofDefaultPolicy = { autoscaleInterval, desiredConcurrencyRatio, scaleUpStepRatio, scaleDownStepRatio }
  if (policy === undefined) {
    const every = autoscaleInterval ?? "10 seconds"
    return Result.mapError(
      stepRatio.make({ every, desiredConcurrencyRatio, scaleUpStepRatio, scaleDownStepRatio }),
      ({ field, remedy, value }) =>
        new InvalidOptionsError({ field: field === "every" ? "autoscaleInterval" : field, value, remedy })
    )
  }
  const given = Object.entries(ofDefaultPolicy).find(([, value]) => value !== undefined)
  if (given === undefined) return Result.succeed(policy)
  const [field, value] = given
  return Result.fail(
    new InvalidOptionsError({
      field,
      value,
      remedy: `Leave it out, or leave out policy: it parametrises the default policy and not "${policy.name}".`
    })
  )
}
