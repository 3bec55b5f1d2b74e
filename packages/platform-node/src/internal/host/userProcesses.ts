/**
 * RLIMIT_NPROC: how many threads the user of this process may have, and how many there are (getrlimit(2)).
 */
import type { Level } from "../sampling/bound.ts"
import type { Parser, PseudoFiles } from "./pseudoFiles.ts"

/** The soft limit of /proc/self/limits. */
export const parseLimit: Parser<number> = (text) => {
  const soft = /^Max processes +(\S+)/m.exec(text)?.[1]
  if (soft === undefined) return undefined
  return soft === "unlimited" ? Infinity : Number(soft)
}

export interface Owner {
  readonly user: number
  readonly threads: number
  /** Whether the limit binds it: it does not bind root, nor who may administer the system or its resources. */
  readonly isExempt: boolean
}

const administrates = 1n << 21n
const raisesLimits = 1n << 24n

/** /proc/<pid>/status. */
const parseOwner: Parser<Owner> = (text) => {
  const user = /^Uid:\s+(\d+)/m.exec(text)?.[1]
  if (user === undefined) return undefined
  const capabilities = BigInt(`0x${/^CapEff:\s+([0-9a-f]+)$/m.exec(text)?.[1] ?? "0"}`)
  return {
    user: Number(user),
    threads: Number(/^Threads:\s+(\d+)$/m.exec(text)?.[1] ?? 1),
    isExempt: user === "0" || (capabilities & (administrates | raisesLimits)) !== 0n
  }
}

/** Threads of all users, the last number of the fourth field of /proc/loadavg. */
export const parseTotal: Parser<number> = (text) => {
  const total = /^\S+ \S+ \S+ \d+\/(\d+) /.exec(text)?.[1]
  return total === undefined ? undefined : Number(total)
}

/** In a user namespace of its own a process has capabilities that count for nothing outside. */
const isInitialNamespace: Parser<boolean> = (text) => /^\s*0\s+0\s+4294967295\s*$/.test(text)

export interface UserProcesses {
  readonly level: (now: number) => Level & { readonly of: string } | undefined
}

/**
 * No file tells how many threads a user has: they are counted, at a file for each process of the machine. While all
 * threads of all users are few beside the limit, their number does; else the count is taken every ten seconds, and what
 * the machine has gained since is taken for the user's.
 */
export const make = (files: PseudoFiles): UserProcesses => {
  let counted: { readonly at: number; readonly threads: number; readonly total: number } | undefined

  const count = (user: number): number =>
    files.list("/proc").filter((name) => Number(name) > 0).reduce((sum, pid) => {
      const owner = files.optional(`/proc/${pid}/status`, (text) => parseOwner(text) ?? nobody)
      return owner?.user === user ? sum + owner.threads : sum
    }, 0)

  const used = (user: number, limit: number, now: number): number | undefined => {
    const total = files.optional("/proc/loadavg", parseTotal)
    if (total === undefined || total < few * limit) return total
    if (counted === undefined || now - counted.at >= countInterval) counted = { at: now, threads: count(user), total }
    return Math.min(total, counted.threads + Math.max(0, total - counted.total))
  }

  return {
    level: (now) => {
      const limit = files.optional("/proc/self/limits", parseLimit)
      if (limit === undefined || limit === Infinity) return undefined
      const self = files.optional("/proc/self/status", (text) => parseOwner(text) ?? nobody)
      if (self === undefined || self.user === nobody.user) return undefined
      if (self.isExempt && files.optional("/proc/self/uid_map", isInitialNamespace) !== false) return undefined
      const threads = used(self.user, limit, now)
      return threads === undefined ? undefined : { limit, used: threads, of: "RLIMIT_NPROC of the user" }
    }
  }
}

const nobody: Owner = { user: -1, threads: 0, isExempt: true }
const few = 0.5
const countInterval = 10_000
