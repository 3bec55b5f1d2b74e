/**
 * What happens to a pool.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type { GovernorEvent } from "./ConcurrencyGovernor.ts"
import type { RunReport } from "./PoolState.ts"

/**
 * What happens to a pool. Single tasks are no events.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolEvent =
  | { readonly _tag: "RunStarted" | "Paused" | "Resumed" }
  | { readonly _tag: "PausedFor"; readonly duration: Duration.Duration }
  | { readonly _tag: "RunEnded"; readonly report: RunReport }
  | { readonly _tag: "RunFailed"; readonly cause: Cause.Cause<unknown> }
  | GovernorEvent
