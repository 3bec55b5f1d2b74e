/**
 * What stands in where Node.js cannot tell something on a platform: it reads /proc itself, and throws without. A signal
 * whose sample failed for ever would forbid growth for ever, so each gap has a substitute and one warning.
 */
import type { Node } from "./node.ts"
import type { Warnings } from "./warnings.ts"

export const measurable = (node: Node, warnings: Warnings): Node => {
  const or = <A>(read: () => A, what: string, instead: string, substitute: () => A) => (): A => {
    try {
      return read()
    } catch (error) {
      warnings.add(`node: ${what}`, `Node.js cannot tell ${what} here (${reasonOf(error)}): ${instead}`)
      return substitute()
    }
  }
  return {
    ...node,
    cpuTimes: or(
      node.cpuTimes,
      "how busy the CPUs are",
      "the cpu signal sees this process alone, as a share of one CPU; set maxConcurrency",
      () => ({ cpus: 0, busy: 0, total: 0 })
    ),
    cpuUsage: or(
      node.cpuUsage,
      "the CPU time of this process",
      "the cpu signal leaves it out; set maxConcurrency",
      () => 0
    ),
    eventLoop: or(
      node.eventLoop,
      "the use of the event loop",
      "the eventLoop signal goes by the CPU time of the thread and by late timers",
      () => ({ active: 0, idle: 0 })
    ),
    threadCpuUsage: or(
      node.threadCpuUsage,
      "the CPU time of this thread",
      "the eventLoop signal goes by late timers alone",
      () => 0
    ),
    residentMemory: or(
      node.residentMemory,
      "the memory of this process",
      "what V8 and its buffers hold stands in, and child processes are not seen; set maxConcurrency",
      node.allocatedMemory
    ),
    totalMemory: or(
      node.totalMemory,
      "the memory of the machine",
      "only limits that are known count; set memory.limit and maxConcurrency",
      () => 0
    )
  }
}

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
