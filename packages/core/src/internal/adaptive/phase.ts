/**
 * What the law is about at a time.
 */
import type { Probing } from "./probing.ts"
import type { SlowStart } from "./slowStart.ts"
import type { Tracking } from "./tracking.ts"

/** Nothing is known yet; `raisedAt`: when the level was raised last. */
export interface ColdStart {
  readonly _tag: "ColdStart"
  readonly raisedAt: number
}

export type Phase = ColdStart | SlowStart | Tracking | Probing
