/**
 * The store in Postgres.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import type { PostgresOptions } from "../../QueueStore.ts"
import * as Availability from "./availability.ts"
import * as guardedSql from "./guardedSql.ts"
import * as guardedStore from "./guardedStore.ts"
import type { Lease } from "./lease.ts"
import { locking } from "./lease.ts"
import * as sqlQueue from "./sqlQueue.ts"
import * as start from "./start.ts"

const name = "The queue in Postgres"

/** Replaced: Postgres has no text with NUL in it, and would refuse the message of an error for ever. */
const withoutNul = (params: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  params.map((param) => typeof param === "string" ? param.replaceAll("\0", "\uFFFD") : param)

export const make = Effect.fnUntraced(function*({ tableName = "effect_queue", url }: PostgresOptions, lease: Lease) {
  const options = { ...locking(lease), tableName }
  const connect = Effect.gen(function*() {
    const sql = yield* PgClient.make({
      url: Redacted.isRedacted(url) ? url : Redacted.make(url),
      connectTimeout: lease.commandTimeout,
      // The store compares columns without a time zone with NOW(): sessions of several zones would disagree on leases.
      startupParameters: { timezone: "UTC" }
    })
    yield* probeOf(sql, lease)
    return sql
  }).pipe(Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make))
  const sql = yield* start.open(name, lease, connect, sqlQueue.prepare(options))
  const availability = yield* Availability.make({
    name,
    lease,
    probe: probeOf(sql, lease),
    timedOut: guardedSql.timedOut,
    isRefusal: guardedSql.isRefusal
  })
  const client = yield* guardedSql.make(sql, PgClient.makeCompiler(), availability, withoutNul)
  const store = Effect.provideService(PersistedQueue.makeStoreSql(options), SqlClient.SqlClient, client)
  return yield* guardedStore.make(store, availability, lease).pipe(start.asError(`${name} cannot be prepared`))
})

const probeOf = (sql: SqlClient.SqlClient, lease: Lease) =>
  Availability.within(Effect.asVoid(sql`SELECT 1`), lease.commandTimeout, () => Effect.fail(guardedSql.timedOut()))
