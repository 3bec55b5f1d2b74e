/**
 * What has happened to a pool, in bounded memory: every second of the last ten minutes, every minute of the last day, and
 * the last decisions.
 */
import type { PoolSnapshot } from "@autoscaled-pool/core/PoolSnapshot"
import * as Snapshots from "@autoscaled-pool/core/PoolSnapshot"
import type { DecisionRecord } from "@autoscaled-pool/core/ScalingPolicy"

/** One moment, as the charts need it. */
export interface Point {
  readonly at: number
  readonly current: number
  readonly desired: number
  readonly min: number
  readonly max: number
  readonly perSecond: number
  readonly p50: number | null
  readonly p95: number | null
  readonly blocker: string | null
  readonly loads: Readonly<Record<string, number>>
}

const seconds = 600
const minutes = 1440
const mostDecisions = 200
/** Rates and percentiles are those of so many milliseconds before a moment. */
const window = 10_000

export class PoolHistory {
  private readonly fine: Array<Point> = []
  private readonly coarse: Array<Point> = []
  private readonly decisions: Array<DecisionRecord> = []
  private readonly recent: Array<PoolSnapshot> = []

  record(snapshot: PoolSnapshot): Point {
    this.recent.push(snapshot)
    while (this.recent.length > 2 && snapshot.at - this.recent[1].at >= window) this.recent.shift()
    const point = pointOf(snapshot, Snapshots.between(this.recent[0], snapshot))
    this.fine.push(point)
    if (this.fine.length > seconds) this.age(this.fine.shift() as Point) // there is one
    return point
  }

  decide(decision: DecisionRecord): void {
    this.decisions.push(decision)
    if (this.decisions.length > mostDecisions) this.decisions.shift()
  }

  /** All of it, oldest first. */
  read(): { readonly points: ReadonlyArray<Point>; readonly decisions: ReadonlyArray<DecisionRecord> } {
    return { points: [...this.coarse, ...this.fine], decisions: this.decisions }
  }

  /** Of what is older than the last minutes, one moment a minute is kept. */
  private age(point: Point): void {
    const last = this.coarse[this.coarse.length - 1]
    if (last !== undefined && point.at - last.at < 60_000) return
    this.coarse.push(point)
    if (this.coarse.length > minutes) this.coarse.shift()
  }
}

const pointOf = (snapshot: PoolSnapshot, { p50, p95, perSecond }: Snapshots.Change): Point => ({
  at: Math.round(snapshot.at),
  current: snapshot.current,
  desired: snapshot.desired,
  min: snapshot.settings.minConcurrency,
  max: snapshot.settings.maxConcurrency,
  perSecond: rounded(perSecond),
  p50: p50 === undefined ? null : rounded(p50),
  p95: p95 === undefined ? null : rounded(p95),
  blocker: snapshot.holding?.blocker._tag ?? null,
  loads: Object.fromEntries(snapshot.signals.map(({ load, name }) => [name, rounded(load)]))
})

const rounded = (value: number): number => Math.round(value * 1000) / 1000
