/**
 * Where and with what the figures were measured.
 */
import { readFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import * as os from "node:os"

export const machine = (): string => {
  const cpus = os.cpus()
  const memory = (os.totalmem() / 2 ** 30).toFixed(0)
  return `${cpus[0]?.model.trim() ?? "unknown CPU"}, ${cpus.length} cores, ${memory} GiB, ${os.type()} ${os.release()}`
}

export const load = (): string => `load average ${os.loadavg().map((load) => load.toFixed(1)).join(" / ")}`

const measured = ["@autoscaled-pool/core", "effect", "@crawlee/core", "p-limit", "p-queue", "fastq"]

export const versions = (): string =>
  [`Node.js ${process.version.slice(1)}`, ...measured.map((name) => `${name} ${versionOf(name)}`)].join(", ")

const versionOf = (name: string): string => {
  const path = findPackageJSON(name, import.meta.url)
  if (path === undefined) throw new Error(`${name} is not installed`)
  return JSON.parse(readFileSync(path, "utf8")).version
}
