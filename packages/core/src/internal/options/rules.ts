/**
 * What an option may be: how to read it, and the remedy to tell where it cannot be read.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"

export interface Rule<A> {
  readonly read: (input: unknown) => Option.Option<A>
  readonly remedy: string
}

const fromGuard = <A>(is: (input: unknown) => input is A, remedy: string): Rule<A> => ({
  read: Option.liftPredicate(is),
  remedy
})

export const positiveInteger: Rule<number> = fromGuard(
  Schema.is(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
  "Use an integer of at least 1."
)

export const nonNegativeInteger: Rule<number> = fromGuard(
  Schema.is(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  "Use an integer of at least 0."
)

export const positiveNumber: Rule<number> = fromGuard(
  Schema.is(Schema.Number.check(Schema.isGreaterThan(0))),
  "Use a number greater than 0; Infinity means no limit."
)

export const nonNegativeNumber: Rule<number> = fromGuard(
  Schema.is(Schema.Number.check(Schema.isGreaterThanOrEqualTo(0))),
  "Use a number of at least 0."
)

export const positiveRatio: Rule<number> = fromGuard(
  Schema.is(Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))),
  "Use a ratio greater than 0 and at most 1."
)

export const shareOfTime: Rule<number> = fromGuard(
  Schema.is(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
  "Use a ratio from 0 to 1."
)

export const positiveFinite: Rule<number> = fromGuard(
  Schema.is(Schema.Finite.check(Schema.isGreaterThan(0))),
  "Use a finite number greater than 0."
)

export const name: Rule<string> = fromGuard(Schema.is(Schema.NonEmptyString), "Use a name of at least one character.")

export const aFunction: Rule<(...args: ReadonlyArray<never>) => unknown> = fromGuard(
  (input: unknown): input is (...args: ReadonlyArray<never>) => unknown => typeof input === "function",
  "Use a function."
)

export const anEffect: Rule<Effect.Effect<unknown, unknown, unknown>> = fromGuard(
  Effect.isEffect,
  "Use an Effect: Effect.sync makes one of a function, Effect.tryPromise of a function that gives a promise."
)

export const effectOrFunction: Rule<unknown> = {
  read: Option.liftPredicate((input: unknown) => Effect.isEffect(input) || Predicate.isFunction(input)),
  remedy: "Use an Effect, or a function that gives one."
}

export const anArray: Rule<ReadonlyArray<unknown>> = fromGuard(
  (input: unknown): input is ReadonlyArray<unknown> => Array.isArray(input),
  "Use an array."
)

export const anObject: Rule<object> = fromGuard(
  (input: unknown): input is object => Predicate.isObject(input),
  "Use an object, or leave it out."
)

export const aPolicy: Rule<object> = fromGuard(
  (input: unknown): input is object =>
    Predicate.isObject(input) && Predicate.isFunction(input["initial"]) && Predicate.isFunction(input["decide"]),
  "Use a policy, such as ScalingPolicy.adaptive(), or leave it out."
)

export const aSource: Rule<object> = fromGuard(
  (input: unknown): input is object => Predicate.isObject(input) && Predicate.isFunction(input["take"]),
  "Use a TaskSource, such as TaskSource.fromIterable(items)."
)

export const keyedLimits: Rule<object> = fromGuard(
  (input: unknown): input is object => Predicate.isObject(input) && Predicate.isFunction(input["makeFeed"]),
  "Use what KeyedLimits.make gives, or leave it out."
)

/** A number that another rule judges, or a function. */
export const numberOrFunction: Rule<unknown> = {
  read: Option.liftPredicate((input: unknown) => Predicate.isNumber(input) || Predicate.isFunction(input)),
  remedy: "Use an integer of at least 1, or a function."
}

export const duration: Rule<Duration.Duration> = {
  read: (input) => Duration.fromInput(input as Duration.Input), // which accepts and judges anything
  remedy: `Use a duration such as "10 seconds"; a plain number is milliseconds.`
}

const durationWhere = (accepts: (duration: Duration.Duration) => boolean, remedy: string): Rule<Duration.Duration> => ({
  read: (input) => Option.filter(duration.read(input), accepts),
  remedy
})

export const interval: Rule<Duration.Duration> = durationWhere(
  (duration) => Duration.isFinite(duration) && Duration.isGreaterThan(duration, Duration.zero),
  `Use a finite duration longer than 0, such as "10 seconds"; a plain number is milliseconds.`
)

export const timeLimit: Rule<Duration.Duration> = durationWhere(
  (duration) => Duration.isGreaterThan(duration, Duration.zero),
  `Use a duration longer than 0, such as "30 seconds", or leave it out for no limit; a plain number is milliseconds.`
)

/** Reads one option, or says what is wrong with it. */
export const read = <A>(rule: Rule<A>, field: string, value: unknown): Result.Result<A, InvalidOptionsError> =>
  Result.fromOption(rule.read(value), () => new InvalidOptionsError({ field, value, remedy: rule.remedy }))

/** Reads what a function in place of an option has given; throws where it is invalid, which becomes a defect of the run. */
export const readGiven = <A>(rule: Rule<A>, field: string, value: unknown, of: () => string): A =>
  Option.getOrThrowWith(rule.read(value), () => {
    const remedy = `${rule.remedy} It is what the function gave for ${of()}.`
    return new InvalidOptionsError({ field, value, remedy })
  })
