/**
 * What the signals of one program measure: the files of the kernel, and what Node.js tells by itself. Each layer has a
 * host of its own, so that no baseline and no warning is shared by accident.
 */
import * as Effect from "effect/Effect"
import * as os from "node:os"
import { type EventLoopUtilization, performance } from "node:perf_hooks"
import * as v8 from "node:v8"
import * as cgroup from "../cgroup/cgroup.ts"
import * as v8Heap from "../heap/v8Heap.ts"
import * as cpuNumbers from "./cpuNumbers.ts"
import * as lateness from "./lateness.ts"
import type { CpuTimes } from "./machine.ts"
import { measurable } from "./measurable.ts"
import * as processTree from "./processTree.ts"
import * as pseudoFiles from "./pseudoFiles.ts"
import * as userProcesses from "./userProcesses.ts"
import * as warnings from "./warnings.ts"

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

const thisNode: Node = {
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

export interface Host {
  readonly node: Node
  readonly files: pseudoFiles.PseudoFiles
  readonly warnings: warnings.Warnings
  readonly cgroups: () => cgroup.Cgroups
  readonly cpuNumbers: cpuNumbers.CpuNumbers
  readonly tree: processTree.ProcessTree
  readonly userProcesses: userProcesses.UserProcesses
}

/** `root` is put before the path of every file: a test gives a folder of its own. */
export const make = (options: {
  readonly root?: string | undefined
  readonly node?: Partial<Node> | undefined
} = {}): Effect.Effect<Host> =>
  Effect.sync(() => {
    const once = warnings.make()
    const node = measurable({ ...thisNode, ...options.node }, once)
    const files = pseudoFiles.make(options.root ?? "", once)
    const cgroups = cgroup.makeReader(files, once)
    return {
      node,
      files,
      warnings: once,
      cgroups,
      cpuNumbers: cpuNumbers.make(files, cgroups),
      tree: processTree.make(files),
      userProcesses: userProcesses.make(files)
    }
  })
