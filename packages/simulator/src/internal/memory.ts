/**
 * Memory of one limit: a base, what the neighbour holds, what each running task holds, and garbage.
 *
 * A task holds 15 % of its footprint when it starts and all of it when it is as old as its ramp. When it ends, a share of
 * the footprint, as far as the ramp has come, stays as garbage, which the collector returns with a time constant of two
 * seconds.
 */
import type { VirtualTime } from "./virtualTime.ts"

const footprintAtStart = 0.15
const collectionMillis = 2000

export interface Holder {
  readonly startedAt: number
  readonly footprint: number
  readonly ramp: number
}

export class Memory {
  private readonly time: VirtualTime
  private readonly base: number
  private readonly garbageShare: number
  private readonly holders = new Set<Holder>()
  private garbage = 0
  private collectedAt = 0

  constructor(time: VirtualTime, base: number, garbageShare: number) {
    this.time = time
    this.base = base
    this.garbageShare = garbageShare
  }

  hold(holder: Holder): void {
    this.holders.add(holder)
  }

  release(holder: Holder): void {
    if (!this.holders.delete(holder)) return
    this.collect()
    this.garbage += this.garbageShare * holder.footprint * this.ramped(holder)
  }

  reset(): void {
    this.holders.clear()
    this.garbage = 0
  }

  /** Megabytes that this process holds. */
  own(): number {
    this.collect()
    let held = this.base + this.garbage
    for (const holder of this.holders) {
      held += holder.footprint * (footprintAtStart + (1 - footprintAtStart) * this.ramped(holder))
    }
    return held
  }

  private ramped({ ramp, startedAt }: Holder): number {
    return Math.min(1, (this.time.now - startedAt) / ramp)
  }

  private collect(): void {
    this.garbage *= Math.exp(-(this.time.now - this.collectedAt) / collectionMillis)
    this.collectedAt = this.time.now
  }
}
