/**
 * The store in a file.
 */
import * as Effect from "effect/Effect"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqliteOptions } from "../../QueueStore.ts"
import * as Availability from "./availability.ts"
import * as guardedSql from "./guardedSql.ts"
import * as guardedStore from "./guardedStore.ts"
import type { Lease } from "./lease.ts"
import { locking } from "./lease.ts"
import * as sqliteClient from "./sqliteClient.ts"
import * as sqlQueue from "./sqlQueue.ts"
import * as start from "./start.ts"

export const make = Effect.fnUntraced(function*({ filename, tableName = "effect_queue" }: SqliteOptions, lease: Lease) {
  const name = `The queue in ${filename}`
  const options = { ...locking(lease), tableName }
  const sql = yield* start.open(
    name,
    lease,
    // Less than a command may take, so that the reason is told.
    sqliteClient.make({ filename, patience: lease.commandTimeout * 0.8 }),
    sqlQueue.prepare(options)
  )
  const availability = yield* Availability.make({
    name,
    lease,
    probe: sql`SELECT 1`,
    timedOut: guardedSql.timedOut,
    isRefusal: guardedSql.isRefusal
  })
  const client = yield* guardedSql.make(sql, sqliteClient.compiler, availability)
  const store = Effect.provideService(PersistedQueue.makeStoreSql(options), SqlClient.SqlClient, client)
  return yield* guardedStore.make(store, availability, lease).pipe(start.asError(`${name} cannot be prepared`))
})
