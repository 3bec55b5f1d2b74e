/**
 * What /proc tells about the machine.
 */
import type { Parser } from "./pseudoFiles.ts"

export interface MachineMemory {
  readonly total: number
  readonly available: number
}

/**
 * /proc/meminfo, in bytes. Huge pages that are set aside (`Hugetlb`) are memory that nothing else can get, in use or not:
 * the machine is smaller by them.
 */
export const parseMeminfo: Parser<MachineMemory> = (text) => {
  const memory = parseMeminfoOfContainer(text)
  if (memory === undefined) return undefined
  const total = memory.total - setAside(text)
  return total > 0 ? { ...memory, total } : undefined
}

/**
 * /proc/meminfo as lxcfs writes it: the limit of the container is its memory, but the huge pages are the machine's.
 * (`proc_meminfo_read`, src/proc_fuse.c)
 */
export const parseMeminfoOfContainer: Parser<MachineMemory> = (text) => {
  const total = kibibytes(text, /^MemTotal:\s+(\d+) kB$/m)
  const available = kibibytes(text, /^MemAvailable:\s+(\d+) kB$/m)
  return total !== undefined && available !== undefined && total > 0 ? { total, available } : undefined
}

/** Kernels before 4.20 tell of one size of huge page only, in pages. */
const setAside = (text: string): number =>
  kibibytes(text, /^Hugetlb:\s+(\d+) kB$/m) ??
    Number(/^HugePages_Total:\s+(\d+)$/m.exec(text)?.[1] ?? 0) * (kibibytes(text, /^Hugepagesize:\s+(\d+) kB$/m) ?? 0)

const kibibytes = (text: string, pattern: RegExp): number | undefined => {
  const match = pattern.exec(text)
  return match === null ? undefined : Number(match[1]) * 1024
}

/** Whether /proc/self/mountinfo has a mount of something else over a file of the kernel, as lxcfs makes it in a container. */
export const parseHasMount = (path: string): Parser<boolean> => (text) =>
  text.split("\n").some((line) => line.split(" ", 5)[4] === path)

/** CPU time of all `cpus` together since boot, in any unit. */
export interface CpuTimes {
  readonly cpus: number
  readonly busy: number
  readonly total: number
}

/**
 * /proc/stat, the sum over the CPUs that are allowed, over all where `allowed` is left out. What a hypervisor steals is
 * busy time: it is not there to be used.
 */
export const parseCpuTimes = (allowed: ReadonlySet<number> | undefined): Parser<CpuTimes> => (text) => {
  let cpus = 0
  let busy = 0
  let total = 0
  for (const [, cpu, fields] of text.matchAll(/^cpu(\d+) ([\d ]+)$/gm)) {
    if (allowed !== undefined && !allowed.has(Number(cpu))) continue
    // Guest time is part of user time already.
    const [user, nice, system, idle, iowait = 0, irq = 0, softirq = 0, steal = 0] = fields.split(" ").map(Number)
    const used = user + nice + system + irq + softirq + steal
    cpus++
    busy += used
    total += used + idle + iowait
  }
  return total > 0 ? { cpus, busy, total } : undefined
}

/** The numbers of the CPUs that /proc/stat has a line for. */
export const listedCpus = (text: string): ReadonlyArray<number> =>
  Array.from(text.matchAll(/^cpu(\d+) /gm), ([, cpu]) => Number(cpu))

/** The CPUs that a process may run on: `Cpus_allowed_list` of /proc/self/status, such as "0-3,8". */
export const parseAllowedCpus: Parser<ReadonlySet<number>> = (text) => {
  const list = /^Cpus_allowed_list:\s+([\d,-]+)$/m.exec(text)?.[1]
  return list === undefined ? undefined : parseCpuList(list)
}

/** A list of CPUs in ascending order, such as "0-3,8"; an empty one is that of no CPU. */
export const parseCpuList: Parser<ReadonlySet<number>> = (text) => {
  const list = text.trim()
  if (!/^(\d+(-\d+)?(,|$))*$/.test(list)) return undefined
  const cpus = list.split(",").filter(Boolean).flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number)
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
  })
  return new Set(cpus)
}
