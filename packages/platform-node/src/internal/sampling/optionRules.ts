/**
 * What the options of this package may be beyond those that every load signal has.
 */
import { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

const read = <A>(
  value: Option.Option<A>,
  options: { readonly field: string; readonly value: unknown; readonly remedy: string }
): Effect.Effect<A, InvalidOptionsError> =>
  Option.match(value, {
    onNone: () => Effect.fail(new InvalidOptionsError(options)),
    onSome: Effect.succeed
  })

/** What a process may take, in bytes: none fits into less than a MiB, and who says so means another unit. */
export const processMemory = (field: string, value: ByteSize.Input): Effect.Effect<number, InvalidOptionsError> =>
  read(ByteSize.fromInput(value).pipe(Option.map(Number), Option.filter((bytes) => bytes >= 2 ** 20)), {
    field,
    value,
    remedy: `Use a size of at least "1 MiB", such as "512 MiB"; a plain number is bytes.`
  })

/** The options of a signal, or `false` in their place. */
export const ofSignal = <A extends object>(
  field: string,
  value: A | false
): Effect.Effect<A | false, InvalidOptionsError> =>
  read(Option.liftPredicate((value: A | false) => value === false || Predicate.isObject(value))(value), {
    field,
    value,
    remedy: "Use an object of options, such as { target: 0.9 }, or false to leave the signal out."
  })

/** The signals of a program's own. */
export const signals = <A>(
  field: string,
  value: ReadonlyArray<A>
): Effect.Effect<ReadonlyArray<A>, InvalidOptionsError> =>
  read(Option.liftPredicate((value: ReadonlyArray<A>) => Array.isArray(value))(value), {
    field,
    value,
    remedy: "Use an array of signals, such as those of LoadSignal.makeUnsafe."
  })

/** A target of a load that is a share of a limit: more than all of it is never used. */
export const share = (field: string, value: number): Effect.Effect<number, InvalidOptionsError> =>
  read(Option.liftPredicate((value: number) => value > 0 && value <= 1)(value), {
    field,
    value,
    remedy: "Use a ratio above 0 and at most 1, such as 0.95 for 95 %."
  })

const isDelay = (millis: number): boolean => millis >= 0 && Number.isFinite(millis)

/** A finite duration of 0 or more, in milliseconds. */
export const delay = (field: string, value: Duration.Input): Effect.Effect<number, InvalidOptionsError> =>
  read(
    Duration.fromInput(Number.isNaN(value) ? -1 : value).pipe(Option.map(Duration.toMillis), Option.filter(isDelay)),
    {
      field,
      value,
      remedy: `Use a finite duration of at least 0, such as "50 millis"; a plain number is milliseconds.`
    }
  )

/** Names the option that holds the refused one: "target" becomes "cpu.target". */
export const within =
  (option: string) =>
  <A, R>(self: Effect.Effect<A, InvalidOptionsError, R>): Effect.Effect<A, InvalidOptionsError, R> =>
    Effect.mapError(
      self,
      ({ field, remedy, value }) => new InvalidOptionsError({ field: `${option}.${field}`, value, remedy })
    )
