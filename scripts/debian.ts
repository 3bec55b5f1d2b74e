/**
 * Finds programs that tests need, and installs Debian's packages where they are missing and this user may.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"

/** The folder of a program, or why there is none. */
export type Found = { readonly directory: string } | { readonly missing: string }

/** The folder in which a program is found. */
export const inPath = (program: string): string | undefined =>
  process.env.PATH?.split(path.delimiter).find((directory) => fs.existsSync(path.join(directory, program)))

/** Why packages of Debian cannot be installed here, if they cannot. */
const obstacle = (): string | undefined => {
  if (process.getuid?.() !== 0) return "this user is not root, who could install it"
  if (inPath("apt-get") === undefined) return "there is no apt-get to install it with"
  return undefined
}

const installed = new Map<string, string | undefined>()

/** Installs packages without starting the services that come with them; answers with what went wrong. */
const install = (...packages: ReadonlyArray<string>): string | undefined => {
  const key = packages.join(" ")
  if (!installed.has(key)) {
    console.error(`installing ${key} with apt-get`)
    // Debian's scripts start no service in run level 1.
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
    const apt = (...args: ReadonlyArray<string>) =>
      spawnSync("apt-get", args, { env, encoding: "utf8", timeout: 300_000 })
    apt("update", "-qq")
    const { status, stderr } = apt("install", "-y", "-qq", "--no-install-recommends", ...packages)
    installed.set(key, status === 0 ? undefined : `apt-get could not install it: ${stderr.trim().split("\n").at(-1)}`)
  }
  return installed.get(key)
}

/** Finds what `locate` looks for, if need be after these packages were installed. */
export const find = (locate: () => string | undefined, ...packages: ReadonlyArray<string>): Found => {
  const directory = locate()
  if (directory !== undefined) return { directory }
  const missing = obstacle() ?? install(...packages)
  const now = locate()
  return now === undefined ? { missing: missing ?? "it was installed and is still not there" } : { directory: now }
}
