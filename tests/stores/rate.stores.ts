/**
 * A rate that processes share through Redis.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { redis, servers, titleOf } from "./servers.ts"

servers()

describe.skipIf(redis.missing !== undefined)(titleOf(redis), () => {
  it("two pools with a connection each start together what the rate allows", async () => {
    const { url } = await redis.start()
    const starts: Array<number> = []
    const run = (jobs: number) =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.RateLimiter
        const pool = yield* AutoscaledPool.fromSource(
          TaskSource.fromIterable(Array.from({ length: jobs }, (_, n) => n)),
          () => Effect.sync(() => void starts.push(performance.now())),
          { loggingInterval: null, rateLimit: { limiter, key: "api", limit: 5, window: "1 second" } }
        )
        return yield* pool.run
      }).pipe(Effect.provide([
        Layer.fresh(Layer.provide(
          RateLimiter.layer,
          Layer.provide(RateLimiter.layerStoreRedis(), NodeRedis.layer({ url }))
        )),
        SystemStatus.layerTest
      ]))
    const start = performance.now()
    await Effect.runPromise(Effect.all([run(8), run(7)], { concurrency: 2 }))
    // Five are saved up, ten more take two seconds.
    assert.strictEqual(starts.length, 15)
    assert.isAtLeast(Math.max(...starts) - start, 1900)
    for (let second = 0; second < 4; second += 0.5) {
      const within = starts.filter((at) => at - start >= second * 1000 && at - start < (second + 1) * 1000)
      assert.isAtMost(within.length, 5 + 5 + 1)
    }
  })
})
