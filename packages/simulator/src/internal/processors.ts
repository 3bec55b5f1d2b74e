/**
 * Cores that all runnable tasks and the neighbour's threads share equally.
 *
 * More runnable threads than cores cost: the machine's efficiency is `1 / (1 + thrash * over)`, where `over` is the
 * number of threads per core beyond one. Progress is kept as the work that one task has been given since the beginning,
 * so that a change of the share costs the same however many tasks run.
 */
import { Heap } from "./heap.ts"
import type { Timer, VirtualTime } from "./virtualTime.ts"

const thrash = 0.05
const rounding = 1e-7

export interface Job {
  readonly done: () => void
  isCancelled: boolean
}

export interface Usage {
  /** Milliseconds for which all capacity was in use. */
  readonly busy: number
  /** Of those, the part of this process. */
  readonly own: number
}

export class Processors {
  private readonly time: VirtualTime
  private readonly jobs = new Heap<Job>()
  private cores: number
  private neighbourThreads: number
  private efficiency = 1
  private runnable = 0
  private given = 0
  private givenAt = 0
  private busy = 0
  private own = 0
  private timer: Timer | undefined
  private timerAt = Infinity

  constructor(time: VirtualTime, cores: number, neighbourThreads: number) {
    this.time = time
    this.cores = cores
    this.neighbourThreads = neighbourThreads
  }

  run(millis: number, done: () => void): Job {
    this.settle()
    const job = { done, isCancelled: false }
    this.runnable++
    this.jobs.push(this.given + millis, job)
    this.plan()
    return job
  }

  cancel(job: Job): void {
    if (job.isCancelled) return
    this.settle()
    job.isCancelled = true
    this.runnable--
    this.plan()
  }

  resize(cores: number, neighbourThreads: number): void {
    this.settle()
    this.cores = cores
    this.neighbourThreads = neighbourThreads
    this.plan()
  }

  /** Makes all work slower, as a collector under memory pressure does; 1 is full speed. */
  slowTo(efficiency: number): void {
    if (efficiency === this.efficiency) return
    this.settle()
    this.efficiency = efficiency
    this.plan()
  }

  usage(): Usage {
    this.settle()
    return { busy: this.busy, own: this.own }
  }

  /** Work per millisecond that each runnable task is given. */
  private speed(): number {
    const threads = this.runnable + this.neighbourThreads
    const share = Math.min(1, this.cores / threads)
    const over = Math.max(0, threads / this.cores - 1)
    return (share * this.efficiency) / (1 + thrash * over)
  }

  private settle(): void {
    const elapsed = this.time.now - this.givenAt
    if (elapsed <= 0) return
    this.givenAt = this.time.now
    const threads = this.runnable + this.neighbourThreads
    if (threads === 0) return
    const used = (Math.min(this.cores, threads) / this.cores) * elapsed
    this.busy += used
    if (this.runnable === 0) return
    this.own += (used * this.runnable) / threads
    this.given += this.speed() * elapsed
  }

  private plan(): void {
    while (this.jobs.least?.isCancelled) this.jobs.pop()
    const left = this.jobs.leastKey - this.given
    const at = left === Infinity ? Infinity : this.time.now + Math.max(0, left) / this.speed()
    if (Math.abs(at - this.timerAt) < rounding) return
    this.timer?.cancel()
    this.timerAt = at
    this.timer = at === Infinity ? undefined : this.time.at(at, () => this.finish())
  }

  private finish(): void {
    this.timerAt = Infinity
    this.settle()
    const finished: Array<Job> = []
    while (this.jobs.leastKey <= this.given + rounding) {
      const job = this.jobs.pop()
      if (job !== undefined && !job.isCancelled) finished.push(job)
    }
    this.runnable -= finished.length
    this.plan()
    for (const job of finished) {
      job.isCancelled = true
      job.done()
    }
  }
}
