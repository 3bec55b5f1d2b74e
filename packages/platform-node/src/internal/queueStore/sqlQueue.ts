/**
 * What the two SQL stores have in common.
 */
import * as Effect from "effect/Effect"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as SqlClient from "effect/sql/SqlClient"
import { quietly } from "./guardedStore.ts"

type Options = NonNullable<Parameters<typeof PersistedQueue.makeStoreSql>[0]>

/** Makes the tables, where they are not there yet, by a store that is closed again. */
export const prepare = (options: Options) => (sql: SqlClient.SqlClient) =>
  quietly(Effect.scoped(PersistedQueue.makeStoreSql(options))).pipe(Effect.provideService(SqlClient.SqlClient, sql))
