/**
 * An SQL client whose statements are guarded, each on whatever connection is free. Transactions are not guarded: the
 * store has none besides its migrations, which have run before.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, StatementTimeoutError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { Availability } from "./availability.ts"

export const timedOut = (): SqlError =>
  new SqlError({
    reason: new StatementTimeoutError({ cause: new Error("no answer in time"), message: "no answer in time" })
  })

const outages: ReadonlySet<string> = new Set([
  "AuthenticationError",
  "ConnectionError",
  "LockTimeoutError",
  "StatementTimeoutError"
])

/** SQLite's codes for a file that is locked, cannot be read, has no room or cannot be opened. */
const unreadyFiles: ReadonlySet<unknown> = new Set([5, 6, 10, 13, 14])

/** Postgres' classes of codes for a server that is out of resources, or starts up or shuts down. */
const unreadyServer = /^5[37]/

const isUnready = (cause: unknown): boolean =>
  Predicate.hasProperty(cause, "errcode")
    ? unreadyFiles.has(Number(cause.errcode) & 0xff)
    : Predicate.hasProperty(cause, "code") && unreadyServer.test(String(cause.code))

export const isRefusal = ({ reason }: SqlError): boolean => !outages.has(reason._tag) && !isUnready(reason.cause)

/** `encode` makes the parameters of a statement such that the database takes them. */
export const make = (
  sql: SqlClient.SqlClient,
  compiler: Statement.Compiler,
  availability: Availability<SqlError>,
  encode: (params: ReadonlyArray<unknown>) => ReadonlyArray<unknown> = (params) => params
): Effect.Effect<SqlClient.SqlClient> => {
  const guarded = <A>(use: (connection: Connection) => Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
    availability.run(Effect.scoped(Effect.flatMap(sql.reserve, use)))
  const connection: Connection = {
    execute: (text, params, transform) => guarded((each) => each.execute(text, encode(params), transform)),
    executeRaw: (text, params) => guarded((each) => each.executeRaw(text, encode(params))),
    executeValues: (text, params) => guarded((each) => each.executeValues(text, encode(params))),
    executeValuesUnprepared: (text, params) => guarded((each) => each.executeValuesUnprepared(text, encode(params))),
    executeUnprepared: (text, params, transform) =>
      guarded((each) => each.executeUnprepared(text, encode(params), transform)),
    executeStream: (text, params, transform) =>
      Stream.unwrap(Effect.map(sql.reserve, (each) => each.executeStream(text, encode(params), transform)))
  }
  const client = SqlClient.make({
    acquirer: Effect.succeed(connection),
    borrower: (use) => use(connection),
    transactionAcquirer: sql.reserve,
    compiler,
    driver: sql.driver,
    spanAttributes: []
  })
  return Effect.provideServiceEffect(client, Reactivity.Reactivity, Reactivity.make)
}
