/**
 * The store in Redis.
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Redis from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import { createClient, ErrorReply } from "redis"
import type { RedisOptions } from "../../QueueStore.ts"
import * as Availability from "./availability.ts"
import * as guardedStore from "./guardedStore.ts"
import type { Lease } from "./lease.ts"
import { locking } from "./lease.ts"
import { isUnreadable, setAsideUnreadable } from "./redisPoison.ts"
import * as start from "./start.ts"

const name = "The queue in Redis"

const longestReconnectDelay = 1000

const timedOut = () => new Redis.RedisError({ cause: new Error("no answer in time") })

/** Replies of a server that loads its data, has lost its master, or cannot write at the moment. */
const unready = /^(?:LOADING|MASTERDOWN|READONLY|NOREPLICAS|BUSY|MISCONF|TRYAGAIN)\b/

const isRefusal = ({ cause }: Redis.RedisError): boolean => cause instanceof ErrorReply && !unready.test(cause.message)

export const make = Effect.fnUntraced(function*({ prefix = "effectq:", url }: RedisOptions, lease: Lease) {
  const options: ClientOptions = {
    url: Redacted.isRedacted(url) ? Redacted.value(url) : url,
    // What waits in the client for a connection would be sent after it was given up, and claim items for nobody.
    disableOfflineQueue: true,
    socket: {
      connectTimeout: lease.commandTimeout,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, longestReconnectDelay)
    }
  }
  const context = yield* start.open(
    name,
    lease,
    Effect.andThen(tryConnection(options, lease), guardedStore.quietly(Layer.build(NodeRedis.layer(options)))),
    () => Effect.void
  )
  const redis = Context.get(context, Redis.Redis)
  const client = Context.get(context, NodeRedis.NodeRedis).client
  // The client waits for all answers when it is closed; what is unanswered by then is given up.
  yield* Effect.addFinalizer(() => Effect.sync(() => client.isOpen ? client.destroy() : undefined))
  const availability = yield* Availability.make({ name, lease, probe: probe(client, lease), timedOut, isRefusal })
  const store = PersistedQueue.makeStoreRedis({ ...locking(lease), prefix }).pipe(
    Effect.provideService(Redis.Redis, guarded(redis, availability))
  )
  return yield* guardedStore.make(store, availability, lease).pipe(start.asError(`${name} cannot be prepared`))
})

type ClientOptions = NonNullable<Parameters<typeof createClient>[0]>
type Client = NodeRedis.NodeRedis["Service"]["client"]

const guarded = (
  redis: Redis.Redis["Service"],
  availability: Availability.Availability<Redis.RedisError>
): Redis.Redis["Service"] => ({
  ...redis,
  send: (command, ...args) => availability.run(redis.send(command, ...args)),
  eval: (script) => {
    const evaluate = redis.eval(script)
    if (!claims(script)) {
      return (...params) =>
        script.numberOfKeys(...params) === 0
          ? Effect.void as Effect.Effect<never> // the refresh of no leases; nobody reads what it answers
          : availability.run(evaluate(...params))
    }
    return (...params) => {
      const claim = Effect.catchIf(
        evaluate(...params),
        isUnreadable,
        () => Effect.andThen(setAsideUnreadable(redis, script.params(...params)), evaluate(...params))
      )
      return availability.run(claim, "Claim")
    }
  }
})

/**
 * Whether a script hands items out. Sent again under the same name of a lock, it would tie items that were handed out by
 * an answer that got lost to the lease of others.
 */
const claims = (script: { readonly lua: string }): boolean => script.lua.includes("LTRIM")

/** One connection that is closed again: a client that has been told to reconnect would not say why it cannot. */
const tryConnection = (options: ClientOptions, lease: Lease): Effect.Effect<void, Redis.RedisError> => {
  const attempt = Effect.acquireUseRelease(
    Effect.try({
      try: () =>
        createClient({ ...options, socket: { ...options.socket, reconnectStrategy: false } }).on("error", () => {}),
      catch: (cause) => new Redis.RedisError({ cause })
    }),
    (client) =>
      Effect.tryPromise({
        try: async () => refuseCluster(await (await client.connect()).sendCommand(["INFO", "cluster"]).catch(() => "")),
        catch: (cause) => new Redis.RedisError({ cause })
      }),
    (client) => Effect.sync(() => client.isOpen ? client.destroy() : undefined)
  )
  return Availability.within(attempt, lease.commandTimeout, () => Effect.fail(timedOut()))
}

const refuseCluster = (info: unknown): void => {
  if (!String(info).includes("cluster_enabled:1")) return
  throw new Error(
    "it is a Redis Cluster, and the keys of a queue do not lie in one slot; use a Redis without cluster mode"
  )
}

/** Asks for a sign of life. A connection that gives none is replaced: it may have been dead for longer than the server. */
const probe = (client: Client, lease: Lease): Effect.Effect<void, Redis.RedisError> => {
  let connectedAt: number | undefined
  client.on("connect", () => (connectedAt = performance.now()))
  client.on("ready", () => (connectedAt = undefined))
  client.on("reconnecting", () => (connectedAt = undefined))
  const ping = Effect.tryPromise({
    try: () => client.sendCommand(["PING"]),
    catch: (cause) => new Redis.RedisError({ cause })
  })
  const reconnect = Effect.sync(() => client.isOpen ? client.destroy() : undefined).pipe(
    Effect.andThen(Effect.sleep("100 millis")), // until the client has noticed
    Effect.andThen(Effect.sync(() => {
      client.connect().catch(() => {})
    })),
    Effect.andThen(Effect.fail(timedOut()))
  )
  const isStuck = () => connectedAt !== undefined && performance.now() - connectedAt > lease.commandTimeout
  return Effect.asVoid(Availability.within(ping, lease.commandTimeout, () => reconnect)).pipe(
    Effect.catch((error) => isStuck() ? reconnect : Effect.fail(error))
  )
}
