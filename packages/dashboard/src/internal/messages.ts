/**
 * What the page is told, as server-sent events.
 */
import type { PoolSnapshot } from "@autoscaled-pool/core/PoolSnapshot"
import type { DecisionRecord } from "@autoscaled-pool/core/ScalingPolicy"
import type { Point } from "./history.ts"

/** A pool at a moment; an ended one has no point. */
export interface Seen {
  readonly snapshot: PoolSnapshot
  readonly point: Point | undefined
}

export interface Messages {
  readonly hello: {
    readonly epoch: number
    readonly isReadOnly: boolean
    readonly pools: ReadonlyArray<
      {
        readonly snapshot: PoolSnapshot
        readonly points: ReadonlyArray<Point>
        readonly decisions: ReadonlyArray<DecisionRecord>
      }
    >
  }
  readonly tick: { readonly pools: ReadonlyArray<Seen> }
  readonly decision: { readonly pool: string; readonly decision: DecisionRecord }
  readonly bye: Record<string, never>
}

const encoder = new TextEncoder()

/** JSON has no infinity: where there is no limit, the page gets `null`, as JSON says it by itself. */
export const encode = <Name extends keyof Messages>(name: Name, data: Messages[Name]): Uint8Array =>
  encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
