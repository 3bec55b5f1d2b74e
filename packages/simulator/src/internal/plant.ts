/**
 * The machine, the service that tasks call, and the tasks that run: everything that a workload describes, in motion.
 */
import type { Phase, Task, Workload } from "../Workload.ts"
import { JsThread } from "./jsThread.ts"
import { type Holder, Memory } from "./memory.ts"
import { type Job, Processors } from "./processors.ts"
import { SeededRandom, seedOf } from "./random.ts"
import { type Call, Service } from "./service.ts"
import type { VirtualTime } from "./virtualTime.ts"

const checkMillis = 100
const killAbove = 1.02
const pressureAbove = 0.95
const pressureEfficiency = 0.7

/** How a task ended by itself. */
export type Outcome = "Succeeded" | "Rejected" | "TimedOut"

/** What became of all tasks so far. */
export interface Ledger {
  started: number
  /** The moments at which tasks succeeded. */
  readonly succeeded: Array<number>
  /** Milliseconds that the tasks which succeeded took, in all. */
  succeededMillis: number
  rejected: number
  timedOut: number
  /** Lost when memory ran out. */
  killed: number
  /** Ended from outside. */
  interrupted: number
}

export class RunningTask implements Holder {
  readonly startedAt: number
  readonly footprint: number
  readonly ramp: number
  readonly task: Task
  readonly onEnd: (outcome: Outcome) => void
  nextStage = 0
  job: Job | undefined
  call: Call | undefined
  isOver = false

  constructor(task: Task, startedAt: number, onEnd: (outcome: Outcome) => void) {
    this.task = task
    this.startedAt = startedAt
    this.onEnd = onEnd
    this.footprint = task.memory ?? 1
    this.ramp = task.memoryRamp ?? 500
  }
}

export class Plant {
  readonly time: VirtualTime
  readonly workload: Workload
  readonly seed: number
  readonly ledger: Ledger = {
    started: 0,
    succeeded: [],
    succeededMillis: 0,
    rejected: 0,
    timedOut: 0,
    killed: 0,
    interrupted: 0
  }
  readonly kills: Array<number> = []
  readonly processors: Processors
  readonly jsThread: JsThread
  peakMemory = 0
  /** Called when memory ran out, after every task is gone. */
  onKill: () => void = () => {}

  private readonly memory: Memory
  private readonly service: Service
  private readonly running = new Set<RunningTask>()
  private phase: Phase

  constructor(time: VirtualTime, workload: Workload, seed: number) {
    this.time = time
    this.workload = workload
    this.seed = seed
    this.phase = workload.phases[0]
    this.processors = new Processors(time, this.phase.cores, this.phase.neighbourThreads)
    this.jsThread = new JsThread(time)
    this.memory = new Memory(time, workload.baseMemory, workload.garbageShare)
    this.service = new Service(time, this.phase.downstream)
    for (const phase of workload.phases.slice(1)) time.at(phase.startsAt, () => this.enter(phase))
    time.after(checkMillis, () => this.check())
  }

  get inFlight(): number {
    return this.running.size
  }

  /** Use of the memory limit, and the part of it that is this process's. */
  memoryUse(): { readonly used: number; readonly own: number } {
    const { memoryLimit, neighbourMemory } = this.phase
    const own = this.memory.own()
    return { used: (own + neighbourMemory) / memoryLimit, own: own / memoryLimit }
  }

  /** Starts the next task of the workload. */
  start(onEnd: (outcome: Outcome) => void): RunningTask {
    const index = this.ledger.started++
    const random = new SeededRandom(seedOf(this.seed, index))
    const running = new RunningTask(this.workload.task(random, this.phase, index), this.time.now, onEnd)
    this.running.add(running)
    this.memory.hold(running)
    this.proceed(running)
    return running
  }

  /** Ends a task from outside; nothing happens to one that is over. */
  interrupt(running: RunningTask): void {
    if (this.remove(running)) this.ledger.interrupted++
  }

  private proceed(running: RunningTask): void {
    if (running.isOver) return
    const stage = running.task.stages[running.nextStage++]
    const next = () => this.proceed(running)
    switch (stage?.kind) {
      case undefined:
        return this.end(running, "Succeeded")
      case "Cpu":
        running.job = this.processors.run(stage.millis, next)
        return
      case "EventLoop":
        return this.jsThread.run(stage.millis, next)
      case "Wait":
        this.time.after(stage.millis, next)
        return
      case "Call":
        running.call = this.service.call(
          stage.millis,
          (answer) => answer === "Served" ? next() : this.end(running, answer)
        )
        return
    }
  }

  private end(running: RunningTask, outcome: Outcome): void {
    if (!this.remove(running)) return
    if (outcome === "Succeeded") {
      this.ledger.succeeded.push(this.time.now)
      this.ledger.succeededMillis += this.time.now - running.startedAt
    } else if (outcome === "Rejected") this.ledger.rejected++
    else this.ledger.timedOut++
    running.onEnd(outcome)
  }

  private remove(running: RunningTask): boolean {
    if (running.isOver) return false
    running.isOver = true
    this.running.delete(running)
    this.memory.release(running)
    if (running.job !== undefined) this.processors.cancel(running.job)
    if (running.call !== undefined) running.call.isAbandoned = true
    return true
  }

  private enter(phase: Phase): void {
    this.phase = phase
    this.processors.resize(phase.cores, phase.neighbourThreads)
    this.service.change(phase.downstream)
  }

  private check(): void {
    const { used } = this.memoryUse()
    this.peakMemory = Math.max(this.peakMemory, used)
    if (used > killAbove) this.kill()
    else this.processors.slowTo(used > pressureAbove ? pressureEfficiency : 1)
    this.time.after(checkMillis, () => this.check())
  }

  private kill(): void {
    this.kills.push(this.time.now)
    for (const running of [...this.running]) if (this.remove(running)) this.ledger.killed++
    this.memory.reset()
    this.jsThread.reset()
    this.processors.slowTo(1)
    this.onKill()
  }
}

/** How long a process that was killed takes to come back. */
export const restartMillis = 10_000

/** The same workload with one phase for all its time. */
export const onlyPhase = (workload: Workload, phase: Phase, duration: number): Workload => ({
  ...workload,
  duration,
  phases: [{ ...phase, startsAt: 0 }]
})
