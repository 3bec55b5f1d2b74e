/**
 * What the children of this process, and theirs, take of CPU and memory. They are found among the processes of the
 * process's own control group: that is one file to read, and in a container it holds hardly any strangers.
 */
import type { Cgroups } from "../cgroup/cgroup.ts"
import type { Parser, PseudoFiles } from "./pseudoFiles.ts"

export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** CPU time of the process itself, and of children that have ended, in milliseconds. */
  readonly cpuTime: number
  readonly endedChildrenCpuTime: number
}

// Linux fixes the unit of these files at 100 ticks a second (USER_HZ) on every architecture that Node.js runs on.
const millisPerTick = 10

/** /proc/<pid>/stat. The name in parentheses may itself hold spaces and parentheses. */
export const parseStat: Parser<ProcessStat> = (text) => {
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number)
  const [, parent, , , , , , , , , , user, system, endedUser, endedSystem] = fields
  const stat = {
    pid,
    parent,
    cpuTime: (user + system) * millisPerTick,
    endedChildrenCpuTime: (endedUser + endedSystem) * millisPerTick
  }
  return Object.values(stat).every(Number.isFinite) ? stat : undefined
}

/**
 * /proc/<pid>/status: resident bytes that no file backs. Pages of files and of shared memory would count once for each
 * process that maps them. A process that has ended but was not waited for has none.
 */
export const parseAnonymousMemory: Parser<number> = (text) => {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(text) ?? /^VmRSS:\s+(\d+) kB$/m.exec(text)
  return match === null ? 0 : Number(match[1]) * 1024
}

export const parsePids: Parser<ReadonlyArray<number>> = (text) => text.split("\n").map(Number).filter((pid) => pid > 0)

export interface ChildrenUse {
  /** CPUs in use, averaged over the time between the last two looks. */
  readonly cpus: number
  /** Bytes. */
  readonly memory: number
}

export interface ProcessTree {
  readonly children: (now: number) => ChildrenUse
}

/**
 * A look costs some twenty microseconds per process of the group. It is taken at most once a second, and so rarely that
 * it costs at most half a thousandth of the time; a group of more than 500 processes is not searched at all.
 */
export const make = (files: PseudoFiles, cgroups: () => Cgroups, stopwatch: () => number): ProcessTree => {
  let last: Look | undefined
  let use: ChildrenUse = { cpus: 0, memory: 0 }
  let nextLook = -Infinity
  return {
    children: (now) => {
      if (now < nextLook) return use
      const begin = stopwatch()
      const look = lookAt(files, cgroups(), now)
      nextLook = now + Math.max(1000, (stopwatch() - begin) * 2000)
      use = useBetween(last, look)
      last = look
      return use
    }
  }
}

const mostProcesses = 500

interface Look {
  readonly at: number
  readonly cpuTime: number
  readonly memory: number
}

const lookAt = (files: PseudoFiles, cgroups: Cgroups, at: number): Look => {
  const self = files.optional("/proc/self/stat", parseStat)
  if (self === undefined) return { at, cpuTime: 0, memory: 0 }
  const descendants = descendantsOf(self.pid, processesOf(files, cgroups))
  return {
    at,
    cpuTime: descendants.reduce(
      (sum, stat) => sum + stat.cpuTime + stat.endedChildrenCpuTime,
      self.endedChildrenCpuTime
    ),
    memory: descendants.reduce(
      (sum, { pid }) => sum + (files.optional(`/proc/${pid}/status`, parseAnonymousMemory) ?? 0),
      0
    )
  }
}

const processesOf = (files: PseudoFiles, { narrowestGroup }: Cgroups): ReadonlyArray<ProcessStat> => {
  if (narrowestGroup === undefined) return []
  const pids = files.optional(`${narrowestGroup.directory}/cgroup.procs`, parsePids) ?? []
  if (pids.length > mostProcesses) return []
  return pids.flatMap((pid) => files.optional(`/proc/${pid}/stat`, parseStat) ?? [])
}

/** All processes below one, however deep. */
export const descendantsOf = (pid: number, processes: ReadonlyArray<ProcessStat>): ReadonlyArray<ProcessStat> => {
  const rest = new Set(processes.filter((stat) => stat.pid !== pid))
  const found: Array<ProcessStat> = []
  const parents = [pid]
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
    for (const stat of rest) {
      if (stat.parent !== parent) continue
      rest.delete(stat)
      found.push(stat)
      parents.push(stat.pid)
    }
  }
  return found
}

// A process whose parent ends first leaves the tree with all its time: that is no negative use.
const useBetween = (before: Look | undefined, { at, cpuTime, memory }: Look): ChildrenUse => ({
  cpus: before === undefined || at <= before.at ? 0 : Math.max(0, cpuTime - before.cpuTime) / (at - before.at),
  memory
})
