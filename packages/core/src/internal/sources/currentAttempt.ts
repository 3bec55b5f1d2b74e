/**
 * How a source tells a task which attempt at its item it is.
 */
import * as Context from "effect/Context"

export const CurrentAttempt: Context.Reference<number> = Context.Reference<number>(
  "@autoscaled-pool/core/CurrentAttempt",
  { defaultValue: () => 1 }
)
