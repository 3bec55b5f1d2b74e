/**
 * CPU quotas of control groups, and how much CPU time counts against them.
 */
import type { Parser, PseudoFiles } from "../host/pseudoFiles.ts"
import type { Cgroups, Group, Hierarchy } from "./cgroup.ts"

/** `cpu.max` of version 2, in CPUs. */
export const parseMax: Parser<number> = (text) => {
  const [, quota, period] = /^\s*(max|\d+)\s+(\d+)\s*$/.exec(text) ?? []
  if (period === undefined) return undefined
  return quota === "max" ? Infinity : cpus(Number(quota), Number(period))
}

/** `cpu.cfs_quota_us` of version 1, in microseconds; -1 is no limit. */
export const parseQuota: Parser<number> = (text) => text.trim() === "-1" ? Infinity : parseMicros(text)

const parseMicros: Parser<number> = (text) => /^\s*\d+\s*$/.test(text) ? Number(text) : undefined

const cpus = (quota: number, period: number): number | undefined => quota > 0 && period > 0 ? quota / period : undefined

/** `usage_usec` of version 2's cpu.stat, in milliseconds. */
export const parseUsage: Parser<number> = (text) => {
  const match = /^usage_usec\s+(\d+)\s*$/m.exec(text)
  return match === null ? undefined : Number(match[1]) / 1e3
}

/** `cpuacct.usage` of version 1, in milliseconds. */
export const parseAccount: Parser<number> = (text) => /^\s*\d+\s*$/.test(text) ? Number(text) / 1e6 : undefined

/** A group with a quota. `used` is CPU time in milliseconds since it exists, left out where nothing tells it. */
export interface Quota {
  readonly name: string
  readonly directory: string
  readonly cpus: number
  readonly used: number | undefined
}

/** The groups whose quota is less than the CPUs that the process may run on. */
export const quotas = (files: PseudoFiles, cgroups: Cgroups, allowedCpus: number): ReadonlyArray<Quota> => {
  const hierarchy = cgroups.hierarchyOf("cpu")
  if (hierarchy === undefined) return []
  return hierarchy.groups.flatMap((group) => {
    const cpus = quotaOf(files, hierarchy.version, group)
    if (!(cpus < allowedCpus)) return []
    return [{ ...group, cpus, used: usageOf(files, cgroups, hierarchy, group) }]
  })
}

const quotaOf = (files: PseudoFiles, version: 1 | 2, { directory }: Group): number => {
  if (version === 2) return files.optional(`${directory}/cpu.max`, parseMax) ?? Infinity
  const quota = files.optional(`${directory}/cpu.cfs_quota_us`, parseQuota) ?? Infinity
  if (quota === Infinity) return Infinity
  return files.required(`${directory}/cpu.cfs_period_us`, (text) => cpus(quota, parseMicros(text) ?? 0)) ?? Infinity
}

const usageOf = (files: PseudoFiles, cgroups: Cgroups, { version }: Hierarchy, group: Group): number | undefined => {
  if (version === 2) return files.required(`${group.directory}/cpu.stat`, parseUsage)
  // Version 1 counts the time in a hierarchy of its own, in which the process may be in a group of another name.
  const account = cgroups.hierarchyOf("cpuacct")?.groups.find(({ name }) => name === group.name)
  return account && files.required(`${account.directory}/cpuacct.usage`, parseAccount)
}
