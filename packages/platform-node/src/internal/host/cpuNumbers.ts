/**
 * Which lines of /proc/stat are of CPUs that this process may run on. The kernel's numbers are the same in both lists,
 * but lxcfs mounts a /proc/stat of its own over the kernel's, in which the CPUs of a container count from 0.
 */
import type { Cgroups } from "../cgroup/cgroup.ts"
import { parseCpuList, parseHasMount } from "./machine.ts"
import type { PseudoFiles } from "./pseudoFiles.ts"

export type CpuSet = ReadonlySet<number>

/** The numbers that count among those listed; `undefined` means all. */
export type CpuNumbers = (allowed: CpuSet | undefined, listed: ReadonlyArray<number>) => CpuSet | undefined

/** Asks the other files again only when one of the lists has changed. */
export const make = (files: PseudoFiles, cgroups: () => Cgroups): CpuNumbers => {
  let lastLists: string | undefined
  let last: CpuSet | undefined
  return (allowed, listed) => {
    if (allowed === undefined) return undefined
    const lists = `${[...allowed].join()} ${listed.join()}`
    if (lists === lastLists) return last
    lastLists = lists
    last = areKernelNumbers(files, allowed, listed) ? allowed : byRank(cpusets(files, cgroups()), allowed, listed)
    return last
  }
}

const areKernelNumbers = (files: PseudoFiles, allowed: CpuSet, listed: ReadonlyArray<number>): boolean => {
  if (files.optional("/proc/self/mountinfo", parseHasMount("/proc/stat")) === true) return false
  const known = listed.filter((cpu) => allowed.has(cpu))
  if (known.length === allowed.size) return true
  if (known.length === 0) return false
  if (!listed.every((cpu, index) => cpu === index)) return true
  // What is allowed and not listed may be offline. Where nothing tells, more lines than allowed CPUs are a machine's.
  const offline = files.optional("/sys/devices/system/cpu/offline", parseCpuList)
  if (offline === undefined) return listed.length > allowed.size
  return [...allowed].every((cpu) => offline.has(cpu) || known.includes(cpu))
}

const cpusets = (files: PseudoFiles, cgroups: Cgroups): ReadonlyArray<ReadonlyArray<number>> =>
  (cgroups.hierarchyOf("cpuset")?.groups ?? []).flatMap(({ directory }) => {
    const cpus = files.optional(`${directory}/cpuset.cpus.effective`, parseCpuList) ??
      files.optional(`${directory}/cpuset.effective_cpus`, parseCpuList)
    return cpus === undefined ? [] : [[...cpus]]
  })

/** The n-th line is that of the n-th CPU of a control group that has as many; where there is none, all lines count. */
const byRank = (
  cpusets: ReadonlyArray<ReadonlyArray<number>>,
  allowed: CpuSet,
  listed: ReadonlyArray<number>
): CpuSet | undefined => {
  const cpuset = cpusets.find((cpus) => cpus.length === listed.length)
  const picked = listed.filter((_, rank) => cpuset !== undefined && allowed.has(cpuset[rank]))
  return picked.length === 0 ? undefined : new Set(picked)
}
