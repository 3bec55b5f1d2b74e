/**
 * Drives a plant at one concurrency without a pool: what a sweep needs, at a fraction of the cost.
 */
import type { Workload } from "../Workload.ts"
import { Plant } from "./plant.ts"
import { VirtualTime } from "./virtualTime.ts"

export class FixedConcurrency {
  readonly plant: Plant
  private readonly time = new VirtualTime()
  private readonly concurrency: number

  constructor(workload: Workload, seed: number, concurrency: number) {
    this.plant = new Plant(this.time, workload, seed)
    this.concurrency = concurrency
    this.fill()
  }

  get now(): number {
    return this.time.now
  }

  advanceTo(time: number): void {
    this.time.advanceTo(time)
  }

  private fill(): void {
    while (this.plant.inFlight < this.concurrency) this.plant.start(() => this.time.defer(() => this.fill()))
  }
}
