/**
 * The work of a pool, read before anything is built: of checks, effects and nothing that only items could have; of items,
 * a source and what is to be done with them.
 */
import * as Result from "effect/Result"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { PoolOptions, Work } from "../../PoolOptions.ts"
import type { TaskSource } from "../../TaskSource.ts"
import { accept } from "../options/refusal.ts"
import * as rules from "../options/rules.ts"

type AnyWork = Work<unknown, unknown, unknown, unknown, unknown, unknown>

export const readWork = (
  options: AnyWork & Pick<PoolOptions<void, unknown, unknown, unknown, never>, "keys">
): Result.Result<void, InvalidOptionsError> =>
  Result.gen(function*() {
    if (options.keys !== undefined) yield* Result.fail(keysRefused(options.keys))
    for (const field of ["runTask", "isTaskReady", "isFinished"] as const) {
      yield* rules.read(rules.anEffect, field, options[field])
    }
  })

export const readSource = (
  source: TaskSource<unknown, unknown, unknown>,
  handle: unknown
): Result.Result<void, InvalidOptionsError> =>
  Result.gen(function*() {
    yield* rules.read(rules.aSource, "source", source)
    yield* accept(source)
    yield* rules.read(rules.aFunction, "handle", handle)
  })

const keysRefused = (value: unknown): InvalidOptionsError => {
  const remedy = "Leave it out, or use fromSource: with checks there are no items that a key could be told of."
  return new InvalidOptionsError({ field: "keys", value, remedy })
}
