/**
 * The error of every invalid option: it names the option, the value that was given, and what to give instead.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * Says that an option has a value it cannot have. Nothing was built, started or changed when it is raised.
 *
 * **Details**
 *
 * - `field`: the option's name, with its path where it is nested (`"concurrencySettings.maxConcurrency"`).
 * - `value`: the value that was given.
 * - `remedy`: one sentence that says what to give instead.
 *
 * **Example** (Reading an invalid option)
 *
 * ```ts import.meta.vitest
 * import { InvalidOptionsError } from "@autoscaled-pool/core"
 *
 * const error = new InvalidOptionsError.InvalidOptionsError({
 *   field: "maxConcurrency",
 *   value: 0,
 *   remedy: "Use an integer of at least 1."
 * })
 *
 * error.message // => "maxConcurrency cannot be 0. Use an integer of at least 1."
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidOptionsError extends Data.TaggedError("InvalidOptionsError")<{
  readonly field: string
  readonly value: unknown
  readonly remedy: string
}> {
  /**
   * One line: the option, its value and the remedy.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return `${this.field} cannot be ${show(this.value)}. ${this.remedy}`
  }
}

const show = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "function") return "a function"
  if (Array.isArray(value) || Object.prototype.toString.call(value) === "[object Object]") {
    try {
      return shortened(JSON.stringify(value))
    } catch {
      return "a value that cannot be shown"
    }
  }
  return String(value)
}

const shortened = (text: string): string => text.length > 80 ? `${text.slice(0, 80)}...` : text
