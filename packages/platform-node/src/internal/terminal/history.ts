/**
 * The last minute of a pool, as snapshots a second apart: enough for a small graph and for rates.
 */
import * as PoolSnapshot from "@autoscaled-pool/core/PoolSnapshot"

const span = 60_000
const step = 1000
/** Rates and percentiles are those of the last seconds. */
const recent = 10_000

export class History {
  private readonly snapshots: Array<PoolSnapshot.PoolSnapshot> = []

  get latest(): PoolSnapshot.PoolSnapshot {
    return this.snapshots[this.snapshots.length - 1]
  }

  constructor(first: PoolSnapshot.PoolSnapshot) {
    this.snapshots.push(first)
  }

  record(snapshot: PoolSnapshot.PoolSnapshot): void {
    const isLatest = this.snapshots.length > 1 && this.latest.at - this.snapshots[this.snapshots.length - 2].at < step
    if (isLatest) this.snapshots.pop()
    this.snapshots.push(snapshot)
    while (this.snapshots.length > 2 && snapshot.at - this.snapshots[1].at > span) this.snapshots.shift()
  }

  /** What happened in the last seconds. */
  change(): PoolSnapshot.Change {
    const from = this.snapshots.find(({ at }) => this.latest.at - at <= recent) ?? this.latest
    return PoolSnapshot.between(from, this.latest)
  }

  /** Tasks in flight in the last minute, one number a column, oldest first; `undefined` where nothing is known yet. */
  inFlight(columns: number): ReadonlyArray<number | undefined> {
    const millis = span / columns
    const start = this.latest.at - span
    return Array.from({ length: columns }, (_, column) => {
      const until = start + (column + 1) * millis
      return this.snapshots.findLast(({ at }) => at <= until)?.current
    })
  }
}
