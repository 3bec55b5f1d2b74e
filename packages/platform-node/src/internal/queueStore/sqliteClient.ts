/**
 * An `SqlClient` over `node:sqlite`: one connection to a file that other processes may have open too.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import { classifySqliteError, ConnectionError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

/** Milliseconds for which a statement waits for another process, and blocks the event loop. */
const busyTimeout = 50

/** Milliseconds between two tries of a statement that found another process in its way for longer. */
const busyRetryInterval = 20

export const compiler: Statement.Compiler = Statement.makeCompilerSqlite()

/** `patience`: the milliseconds for which a statement is tried while another process is in its way. */
export const make = Effect.fnUntraced(function*(
  options: { readonly filename: string; readonly patience: number }
): Effect.fn.Return<SqlClient.SqlClient, SqlError, Scope.Scope> {
  const database = yield* Effect.acquireRelease(
    open(options.filename),
    (database) => Effect.sync(() => database.close())
  )
  const isBusy = (error: SqlError): boolean => error.reason._tag === "LockTimeoutError"
  const waiting = Schedule.spaced(busyRetryInterval).pipe(Schedule.upTo({ duration: options.patience }))

  const run = (
    text: string,
    params: ReadonlyArray<unknown>,
    asArrays = false
  ): Effect.Effect<ReadonlyArray<SqlConnection.Row>, SqlError> =>
    Effect.retry(
      Effect.try({
        try: () => {
          const statement = database.prepare(text)
          if (asArrays) statement.setReturnArrays(true)
          return statement.all(...params as ReadonlyArray<SQLInputValue>)
        },
        catch: errorOf
      }),
      { schedule: waiting, while: isBusy }
    )

  // With `setReturnArrays` a row is an array of its values.
  const values = (text: string, params: ReadonlyArray<unknown>) =>
    run(text, params, true) as unknown as ReturnType<SqlConnection.Connection["executeValues"]>

  const connection: SqlConnection.Connection = {
    execute: (text, params, transform) =>
      Effect.map(run(text, params), (rows) => transform === undefined ? rows : transform(rows)),
    executeRaw: (text, params) => run(text, params),
    executeValues: values,
    executeValuesUnprepared: values,
    executeUnprepared: (text, params, transform) => connection.execute(text, params, transform),
    executeStream: (text, params, transform) => Stream.fromIterableEffect(connection.execute(text, params, transform))
  }
  const acquirers = SqlClient.makeSqliteAcquirers({
    connection: Effect.succeed(connection),
    semaphore: yield* Semaphore.make(1),
    isTransaction: () => database.isTransaction
  })
  return yield* SqlClient.make({
    ...acquirers,
    compiler,
    driver: "node:sqlite",
    // A transaction that begins by reading cannot wait for another process when it comes to write.
    beginTransaction: "BEGIN IMMEDIATE",
    spanAttributes: [["db.system.name", "sqlite"]]
  }).pipe(Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make))
})

const open = (filename: string): Effect.Effect<DatabaseSync, SqlError> =>
  Effect.try({
    try: () => {
      const database = new DatabaseSync(filename, { timeout: busyTimeout })
      try {
        // With a write-ahead log readers and the writer do not wait for each other. A power cut may take back what was
        // last written, never tear it: leases and acknowledgements bear that.
        database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
      } catch (error) {
        database.close()
        throw error
      }
      return database
    },
    catch: (cause) =>
      new SqlError({ reason: new ConnectionError({ cause, message: messageOf(cause), operation: "connect" }) })
  })

/** Effect looks for the number of an SQLite error in `errno`; `node:sqlite` has it in `errcode`. */
const errorOf = (cause: unknown): SqlError => {
  const numbered = Predicate.hasProperty(cause, "errcode") ? Object.assign(cause, { errno: cause.errcode }) : cause
  return new SqlError({ reason: classifySqliteError(numbered, { message: messageOf(cause), operation: "execute" }) })
}

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)
