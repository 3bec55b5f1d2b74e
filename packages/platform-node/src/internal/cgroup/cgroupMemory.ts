/**
 * Memory limits of control groups, and how much memory counts against them.
 */
import type { Parser, PseudoFiles } from "../host/pseudoFiles.ts"
import type { Level } from "../sampling/bound.ts"
import type { Group, Hierarchy } from "./cgroup.ts"

/** A positive number of bytes; `max` is no limit. Version 1 says "no limit" with a number larger than any memory. */
export const parseLimit: Parser<number> = (text) => text.trim() === "max" ? Infinity : positive(parseBytes(text))

export const parseBytes: Parser<number> = (text) => /^\d+\s*$/.test(text) ? Number(text) : undefined

const positive = (value: number | undefined): number | undefined => value === 0 ? undefined : value

/** A field of memory.stat. */
export const parseStatField = (field: string): Parser<number> => {
  const pattern = new RegExp(`^${field} (\\d+)$`, "m")
  return (text) => {
    const match = pattern.exec(text)
    return match === null ? undefined : Number(match[1])
  }
}

interface Names {
  readonly limits: ReadonlyArray<string>
  readonly usage: string
  readonly inactiveFile: Parser<number>
}

const names: Readonly<Record<1 | 2, Names>> = {
  1: {
    limits: ["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    inactiveFile: parseStatField("total_inactive_file")
  },
  // Above memory.high the kernel slows a group down until memory is reclaimed: for a task that is a limit already.
  2: {
    limits: ["memory.max", "memory.high"],
    usage: "memory.current",
    inactiveFile: parseStatField("inactive_file")
  }
}

/**
 * The groups that are limited to less than the machine has. `residentMemory` stands in where a group's use is unknown.
 */
export const levels = (
  files: PseudoFiles,
  { groups, version }: Hierarchy,
  machineTotal: number,
  residentMemory: () => number
): ReadonlyArray<Level> =>
  groups.flatMap((group) => {
    const limits = names[version].limits.map((name) => files.optional(`${group.directory}/${name}`, parseLimit))
    const limit = Math.min(...limits.map((limit) => limit ?? Infinity))
    return limit < machineTotal ? [{ limit, used: workingSet(files, version, group) ?? residentMemory() }] : []
  })

// The kernel drops file pages that were not used for long before it runs out of memory: they are no use of the limit.
const workingSet = (files: PseudoFiles, version: 1 | 2, group: Group): number | undefined => {
  const usage = files.required(`${group.directory}/${names[version].usage}`, parseBytes)
  if (usage === undefined) return undefined
  const inactive = files.required(`${group.directory}/memory.stat`, names[version].inactiveFile) ?? 0
  return Math.max(0, usage - inactive)
}
