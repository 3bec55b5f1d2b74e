/**
 * Uses the package where the drivers of its stores are not installed, and says what it loaded and what it failed with.
 */
import { registerHooks } from "node:module"

const drivers = new Set(["redis", "@effect/sql-pg/PgClient"])
const resolved: Array<string> = []

registerHooks({
  resolve: (specifier, context, next) => {
    if (drivers.has(specifier)) {
      throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: "ERR_MODULE_NOT_FOUND" })
    }
    resolved.push(specifier)
    return next(specifier, context)
  }
})

const { QueueStore } = await import("@autoscaled-pool/platform-node")
const heavy = resolved.filter((specifier) => /persistence|\/sql|node:sqlite|node-redis/.test(specifier))
const { Effect, Layer } = await import("effect")

const messageOf = (layer: ReturnType<typeof QueueStore.layerRedis>) =>
  Effect.runPromise(
    Effect.map(Effect.flip(Effect.scoped(Layer.build(layer))), (error) => `${error._tag}: ${error.message}`)
  )

console.log(JSON.stringify({
  heavy,
  redis: await messageOf(QueueStore.layerRedis({ url: "redis://127.0.0.1:1" })),
  postgres: await messageOf(QueueStore.layerPostgres({ url: "postgres://127.0.0.1:1/x" }))
}))
