/**
 * Values that were made from an invalid option. They are plain values, so they cannot fail; whoever is built from one does.
 */
import * as Result from "effect/Result"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"

const Refusal: unique symbol = Symbol.for("@autoscaled-pool/core/refusal")

/** Marks a value that stands in for one which could not be made. */
export const refusing = <A extends object>(error: InvalidOptionsError, standIn: A): A =>
  Object.assign(standIn, { [Refusal]: error })

/** The value, unless it stands in for one which could not be made. */
export const accept = <A extends object>(value: A): Result.Result<A, InvalidOptionsError> =>
  // Only `refusing` gives a value this property.
  Refusal in value ? Result.fail(value[Refusal] as InvalidOptionsError) : Result.succeed(value)
