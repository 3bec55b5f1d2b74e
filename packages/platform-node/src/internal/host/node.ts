/**
 * What Node.js tells by itself about the machine and about this process.
 */
import * as os from "node:os"
import { type EventLoopUtilization, performance } from "node:perf_hooks"
import * as v8 from "node:v8"
import * as v8Heap from "../heap/v8Heap.ts"
import * as lateness from "./lateness.ts"
import type { CpuTimes } from "./machine.ts"

/** What Node.js tells on every platform; bytes and milliseconds. */
export interface Node {
  readonly platform: string
  readonly totalMemory: () => number
  readonly freeMemory: () => number
  readonly residentMemory: () => number
  /** What V8 and its buffers hold: less than is resident, but told without a file. */
  readonly allocatedMemory: () => number
  readonly heap: () => v8Heap.Heap
  readonly cpuTimes: () => CpuTimes
  /** CPU time of all threads of this process since its start. */
  readonly cpuUsage: () => number
  /** Both are 0 where the runtime does not measure it, as in Bun and Deno. */
  readonly eventLoop: () => Pick<EventLoopUtilization, "active" | "idle">
  /** CPU time of this thread since its start. */
  readonly threadCpuUsage: () => number
  /** For how long the event loop was blocked, from the first call on. */
  readonly blocked: () => number
}

export const thisNode: Node = {
  platform: process.platform,
  totalMemory: os.totalmem,
  freeMemory: os.freemem,
  residentMemory: process.memoryUsage.rss,
  allocatedMemory: () => {
    const { external_memory: external, malloced_memory: malloced, total_physical_size: heap } = v8.getHeapStatistics()
    return heap + external + malloced
  },
  heap: v8Heap.read,
  cpuTimes: () => {
    let idle = 0
    let total = 0
    const cpus = os.cpus()
    for (const { times } of cpus) {
      idle += times.idle
      total += times.idle + times.irq + times.nice + times.sys + times.user
    }
    // Without /proc the list is empty, and the number of CPUs is known all the same.
    return { cpus: cpus.length || os.availableParallelism(), busy: total - idle, total }
  },
  cpuUsage: () => {
    const { system, user } = process.cpuUsage()
    return (system + user) / 1e3
  },
  eventLoop: () => performance.eventLoopUtilization(),
  threadCpuUsage: () => {
    const { system, user } = process.threadCpuUsage?.() ?? process.cpuUsage()
    return (system + user) / 1e3
  },
  blocked: lateness.make()
}
