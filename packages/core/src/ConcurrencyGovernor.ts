/**
 * The budget: how many tasks are desired, how many are in flight, and whether one more may start.
 *
 * Checking and booking a start is one synchronous step, so that the budget cannot be overdrawn. The governor follows the
 * verdicts of the `SystemStatus`, asks the `ScalingPolicy`, and wakes whoever dispatches when what closed the gate is
 * over; it never polls.
 *
 * @since 0.1.0
 */
import type { ConcurrencySettings } from "./ConcurrencySettings.ts"
import type { DecisionRecord } from "./ScalingPolicy.ts"

/**
 * What keeps one more task from starting.
 *
 * **Details**
 *
 * - `AtDesired`: as many tasks are in flight as are desired.
 * - `Overloaded`: a signal is overloaded and the minimum is running.
 * - `StartAllowanceSpent`: the policy's allowance until its next decision is used up and the minimum is running.
 * - `RateLimited`: the cap on starts per minute has no token.
 *
 * @category models
 * @since 0.1.0
 */
export type Closed = "AtDesired" | "Overloaded" | "StartAllowanceSpent" | "RateLimited"

/**
 * What happens to the budget, for whoever wants to tell.
 *
 * @category models
 * @since 0.1.0
 */
export type GovernorEvent =
  | (DecisionRecord & { readonly _tag: "DesiredChanged" })
  | { readonly _tag: "OverloadBegan"; readonly signals: ReadonlyArray<string> }
  | { readonly _tag: "OverloadEnded" }
  | { readonly _tag: "SettingsChanged"; readonly settings: ConcurrencySettings }
