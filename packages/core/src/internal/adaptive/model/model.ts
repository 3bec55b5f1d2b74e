/**
 * What is known, whatever the stage: how long tasks take, what they use of each resource and cost in memory, what was lost,
 * and the best throughput that there was.
 */
import type { SignalInfo } from "../../../LoadSignal.ts"
import type { Observation } from "../../../ScalingPolicy.ts"
import { smoothing } from "../numbers.ts"
import { wait, waits } from "../tuning.ts"
import * as best from "./best.ts"
import * as losses from "./losses.ts"
import * as memory from "./memory.ts"
import * as tasks from "./tasks.ts"
import * as uses from "./uses.ts"

/**
 * - `blocked`: the share of the last second or so, or of the time of a task, by which decisions came late.
 * - `memories`: what tasks cost of each limit that memory may be measured by, for they are of different scales.
 */
export interface Model {
  readonly blocked: number
  readonly tasks: tasks.Tasks
  readonly uses: uses.Uses
  readonly memories: Readonly<Record<string, memory.MemoryModel>>
  readonly losses: losses.Losses
  readonly best: best.Best
}

export const initial: Model = {
  blocked: 0,
  tasks: tasks.initial,
  uses: {},
  memories: {},
  losses: losses.initial,
  best: best.initial
}

/** The model of the limit by which memory is measured now. */
export const memoryOf = ({ memories }: Model, { measure }: SignalInfo): memory.MemoryModel =>
  memories[measure?.of ?? ""] ?? memory.initial

export const observe = (before: Model, observation: Observation, elapsed: number, late: number): Model => {
  const { completions, currentInfo, now } = observation
  const known = tasks.observe(before.tasks, completions)
  const signal = currentInfo.signals["memory"]
  const toward = smoothing(elapsed, wait(waits.blocked, known.duration))
  return {
    blocked: elapsed === 0 ? before.blocked : toward(before.blocked, late / elapsed),
    tasks: known,
    uses: uses.observe(before.uses, observation, elapsed, known.duration),
    memories: signal === undefined ? before.memories : {
      ...before.memories,
      [signal.measure?.of ?? ""]: memory.observe(memoryOf(before, signal), signal, observation, late, known)
    },
    losses: losses.observe(before.losses, completions, now, known.duration),
    best: best.observe(before.best, observation, elapsed, known)
  }
}
