/**
 * The files in which a Linux kernel tells about itself. They are read synchronously: the kernel answers from memory, in
 * some ten microseconds, which a thread pool would only make slower.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import type { Warnings } from "./warnings.ts"

/** Reads a text; `undefined` where the text is not of the expected form. */
export type Parser<A> = (text: string) => A | undefined

export interface PseudoFiles {
  /** What a file says. A file that does not exist says nothing; one that cannot be read or understood is warned of. */
  readonly optional: <A>(path: string, parse: Parser<A>) => A | undefined
  /** As `optional`, and a file that does not exist is warned of too. */
  readonly required: <A>(path: string, parse: Parser<A>) => A | undefined
  readonly exists: (path: string) => boolean
  /** The names in a folder; none where it cannot be read. */
  readonly list: (path: string) => ReadonlyArray<string>
}

export const make = (root: string, warnings: Warnings): PseudoFiles => {
  const exists = (path: string): boolean => existsSync(root + path)
  const read = (path: string, onGone: () => void): string | undefined => {
    try {
      return readFileSync(root + path, "utf8")
    } catch (error) {
      const code = codeOf(error)
      if (gone.has(code)) onGone()
      else if (code === "ERR_ACCESS_DENIED") warnings.add("permissions", forbidden)
      else if (!hidden.has(code) || !ofProcess.test(path)) {
        warnings.add(`${basename(path)}: ${code}`, `${path} cannot be read (${code}); load signals go on without it`)
      }
      return undefined
    }
  }
  const parsed = <A>(path: string, parse: Parser<A>, onGone: () => void): A | undefined => {
    const text = read(path, onGone)
    if (text === undefined) return undefined
    const value = parse(text)
    if (value === undefined) {
      warnings.add(
        `${basename(path)}: malformed`,
        `${path} cannot be understood (${excerpt(text)}); load signals go on without it`
      )
    }
    return value
  }
  return {
    optional: (path, parse) => parsed(path, parse, () => {}),
    required: (path, parse) => parsed(path, parse, () => warnings.add(...missing(path, exists))),
    exists,
    list: (path) => {
      try {
        return readdirSync(root + path)
      } catch {
        return []
      }
    }
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : String(error)

// From the third on: of a process that has ended, of a control group that was removed, of what the kernel does not measure
// (PSI that is off, where its files are there all the same).
const gone = new Set(["ENOENT", "ENOTDIR", "ESRCH", "ENODEV", "ENOTSUP", "EOPNOTSUPP"])

// What other users' processes do may be none of our business (the option hidepid of /proc).
const hidden = new Set(["EACCES", "EPERM"])
const ofProcess = /^\/proc\/\d/

/** Node.js with --permission. */
const forbidden =
  "The permissions of this process do not let load signals read the files of the kernel: limits of a container, and the use " +
  "of the machine, are not known. Allow it: --allow-fs-read=/proc --allow-fs-read=/sys"

const excerpt = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text)

const missing = (path: string, exists: (path: string) => boolean): [cause: string, message: string] =>
  path.startsWith("/proc/") && !exists("/proc/self")
    ? ["/proc: missing", `There is no ${path}: load signals see the machine through node:os, and no container limits`]
    : [`${basename(path)}: missing`, `There is no ${path}; load signals go on without it`]
