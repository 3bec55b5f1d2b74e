/**
 * Limits of control groups on processes and threads, and how many count against them.
 */
import type { Parser, PseudoFiles } from "../host/pseudoFiles.ts"
import type { Level } from "../sampling/bound.ts"
import type { Cgroups } from "./cgroup.ts"

/** `pids.max` and `pids.current`, the same in both versions. */
export const parseCount: Parser<number> = (text) => {
  if (text.trim() === "max") return Infinity
  return /^\s*\d+\s*$/.test(text) ? Number(text) : undefined
}

/** The groups that have a limit; their names are those of the limits. */
export const levels = (files: PseudoFiles, cgroups: Cgroups): ReadonlyArray<Level & { readonly of: string }> =>
  (cgroups.hierarchyOf("pids")?.groups ?? []).flatMap(({ directory, name }) => {
    const limit = files.optional(`${directory}/pids.max`, parseCount)
    if (limit === undefined || limit === Infinity) return []
    const used = files.required(`${directory}/pids.current`, parseCount)
    return used === undefined ? [] : [{ limit, used, of: `pids.max of ${name}` }]
  })
