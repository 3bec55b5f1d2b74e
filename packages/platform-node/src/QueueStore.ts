/**
 * Stores under Effect's `PersistedQueue` that are safe by default: in a file, in Redis and in Postgres.
 *
 * Effect's own stores have what these add as options, or not at all: leases that are refreshed in time, a limit to how
 * long a command may hang, and workers that go on after an outage as if there had been none.
 *
 * @since 0.1.0
 */
import { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PersistedQueueError, PersistedQueueStore } from "effect/persistence/PersistedQueue"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as lease from "./internal/queueStore/lease.ts"

/**
 * How items are leased, and what happens while the store does not answer.
 *
 * **Details**
 *
 * - `pollInterval`: the time between two looks for items while there are none, longer than 0, default 1.2 seconds.
 * - `lockRefreshInterval`: the time between two refreshes of the leases that are held, default 10 seconds.
 * - `lockExpiration`: how long a lease lasts that is not refreshed, at least 3 times `lockRefreshInterval`, default 60
 *   seconds. The items of a worker that died are taken again after that time. A task that blocks the event loop for
 *   longer loses its lease, and its item is done twice.
 * - `commandTimeout`: how long the store may take to answer, at most `lockRefreshInterval`, default 5 seconds or
 *   `lockRefreshInterval` where that is shorter.
 * - `settleTimeout`: how long the worker still tries to acknowledge and to give back what it holds once it was told to
 *   stop and the store does not answer, default 5 seconds.
 * - `onUnavailable`: what happens at the start where the store cannot be reached, default `"fail"`; `"wait"` waits
 *   until it can.
 *
 * @category models
 * @since 0.1.0
 */
export interface LeaseOptions {
  readonly pollInterval?: Duration.Input | undefined
  readonly lockRefreshInterval?: Duration.Input | undefined
  readonly lockExpiration?: Duration.Input | undefined
  readonly commandTimeout?: Duration.Input | undefined
  readonly settleTimeout?: Duration.Input | undefined
  readonly onUnavailable?: "fail" | "wait" | undefined
}

/**
 * Options of {@link layerSqlite}, besides {@link LeaseOptions}.
 *
 * **Details**
 *
 * - `filename`: the file, made where it is not there; on a disk of this machine, as SQLite's locks do not work on most
 *   network file systems. Required.
 * - `tableName`: the table, default `"effect_queue"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqliteOptions extends LeaseOptions {
  readonly filename: string
  readonly tableName?: string | undefined
}

/**
 * Options of {@link layerRedis}, besides {@link LeaseOptions}.
 *
 * **Details**
 *
 * - `url`: `redis://` or `rediss://`, with user and password where there are such. Required.
 * - `prefix`: what the names of all keys begin with, default `"effectq:"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisOptions extends LeaseOptions {
  readonly url: string | Redacted.Redacted
  readonly prefix?: string | undefined
}

/**
 * Options of {@link layerPostgres}, besides {@link LeaseOptions}.
 *
 * **Details**
 *
 * - `url`: `postgres://` or `postgresql://`, with user, password and database. Required.
 * - `tableName`: the table, default `"effect_queue"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresOptions extends LeaseOptions {
  readonly url: string | Redacted.Redacted
  readonly tableName?: string | undefined
}

/**
 * A store in a file, for the processes of one machine: the default where no server is wanted.
 *
 * **When to use**
 *
 * Use for one machine, one or several processes. For several machines take {@link layerRedis} or {@link layerPostgres}.
 *
 * **Details**
 *
 * It needs no package: `node:sqlite` is part of Node.js. The file has a write-ahead log. A statement blocks the event
 * loop while it runs, mostly for less than a millisecond; where another process holds the file it is tried again without
 * blocking.
 *
 * A store that cannot be opened is a `PersistedQueueError`, options that contradict each other an `InvalidOptionsError`.
 *
 * **Example** (Queueing in a file)
 *
 * ```ts import.meta.vitest
 * import { QueueStore } from "@autoscaled-pool/platform-node"
 * import { Effect, Layer, Schema } from "effect"
 * import { PersistedQueue } from "effect/persistence"
 *
 * const program = Effect.gen(function*() {
 *   const queue = yield* PersistedQueue.make({ name: "greetings", schema: Schema.String })
 *   yield* queue.offer("hello", { id: "first" })
 *   return yield* queue.take((greeting, { attempts }) => Effect.succeed([greeting, attempts]))
 * })
 *
 * const layer = PersistedQueue.layer.pipe(Layer.provide(QueueStore.layerSqlite({ filename: ":memory:" })))
 * await Effect.runPromise(program.pipe(Effect.provide(layer))) // => ["hello", 1]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSqlite = (
  options: SqliteOptions
): Layer.Layer<PersistedQueueStore, PersistedQueueError | InvalidOptionsError> =>
  layerOf(options, required("filename", options.filename), () => import("./internal/queueStore/sqlite.ts"))

/**
 * A store in Redis, through node-redis.
 *
 * **Details**
 *
 * It needs the packages `redis` and `@effect/platform-node`. Outages are survived: the worker waits, with one warning, and goes on when the server is
 * back, items of dead workers included. Redis must not evict keys (`maxmemory-policy noeviction`, its default) and loses
 * at most what its persistence loses: a second with `appendonly yes`. Redis Cluster is refused.
 *
 * A server that cannot be reached is a `PersistedQueueError` or waited for, see `onUnavailable`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRedis = (
  options: RedisOptions
): Layer.Layer<PersistedQueueStore, PersistedQueueError | InvalidOptionsError> =>
  layerOf(options, urlOf(options.url, ["redis:", "rediss:"]), () => import("./internal/queueStore/redis.ts"), [
    "redis",
    "@effect/platform-node"
  ])

/**
 * A store in Postgres, through `@effect/sql-pg`.
 *
 * **Details**
 *
 * It needs the package `@effect/sql-pg`. The table is made where it is not there. Outages are survived as with
 * {@link layerRedis}. Sessions run in UTC.
 *
 * A server that cannot be reached is a `PersistedQueueError` or waited for, see `onUnavailable`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPostgres = (
  options: PostgresOptions
): Layer.Layer<PersistedQueueStore, PersistedQueueError | InvalidOptionsError> =>
  layerOf(
    options,
    urlOf(options.url, ["postgres:", "postgresql:"]),
    () => import("./internal/queueStore/postgres.ts"),
    ["@effect/sql-pg"]
  )

/** The module of a store, which imports its driver, and so is imported only when it is used. */
interface StoreModule<O> {
  readonly make: (
    options: O,
    lease: lease.Lease
  ) => Effect.Effect<PersistedQueueStore["Service"], PersistedQueueError, Scope.Scope>
}

const layerOf = <O extends LeaseOptions>(
  options: O,
  check: Effect.Effect<void, InvalidOptionsError>,
  load: () => Promise<StoreModule<O>>,
  drivers: ReadonlyArray<string> = []
): Layer.Layer<PersistedQueueStore, PersistedQueueError | InvalidOptionsError> =>
  Layer.unwrap(Effect.gen(function*() {
    yield* check
    const plan = yield* lease.read(options)
    const queues = yield* Effect.promise(() => import("effect/persistence/PersistedQueue"))
    const store = yield* Effect.tryPromise({
      try: load,
      catch: (cause) =>
        new queues.PersistedQueueError({
          message: drivers.length === 0
            ? "This version of Node.js has no node:sqlite"
            : `The store needs packages that cannot be loaded; install them: npm install ${drivers.join(" ")}`,
          cause
        })
    })
    return Layer.effect(queues.PersistedQueueStore, store.make(options, plan))
  }))

const required = (field: string, value: unknown): Effect.Effect<void, InvalidOptionsError> =>
  typeof value === "string" && value !== ""
    ? Effect.void
    : Effect.fail(new InvalidOptionsError({ field, value, remedy: "Use the path of a file." }))

const urlOf = (
  url: string | Redacted.Redacted,
  protocols: ReadonlyArray<string>
): Effect.Effect<void, InvalidOptionsError> => {
  const text = Redacted.isRedacted(url) ? Redacted.value(url) : url
  const isUsable = typeof text === "string" && URL.canParse(text) && protocols.includes(new URL(text).protocol)
  if (isUsable) return Effect.void
  const remedy = `Use a URL such as "${protocols[0]}//user:password@host:port".`
  return Effect.fail(
    new InvalidOptionsError({ field: "url", value: "what was given (not shown: it may hold a password)", remedy })
  )
}
