/**
 * The servers of a test file, or why there are none.
 */
import { afterAll } from "@effect/vitest"
import { findPostgres, findRedis } from "../../scripts/stores/install.ts"
import { type Server, startPostgres, startRedis } from "../../scripts/stores/servers.ts"

export interface Kind {
  readonly name: "Redis" | "Postgres"
  readonly missing: string | undefined
  readonly start: (args?: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Promise<Server>
}

const started: Array<Server> = []
const noting = async (server: Promise<Server>): Promise<Server> => {
  started.push(await server)
  return server
}

const reason = (found: ReturnType<typeof findRedis>): string | undefined =>
  "missing" in found ? found.missing : undefined

const kinds: ReadonlyArray<Kind> = [
  { name: "Redis", missing: reason(findRedis()), start: (args = [], env = {}) => noting(startRedis({ args, env })) },
  {
    name: "Postgres",
    missing: reason(findPostgres()),
    start: (args = [], env = {}) => noting(startPostgres({ args, env }))
  }
]

export const [redis, postgres] = kinds

/** To be called once a file: servers end with it. */
export const servers = (): ReadonlyArray<Kind> => {
  afterAll(async () => {
    await Promise.all(started.map((server) => server.dispose()))
  })
  return kinds
}

/** What a group of tests is called, which says why it is skipped. */
export const titleOf = ({ missing, name }: Kind): string =>
  missing === undefined ? name : `${name} (skipped: ${missing})`
