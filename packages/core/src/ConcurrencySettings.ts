/**
 * The bounds within which a pool may choose its concurrency, the value it starts with, and the cap on how many tasks
 * may start per minute.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as rules from "./internal/options/rules.ts"
import { InvalidOptionsError } from "./InvalidOptionsError.ts"

/**
 * Validated settings: whoever holds one may rely on `1 <= minConcurrency <= desiredConcurrency <= maxConcurrency`.
 *
 * **Details**
 *
 * - `minConcurrency`: tasks that may always run, whatever the signals say; an integer of at least 1.
 * - `maxConcurrency`: tasks that may run at once at most; an integer of at least `minConcurrency`.
 * - `desiredConcurrency`: the concurrency to start with; an integer, clamped into the bounds.
 * - `maxTasksPerMinute`: task starts per minute at most, evenly paced; a number above 0, `Infinity` for no cap.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConcurrencySettings {
  readonly minConcurrency: number
  readonly maxConcurrency: number
  readonly desiredConcurrency: number
  readonly maxTasksPerMinute: number
}

/**
 * The settings of a pool whose caller gives none.
 *
 * **Example** (Reading the defaults)
 *
 * ```ts import.meta.vitest
 * import { ConcurrencySettings } from "@autoscaled-pool/core"
 *
 * ConcurrencySettings.defaults
 * // => { minConcurrency: 1, maxConcurrency: 200, desiredConcurrency: 10, maxTasksPerMinute: Infinity }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const defaults: ConcurrencySettings = {
  minConcurrency: 1,
  maxConcurrency: 200,
  desiredConcurrency: 10,
  maxTasksPerMinute: Infinity
}

/**
 * Validates settings; a field that is left out takes its default.
 *
 * **Details**
 *
 * A field of the wrong kind, and bounds that contradict each other, fail with an `InvalidOptionsError` that names the
 * field, its value and the remedy. `desiredConcurrency` never contradicts the bounds: it is clamped into them.
 *
 * **Example** (Clamping the start value)
 *
 * ```ts import.meta.vitest
 * import { ConcurrencySettings } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const settings = Effect.runSync(ConcurrencySettings.make({ maxConcurrency: 5 }))
 * settings.desiredConcurrency // => 5
 *
 * const error = Effect.runSync(Effect.flip(ConcurrencySettings.make({ minConcurrency: 9, maxConcurrency: 5 })))
 * error.message
 * // => "maxConcurrency cannot be 5. Use a value of at least minConcurrency, which is 9, or lower minConcurrency."
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  input: Partial<ConcurrencySettings> = {}
): Effect.Effect<ConcurrencySettings, InvalidOptionsError> => Effect.fromResult(parse(input))

/**
 * Applies a change to settings that are in use, under the rules of {@link make}.
 *
 * **Details**
 *
 * What the change leaves out stays as it is. `desiredConcurrency` is clamped into the new bounds.
 *
 * @category combinators
 * @since 0.1.0
 */
export const change = (
  settings: ConcurrencySettings,
  patch: Partial<ConcurrencySettings>
): Effect.Effect<ConcurrencySettings, InvalidOptionsError> => Effect.fromResult(parse(patch, settings))

/**
 * Clamps a concurrency into the bounds of the settings.
 *
 * @category combinators
 * @since 0.1.0
 */
export const clamp = (settings: ConcurrencySettings, concurrency: number): number =>
  Math.min(settings.maxConcurrency, Math.max(settings.minConcurrency, concurrency))

const parse = (
  input: Partial<ConcurrencySettings>,
  base: ConcurrencySettings = defaults
): Result.Result<ConcurrencySettings, InvalidOptionsError> =>
  Result.gen(function*() {
    yield* rules.read(rules.anObject, "settings", input)
    const field = (rule: rules.Rule<number>, name: keyof ConcurrencySettings) =>
      rules.read(rule, name, input[name] ?? base[name])
    const minConcurrency = yield* field(rules.positiveInteger, "minConcurrency")
    const maxConcurrency = yield* field(rules.positiveInteger, "maxConcurrency")
    const desiredConcurrency = yield* field(rules.positiveInteger, "desiredConcurrency")
    const maxTasksPerMinute = yield* field(rules.positiveNumber, "maxTasksPerMinute")
    if (maxConcurrency < minConcurrency) return yield* Result.fail(contradiction(input, minConcurrency, maxConcurrency))
    const settings = { minConcurrency, maxConcurrency, desiredConcurrency, maxTasksPerMinute }
    return { ...settings, desiredConcurrency: clamp(settings, desiredConcurrency) }
  })

const contradiction = (input: Partial<ConcurrencySettings>, min: number, max: number): InvalidOptionsError =>
  input.maxConcurrency !== undefined ?
    new InvalidOptionsError({
      field: "maxConcurrency",
      value: max,
      remedy: `Use a value of at least minConcurrency, which is ${min}, or lower minConcurrency.`
    }) :
    new InvalidOptionsError({
      field: "minConcurrency",
      value: min,
      remedy: `Use a value of at most maxConcurrency, which is ${max}, or raise maxConcurrency.`
    })
