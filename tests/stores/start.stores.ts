/**
 * What happens at the start, and what a store refuses.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { freePort, startRedis } from "../../scripts/stores/servers.ts"
import { postgres, redis, servers, titleOf } from "./servers.ts"
import { effects, failureOf, open, ours, shortLease, sleep, withinMillis } from "./stores.ts"

const errorOf = (cause: Cause.Cause<unknown> | undefined) => {
  assert.isDefined(cause)
  assert.isFalse(Cause.hasDies(cause))
  return Cause.squash(cause) as Error & { readonly _tag: string }
}

for (const kind of servers()) {
  describe.skipIf(kind.missing !== undefined)(titleOf(kind), () => {
    it("away at the start: a typed error at once, or a wait with one warning", async () => {
      const server = await kind.start()
      await server.stop()
      const error = errorOf(await failureOf(ours(server.url)))
      assert.strictEqual(error._tag, "PersistedQueueError")
      assert.match(error.message, /^The queue in \w+ cannot be reached: .*ECONNREFUSED/)

      const opening = open(ours(server.url, { ...shortLease, onUnavailable: "wait" }))
      assert.strictEqual(await withinMillis(opening, 1200), "late")
      await server.start()
      const worker = await opening
      await worker.run(worker.queue.offer("x"))
      assert.strictEqual(await worker.run(worker.queue.take(Effect.succeed)), "x")
      assert.strictEqual(worker.warnings.length, 1)
      assert.match(worker.warnings[0], /cannot be reached: .* Waiting for it\.$/)
      await worker.close()
    })

    it("several workers start at once on a new server", async () => {
      const server = await kind.start()
      const workers = await Promise.all([1, 2, 3, 4].map(() => open(ours(server.url))))
      assert.deepStrictEqual(workers.flatMap(({ warnings }) => warnings), [])
      await Promise.all(workers.map((worker) => worker.close()))
    })

    it("an item whose payload does not fit the schema becomes a dead letter", async () => {
      const server = await kind.start()
      const worker = await open(ours(server.url))
      await worker.run(worker.queue.offer(42 as never).pipe(Effect.ignore))
      await worker.run(worker.queue.offer("fits"))
      assert.strictEqual(await worker.run(worker.queue.take(Effect.succeed)), "fits")
      await worker.close()
    })

    it("of a failure whose message no database takes, the attempt counts all the same", async () => {
      const server = await kind.start()
      const worker = await open(ours(server.url))
      await worker.run(worker.queue.offer("x"))
      const failing = worker.queue.take(() => Effect.fail("binary \0 output"))
      assert.strictEqual(await withinMillis(worker.run(Effect.flip(failing)), 3000), "binary \0 output")
      await worker.close()
    })
  })
}

describe.skipIf(redis.missing !== undefined)("Redis alone", () => {
  it("a wrong password is told, and a cluster is refused", async () => {
    const server = await redis.start(["--requirepass", "right"])
    const error = errorOf(await failureOf(ours(server.url.replace("//", "//:wrong@"))))
    assert.match(error.message, /WRONGPASS/)
    const cluster = await redis.start(["--cluster-enabled", "yes"])
    assert.match(errorOf(await failureOf(ours(cluster.url))).message, /it is a Redis Cluster/)
  })

  it("a server that accepts and says nothing is away", async () => {
    const server = await startRedis()
    process.kill(server.pid() ?? 0, "SIGSTOP")
    const start = performance.now()
    assert.match(errorOf(await failureOf(ours(server.url))).message, /no answer in time/)
    assert.isAtMost(performance.now() - start, 3000)
    await server.dispose()
    assert.match(errorOf(await failureOf(ours(`redis://127.0.0.1:${await freePort()}`))).message, /ECONNREFUSED/)
  })
})

describe.skipIf(postgres.missing !== undefined)("Postgres alone", () => {
  it("sessions of several time zones agree on leases; without our store they do not", async () => {
    const server = await postgres.start()
    const inZone = async (store: typeof ours | typeof effects, zone: string) => {
      const url = `${server.url}?options=${encodeURIComponent(`-c timezone=${zone}`)}`
      return open(store(url))
    }
    for (const [store, expected] of [[ours, "late"], [effects, "x"]] as const) {
      const [first, second] = [await inZone(store, "America/New_York"), await inZone(store, "Asia/Tokyo")]
      await first.run(first.queue.offer("x"))
      first.fork(first.queue.take(() => Effect.sleep(2500)))
      await sleep(300)
      assert.strictEqual(await withinMillis(second.run(second.queue.take(Effect.succeed)), 1000), expected)
      await Promise.all([first, second].map((worker) => withinMillis(worker.close(), 4000)))
    }
  })

  it("a user who may not make the table is told", async () => {
    const server = await postgres.start(["-c", "default_transaction_read_only=on"])
    const error = errorOf(await failureOf(ours(server.url)))
    assert.match(error.message, /^The queue in Postgres cannot be prepared: /)
  })
})
