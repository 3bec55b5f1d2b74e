/**
 * The options of a pool, read and checked once.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ConcurrencySettings from "../../ConcurrencySettings.ts"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { PoolOptions } from "../../PoolOptions.ts"
import type { ScalingPolicy } from "../../ScalingPolicy.ts"
import { readShare, sharedOf } from "../budget/governorHandle.ts"
import { readOwn } from "../budget/ownBounds.ts"
import type { ConsumerPlan, SharedBudget } from "../budget/sharedBudget.ts"
import type { Reserve } from "../feeds/rateFeed.ts"
import type { RetrySchedule } from "../feeds/retryFeed.ts"
import { accept } from "../options/refusal.ts"
import * as rules from "../options/rules.ts"
import * as stepRatio from "../policies/stepRatio.ts"
import * as ratePlan from "./ratePlan.ts"
import * as retryPlan from "./retryPlan.ts"
import type { Limits } from "./timeLimits.ts"

export interface PoolPlan {
  readonly name: string
  readonly budget: BudgetPlan
  readonly limits: Limits
  /** Which failures are tried again, if any. */
  readonly retry: RetrySchedule | undefined
  /** Gets a token of the rate that is shared, if one is. */
  readonly reserve: Reserve | undefined
  readonly loggingInterval: Duration.Duration | null
  readonly maybeRunInterval: Duration.Duration
}

/** A budget of the pool's own, or the pool's part of one that it shares. */
export type BudgetPlan =
  | {
    readonly _tag: "Private"
    readonly settings: ConcurrencySettings.ConcurrencySettings
    readonly policy: ScalingPolicy
  }
  | { readonly _tag: "Shared"; readonly shared: SharedBudget; readonly consumer: ConsumerPlan }

type Options = PoolOptions<never, unknown, unknown, unknown, never>

export const read = Effect.fnUntraced(function*(options: Options) {
  yield* Effect.fromResult(readKinds(options))
  const name = yield* Effect.fromResult(rules.read(rules.name, "name", options.name ?? "pool"))
  const budget = yield* readBudget(options, name)
  return yield* Effect.fromResult(readRest(options, name, budget))
})

/** What kind of value an option is that is more than a number or a duration. */
const kinds: ReadonlyArray<readonly [field: keyof Options, rule: rules.Rule<unknown>]> = [
  ["concurrencySettings", rules.anObject],
  ["onTaskTimeout", rules.aFunction],
  ["retry", rules.anObject],
  ["rateLimit", rules.anObject],
  ["weight", rules.numberOrFunction],
  ["keys", rules.keyedLimits],
  ["governor", rules.anObject],
  ["taskSpan", rules.name],
  ["policy", rules.aPolicy]
]

const readKinds = (options: Options): Result.Result<void, InvalidOptionsError> =>
  Result.gen(function*() {
    for (const [field, rule] of kinds) {
      if (options[field] !== undefined) yield* rules.read(rule, field, options[field])
    }
  })

const readBudget = (options: Options, name: string): Effect.Effect<BudgetPlan, InvalidOptionsError> => {
  const ofSettings = nestedIn("concurrencySettings")
  const { concurrencySettings = {}, governor, share } = options
  if (governor === undefined) {
    return Effect.gen(function*() {
      if (share !== undefined) yield* withoutGovernor("share", share)
      const settings = yield* Effect.mapError(ConcurrencySettings.make(options.concurrencySettings), ofSettings)
      return { _tag: "Private", settings, policy: yield* Effect.fromResult(readPolicy(options)) }
    })
  }
  return Effect.gen(function*() {
    yield* Effect.fromResult(refuseGiven(
      { policy: options.policy, ...ofDefaultPolicy(options) },
      "Leave it out, or leave out governor: the governor has a policy of its own."
    ))
    const own = yield* Effect.mapError(readOwn(concurrencySettings), ofSettings)
    const weight = yield* readShare(share)
    return { _tag: "Shared", shared: yield* sharedOf(governor), consumer: { name, weight, own } }
  })
}

const withoutGovernor = (field: string, value: unknown): Effect.Effect<never, InvalidOptionsError> =>
  Effect.fail(
    new InvalidOptionsError({ field, value, remedy: "Leave it out, or give a governor that the pool shares." })
  )

const nestedIn = (parent: string) => ({ field, remedy, value }: InvalidOptionsError): InvalidOptionsError =>
  new InvalidOptionsError({ field: `${parent}.${field}`, value, remedy })

const readRest = (
  options: Options,
  name: string,
  budget: BudgetPlan
): Result.Result<PoolPlan, InvalidOptionsError> =>
  Result.gen(function*() {
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
    if (typeof options.weight === "number") yield* rules.read(rules.positiveInteger, "weight", options.weight)
    const reserve = yield* ratePlan.read(options.rateLimit)
    const limits = {
      taskTimeout: Duration.toMillis(taskTimeout),
      finalizerTimeout: Duration.toMillis(finalizerTimeout)
    }
    return { name, budget, limits, retry, reserve, loggingInterval, maybeRunInterval }
  })

const readPolicy = (
  options: Options
): Result.Result<ScalingPolicy, InvalidOptionsError> => {
  const { autoscaleInterval, desiredConcurrencyRatio, policy, scaleDownStepRatio, scaleUpStepRatio } = options
  if (policy === undefined) {
    const every = autoscaleInterval ?? "10 seconds"
    return Result.mapError(
      stepRatio.make({ every, desiredConcurrencyRatio, scaleUpStepRatio, scaleDownStepRatio }),
      ({ field, remedy, value }) =>
        new InvalidOptionsError({ field: field === "every" ? "autoscaleInterval" : field, value, remedy })
    )
  }
  return Result.flatMap(
    refuseGiven(
      ofDefaultPolicy(options),
      `Leave it out, or leave out policy: it parametrises the default policy and not "${policy.name}".`
    ),
    () => Result.mapError(accept(policy), nestedIn("policy"))
  )
}

/** The options that parametrise the default policy. */
const ofDefaultPolicy = (
  { autoscaleInterval, desiredConcurrencyRatio, scaleDownStepRatio, scaleUpStepRatio }: Options
) => ({ autoscaleInterval, desiredConcurrencyRatio, scaleUpStepRatio, scaleDownStepRatio })

/** Refuses the first of these options that was given. */
const refuseGiven = (
  options: Readonly<Record<string, unknown>>,
  remedy: string
): Result.Result<void, InvalidOptionsError> => {
  const given = Object.entries(options).find(([, value]) => value !== undefined)
  if (given === undefined) return Result.succeed(undefined)
  const [field, value] = given
  return Result.fail(new InvalidOptionsError({ field, value, remedy }))
}
