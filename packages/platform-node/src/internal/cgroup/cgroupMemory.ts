/**
 * Memory limits of control groups, and how much memory counts against them.
 *
 * What the kernel gives back before it kills is no use, as little as for the machine, whose `MemAvailable` this follows
 * (`si_mem_available`, mm/show_mem.c): clean pages of files, whether used lately or not, and reclaimable slab. What has to
 * be written first (dirty, writeback), what only swap could take (anonymous memory, shared memory and tmpfs, both on the
 * lists of anonymous pages), what is locked (`unevictable`), compressed swap (`zswap`), kernel stacks, page tables and
 * percpu memory all stay in use. There is no reserve to subtract: a group has no watermarks, it reclaims at its limit.
 */
import type { Parser, PseudoFiles } from "../host/pseudoFiles.ts"
import type { Level } from "../sampling/bound.ts"
import type { Group, Hierarchy } from "./cgroup.ts"

/** A positive number of bytes; `max` is no limit. Version 1 says "no limit" with a number larger than any memory. */
export const parseLimit: Parser<number> = (text) => text.trim() === "max" ? Infinity : positive(parseBytes(text))

const parseBytes: Parser<number> = (text) => /^\s*\d+\s*$/.test(text) ? Number(text) : undefined

const positive = (value: number | undefined): number | undefined => value === 0 ? undefined : value

/**
 * What memory.stat tells, in bytes.
 *
 * - `idle`: what the kernel gives back without anybody missing it soon: clean pages of files out of use, and slab.
 * - `active`: clean pages of files that were used more than once.
 * - `hierarchicalLimit`: version 1's smallest limit of the group and all its ancestors, those included that no mount shows.
 *   Version 2 has nothing like it: there, a limit above the mount cannot be known.
 */
export interface MemoryStat {
  readonly idle: number
  readonly active: number
  readonly hierarchicalLimit: number
}

interface Fields {
  readonly inactive: string
  readonly active: string
  /** Pages of files that have to be written before they can go. */
  readonly unwritten: ReadonlyArray<string>
  readonly slab: string | undefined
  readonly limit: string | undefined
}

// Version 1 has a plain field of each name for the group alone; the totals include the groups below, as usage does. It
// counts slab without saying how much of it is reclaimable.
const fields: Readonly<Record<1 | 2, Fields>> = {
  1: {
    inactive: "total_inactive_file",
    active: "total_active_file",
    unwritten: ["total_dirty", "total_writeback"],
    slab: undefined,
    // Not hierarchical_memsw_limit: it is never the smaller one, and a group swaps when it is at this one.
    limit: "hierarchical_memory_limit"
  },
  2: {
    inactive: "inactive_file",
    active: "active_file",
    unwritten: ["file_dirty", "file_writeback"],
    slab: "slab_reclaimable",
    limit: undefined
  }
}

export const parseStat = (version: 1 | 2): Parser<MemoryStat> => {
  const { active, inactive, limit, slab, unwritten } = fields[version]
  return (text) => {
    const values = new Map<string, number>()
    for (const [, name, value] of text.matchAll(/^(\w+)\s+(\d+)\s*$/gm)) values.set(name, Number(value))
    const valueOf = (name: string | undefined) => values.get(name ?? "") ?? 0
    const outOfUse = values.get(inactive)
    if (outOfUse === undefined) return undefined
    // Which of the lists unwritten pages are on is not told: mostly the one of pages that were touched once.
    const dirty = unwritten.reduce((sum, name) => sum + valueOf(name), 0)
    return {
      idle: Math.max(0, outOfUse - dirty) + valueOf(slab),
      active: Math.max(0, valueOf(active) - Math.max(0, dirty - outOfUse)),
      hierarchicalLimit: values.get(limit ?? "") ?? Infinity
    }
  }
}

/** The share of the last ten seconds in which some task waited for memory: `some` of a PSI file. */
export const parsePressure: Parser<number> = (text) => {
  const match = /^some avg10=(\d+(?:\.\d+)?)/m.exec(text)
  return match === null ? undefined : Number(match[1]) / 100
}

/**
 * Which part of the active file pages counts as use. Whether somebody needs them does not show in their number but in what
 * happens as they go: tasks wait for them to be read again. A twentieth of the time costs less than fewer tasks would.
 */
const neededShare = (pressure: number): number =>
  Math.min(1, Math.max(0, (pressure - harmless) / (thrashing - harmless)))

const harmless = 0.05
const thrashing = 0.25

interface Names {
  readonly limits: ReadonlyArray<string>
  readonly usage: string
}

const names: Readonly<Record<1 | 2, Names>> = {
  1: { limits: ["memory.limit_in_bytes"], usage: "memory.usage_in_bytes" },
  // Above memory.high the kernel slows a group down until memory is reclaimed: for a task that is a limit already.
  2: { limits: ["memory.max", "memory.high"], usage: "memory.current" }
}

/** A group with a limit. */
export interface GroupLevel extends Level {
  readonly name: string
}

/** The groups that have a limit: `unlimited` bytes or more is none. `residentMemory` stands in where a group's use is unknown. */
export const levels = (
  files: PseudoFiles,
  { groups, version }: Hierarchy,
  unlimited: number,
  residentMemory: () => number
): ReadonlyArray<GroupLevel> =>
  groups.flatMap((group, index) => {
    const limits = names[version].limits.map((name) => files.optional(`${group.directory}/${name}`, parseLimit))
    const own = Math.min(...limits.map((limit) => limit ?? Infinity))
    // Version 1 tells of limits further up than mounts show: the topmost group that is shown has most of the use there.
    const isTopmost = index === groups.length - 1
    const isLimited = own < unlimited
    const stat = isLimited || (version === 1 && isTopmost) ? statOf(files, version, group) : undefined
    const limit = Math.min(own, positive(stat?.hierarchicalLimit) ?? Infinity)
    if (limit >= unlimited) return []
    return [{ name: group.name, limit, used: usedOf(files, version, group, stat) ?? residentMemory() }]
  })

const statOf = (files: PseudoFiles, version: 1 | 2, { directory }: Group): MemoryStat | undefined =>
  files.required(`${directory}/memory.stat`, parseStat(version))

const usedOf = (
  files: PseudoFiles,
  version: 1 | 2,
  { directory }: Group,
  stat: MemoryStat | undefined
): number | undefined => {
  const usage = files.required(`${directory}/${names[version].usage}`, parseBytes)
  if (usage === undefined || stat === undefined) return usage
  const needed = stat.active === 0 ? 0 : neededShare(pressureOf(files, version, directory))
  return Math.max(0, usage - stat.idle - (1 - needed) * stat.active)
}

// Version 1 does not measure the pressure on a group. The machine's contains it: at worst others' counts too, and pages
// are taken for needed that are not.
const pressureOf = (files: PseudoFiles, version: 1 | 2, directory: string): number =>
  files.optional(version === 2 ? `${directory}/memory.pressure` : "/proc/pressure/memory", parsePressure) ?? 0
