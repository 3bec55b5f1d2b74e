/**
 * Traps of a persisted queue that need no outage, each with and without what keeps out of it.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { createClient } from "redis"
import { startProxy } from "../../scripts/stores/proxy.ts"
import { postgres, redis, servers, titleOf } from "./servers.ts"
import { effects, failureOf, type Jobs, open, ours, shortLease, sleep, withinMillis } from "./stores.ts"

servers()

/** Twenty takes that wait for an item. */
const pool = (queue: Jobs) =>
  Effect.gen(function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(queue), () => Effect.void, {
      concurrencySettings: { minConcurrency: 20, maxConcurrency: 20, desiredConcurrency: 20 },
      maybeRunInterval: 20,
      loggingInterval: null
    })
    return yield* pool.run
  }).pipe(Effect.provide(SystemStatus.layerTest))

const bare = (queue: Jobs) =>
  Effect.all(Array.from({ length: 20 }, () => queue.take(() => Effect.void)), { concurrency: 20 })

describe.skipIf(redis.missing !== undefined)(titleOf(redis), () => {
  for (const [how, takes, isGivenBack] of [["a pool", pool, true], ["bare takes", bare, false]] as const) {
    it(`what was claimed for ${how} as they were withdrawn is ${isGivenBack ? "given back" : "not seen by anybody for long"}`, async () => {
      const server = await redis.start()
      const proxy = await startProxy(server.port)
      const client = await createClient({ url: server.url }).on("error", () => {}).connect()
      const lease = { ...shortLease, lockRefreshInterval: 5000, lockExpiration: 20_000 }
      const worker = await open(ours(server.url.replace(`:${server.port}`, `:${proxy.port}`), lease))
      const waiting = worker.fork(takes(worker.queue) as Effect.Effect<unknown, unknown>)
      await sleep(400)
      proxy.hang()
      const records = Array.from({ length: 20 }, (_, n) => JSON.stringify({ id: `${n}`, element: `${n}` }))
      await client.rPush("effectq:jobs", records)
      await sleep(250)
      await withinMillis(Effect.runPromise(Fiber.interrupt(waiting)), 5000)
      await proxy.restore()
      await sleep(2500)
      const claimed = await client.hLen("effectq:jobs:pending")
      if (isGivenBack) assert.strictEqual(claimed, 0)
      else assert.isAbove(claimed, 0)
      client.destroy()
      await withinMillis(worker.close(), 3000)
      await proxy.close()
    })
  }
})

describe.skipIf(postgres.missing !== undefined)(titleOf(postgres), () => {
  it("a lease that lapses before it is refreshed lets two workers do one item; our store refuses it", async () => {
    const server = await postgres.start()
    const lease = { ...shortLease, lockExpiration: 1000, lockRefreshInterval: 30_000 }
    const refusal = await failureOf(ours(server.url, lease))
    assert.match(refusal === undefined ? "" : String(Cause.squash(refusal)), /lockExpiration cannot be/)
    const workers = await Promise.all([1, 2].map(() => open(effects(server.url, lease))))
    let started = 0
    await workers[0].run(workers[0].queue.offer("x"))
    const take = (queue: Jobs) => queue.take(() => Effect.andThen(Effect.sync(() => started++), Effect.sleep(3500)))
    for (const worker of workers) worker.fork(take(worker.queue))
    await sleep(3500)
    assert.strictEqual(started, 2)
    await Promise.all(workers.map((worker) => withinMillis(worker.close(), 2000)))
  })

  it("a database that is away at the start is a defect without our store", async () => {
    const server = await postgres.start()
    await server.stop()
    const cause = await failureOf(effects(server.url))
    assert.isTrue(cause !== undefined && Cause.hasDies(cause))
  })
})
