/**
 * Finds Redis and Postgres, and what the tests of a partition need.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { find, type Found, inPath } from "../debian.ts"

export type { Found }

const postgresDirectory = (): string | undefined => {
  const versions = "/usr/lib/postgresql"
  if (!fs.existsSync(versions)) return inPath("postgres")
  return fs.readdirSync(versions)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => path.join(versions, version, "bin"))
    .find((directory) => fs.existsSync(path.join(directory, "initdb")))
}

export const findRedis = (): Found => find(() => inPath("redis-server"), "redis-server")

export const findPostgres = (): Found => find(postgresDirectory, "postgresql")

const faketimeDirectory = (): string | undefined =>
  fs.globSync("/usr/lib/*/faketime/libfaketime.so.1").map((file) => path.dirname(file)).at(0)

/** `libfaketime`, to give a program a clock of its own. */
export const findFaketime = (): Found => find(faketimeDirectory, "libfaketime")

/** `ip`, to make network namespaces with. */
export const findIp = (): Found => find(() => inPath("ip"), "iproute2")
