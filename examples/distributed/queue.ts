/**
 * The queue that the producer and the workers share, and the store that it lies in.
 */
import { QueueStore } from "@autoscaled-pool/platform-node"
import { Layer, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"

export const Job = Schema.Struct({ number: Schema.Int, millis: Schema.Finite })

/** An interruption costs no attempt, the death of a worker one. */
export const jobs = PersistedQueue.make({ name: "jobs", schema: Job, maxAttempts: 20 })

/** Much shorter than the defaults, so that nobody waits a minute for the items of a worker that was killed. */
export const lease = {
  pollInterval: "200 millis",
  lockRefreshInterval: "1 second",
  lockExpiration: "3 seconds",
  settleTimeout: "3 seconds",
  onUnavailable: "wait"
} as const satisfies QueueStore.LeaseOptions

/** The store of a URL; what is no URL is the name of a file. */
export const layer = (store: string) => Layer.provide(PersistedQueue.layer, storeOf(store))

const storeOf = (store: string) => {
  if (/^rediss?:/.test(store)) return QueueStore.layerRedis({ url: store, ...lease })
  if (/^postgres(ql)?:/.test(store)) return QueueStore.layerPostgres({ url: store, ...lease })
  return QueueStore.layerSqlite({ filename: store, ...lease })
}
