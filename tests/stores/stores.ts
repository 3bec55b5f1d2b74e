/**
 * The stores under test: ours, and Effect's own under the same leases, which shows what happens without.
 */
import { QueueStore } from "@autoscaled-pool/platform-node"
import { NodeRedis } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { type Cause, Effect, Exit, Layer, Logger, Redacted, References, Schema, Scope } from "effect"
import { PersistedQueue } from "effect/persistence"

/** Leases so short that a test need not wait: 1.5 seconds, refreshed every half. */
export const shortLease = {
  pollInterval: 100,
  lockRefreshInterval: 500,
  lockExpiration: 1500,
  settleTimeout: 1000
} as const satisfies QueueStore.LeaseOptions

/** A queue of its own for each test: `name`. */
export const jobsOf = (name: string) => PersistedQueue.make({ name, schema: Schema.String, maxAttempts: 3 })

export type Jobs = PersistedQueue.PersistedQueue<string>

/** The store that a URL stands for; a file name is one of SQLite. */
export const ours = (url: string, lease: QueueStore.LeaseOptions = shortLease) => {
  if (url.startsWith("redis:")) return QueueStore.layerRedis({ url, ...lease })
  if (url.startsWith("postgres:")) return QueueStore.layerPostgres({ url, ...lease })
  return QueueStore.layerSqlite({ filename: url, ...lease })
}

export const effects = (url: string, lease: QueueStore.LeaseOptions = shortLease) =>
  url.startsWith("redis:")
    ? PersistedQueue.layerStoreRedis(lease).pipe(Layer.provide(NodeRedis.layer({ url })))
    : PersistedQueue.layerStoreSql(lease).pipe(Layer.provide(PgClient.layer({ url: Redacted.make(url) })))

export interface Opened {
  readonly queue: Jobs
  /** What was logged, warnings and worse. */
  readonly warnings: ReadonlyArray<string>
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => ReturnType<typeof Effect.runFork<A, E>>
  /** Closes the store; resolves with the milliseconds it took. */
  readonly close: () => Promise<number>
}

const text = (message: unknown): string => (Array.isArray(message) ? message : [message]).map(String).join(" ")

/** Opens a store as a process of its own would: with a client, leases and a log of its own. */
export const open = async (
  store: Layer.Layer<PersistedQueue.PersistedQueueStore, unknown>,
  name = "jobs"
): Promise<Opened> => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn" || logLevel === "Error" || logLevel === "Fatal") warnings.push(text(message))
  })
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(
    Layer.buildWithScope(
      PersistedQueue.layer.pipe(Layer.provide(Layer.fresh(store)), Layer.provideMerge(Logger.layer([logger]))),
      scope
    ).pipe(
      Effect.provideService(References.MinimumLogLevel, "Info"),
      Effect.provide(Logger.layer([logger]))
    )
  )
  const queue = await Effect.runPromiseWith(context)(jobsOf(name))
  return {
    queue,
    warnings,
    run: (effect) => Effect.runPromiseWith(context)(effect),
    fork: (effect) => Effect.runForkWith(context)(effect),
    close: async () => {
      const start = performance.now()
      await Effect.runPromise(Effect.ignoreCause(Scope.close(scope, Exit.void)))
      return performance.now() - start
    }
  }
}

/** How opening ends. */
export const failureOf = async (
  store: Layer.Layer<PersistedQueue.PersistedQueueStore, unknown>
): Promise<Cause.Cause<unknown> | undefined> => {
  const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(store)))
  return Exit.isFailure(exit) ? exit.cause : undefined
}

export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** The first of an effect's result and a time limit. */
export const withinMillis = async <A>(promise: Promise<A>, millis: number): Promise<A | "late"> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<"late">((resolve) => (timer = setTimeout(() => resolve("late"), millis)))
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
