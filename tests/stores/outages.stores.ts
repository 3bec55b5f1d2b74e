/**
 * What becomes of workers while their server is away, and that Effect's stores without ours do worse.
 */
import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as path from "node:path"
import { createClient } from "redis"
import { type Proxy, startProxy } from "../../scripts/stores/proxy.ts"
import type { Server } from "../../scripts/stores/servers.ts"
import { redis, servers, titleOf } from "./servers.ts"
import { effects, type Jobs, open, type Opened, ours, shortLease, sleep, withinMillis } from "./stores.ts"

/** Expiration, refresh, poll and the second that the busy machine of a test may take. */
const retakenWithin = shortLease.lockExpiration + shortLease.lockRefreshInterval + shortLease.pollInterval + 1000

/** Another process takes an item and is killed with it in hand. */
const die = async (url: string, queue: string): Promise<void> => {
  const child: ChildProcess = spawn(process.execPath, [
    path.join(import.meta.dirname, "programs/holder.ts"),
    url,
    queue
  ], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  await new Promise((resolve) => child.stdout?.once("data", resolve))
  child.kill("SIGKILL")
}

const collecting = (queue: Jobs) => {
  const taken: Array<string> = []
  const take = queue.take((value, { attempts }) => Effect.sync(() => void taken.push(`${value}, attempt ${attempts}`)))
  return { taken, takes: Effect.forever(take) }
}

const until = async (condition: () => boolean, millis: number): Promise<number> => {
  const start = performance.now()
  while (!condition() && performance.now() - start < millis) await sleep(20)
  return performance.now() - start
}

const holding = (worker: Opened) => {
  let isHeld = false
  const take = worker.queue.take(() => Effect.andThen(Effect.sync(() => (isHeld = true)), Effect.never))
  const fiber = worker.fork(take)
  return { fiber, held: () => until(() => isHeld, 5000) }
}

for (const kind of servers()) {
  describe.skipIf(kind.missing !== undefined)(titleOf(kind), () => {
    let server: Server
    let proxy: Proxy
    const opened: Array<Opened> = []
    let queue = ""
    let tests = 0
    const workerOf = async (store: Parameters<typeof open>[0]): Promise<Opened> => {
      const worker = await open(store, queue)
      opened.push(worker)
      return worker
    }
    const url = () => server.url.replace(`:${server.port}`, `:${proxy.port}`)

    beforeAll(async () => {
      server = await kind.start()
    })
    afterEach(async () => {
      await proxy.restore()
      await Promise.all(opened.splice(0).map((worker) => withinMillis(worker.close(), 3000)))
      await proxy.close()
    })
    const withProxy = (run: () => Promise<void>) => async () => {
      queue = `test${tests++}`
      proxy = await startProxy(server.port)
      await run()
    }

    it(
      "a worker that waited through an outage takes the items of killed workers, with one warning",
      withProxy(async () => {
        const worker = await workerOf(ours(url()))
        const { taken, takes } = collecting(worker.queue)
        const waiting = worker.fork(takes)
        await sleep(300)
        await proxy.refuse()
        await sleep(2000)
        await proxy.restore()
        await worker.run(Effect.retry(worker.queue.offer("afterwards", { id: "afterwards" }), { times: 10 }))
        await until(() => taken.length > 0, 3000)
        assert.deepStrictEqual(taken, ["afterwards, attempt 1"])
        await Effect.runPromise(Fiber.interrupt(waiting))

        await worker.run(worker.queue.offer("orphan"))
        await die(server.url, queue)
        worker.fork(takes)
        assert.isAtMost(await until(() => taken.length > 1, 10_000), retakenWithin)
        assert.deepStrictEqual(taken.slice(1), ["orphan, attempt 2"])
        assert.strictEqual(worker.warnings.length, 1)
        assert.match(worker.warnings[0], /^The queue in \w+ does not answer \(.+\)\. Tasks that run go on; /)
      })
    )

    it(
      "a task that ends while the store is away is acknowledged when it is back",
      withProxy(async () => {
        const lease = { ...shortLease, lockExpiration: 3000 }
        const worker = await workerOf(ours(url(), lease))
        const other = await workerOf(ours(server.url, lease))
        await worker.run(worker.queue.offer("x"))
        let ends = 0
        const taking = worker.fork(
          worker.queue.take(() => Effect.andThen(Effect.sleep(500), Effect.sync(() => void ends++)))
        )
        await sleep(300)
        await proxy.refuse()
        await sleep(600)
        await proxy.restore()
        await Effect.runPromise(Fiber.join(taking))
        const again = await withinMillis(other.run(other.queue.take(Effect.succeed)), 3500)
        assert.deepStrictEqual([ends, again], [1, "late"])
      })
    )

    it(
      "a server that hangs: offers fail in time, nobody is held up for ever, and it goes on by itself",
      withProxy(async () => {
        const worker = await workerOf(ours(url()))
        const { taken, takes } = collecting(worker.queue)
        worker.fork(takes)
        await sleep(200)
        proxy.hang()
        const start = performance.now()
        const refused = await withinMillis(worker.run(Effect.flip(worker.queue.offer("lost"))), 5000)
        assert.strictEqual(refused !== "late" && refused._tag, "PersistedQueueError")
        assert.isAtMost(performance.now() - start, 2000)
        await sleep(1500)
        await proxy.restore()
        await until(() => false, 300)
        const offered = await withinMillis(
          worker.run(Effect.retry(worker.queue.offer("kept", { id: "kept" }), { times: 10 })),
          8000
        )
        assert.strictEqual(offered, "kept")
        await until(() => taken.includes("kept, attempt 1"), 6000)
        assert.include(taken, "kept, attempt 1")
        assert.strictEqual(worker.warnings.length, 1)
      })
    )

    for (const fault of ["refuse", "hang"] as const) {
      it(
        `a drain with a deadline keeps it while tasks cannot be acknowledged (${fault})`,
        withProxy(async () => {
          const worker = await workerOf(ours(url()))
          for (const job of ["1", "2", "3"]) await worker.run(worker.queue.offer(job))
          let ended = 0
          const program = Effect.gen(function*() {
            const pool = yield* AutoscaledPool.fromSource(
              TaskSource.fromPersistedQueue(worker.queue),
              () => Effect.andThen(Effect.sleep(600), Effect.sync(() => void ended++)),
              { loggingInterval: null }
            )
            const run = yield* Effect.forkChild(pool.run)
            yield* Effect.sleep(400)
            yield* Effect.promise(async () => proxy[fault]())
            const start = performance.now()
            yield* Effect.timeoutOrElse(pool.drain, { duration: 1500, orElse: () => pool.abort })
            const { outcome } = yield* Fiber.join(run)
            return [outcome, performance.now() - start] as const
          })
          const [, took] = await worker.run(Effect.provide(program, SystemStatus.layerTest))
          assert.strictEqual(ended, 3)
          assert.isAtMost(took, 1500 + shortLease.settleTimeout + 1000)
        })
      )
    }

    it(
      "interrupted with an item in hand while the server hangs, a worker gives up after settleTimeout, and closes",
      withProxy(async () => {
        const worker = await workerOf(ours(url()))
        await worker.run(worker.queue.offer("x"))
        const { fiber, held } = holding(worker)
        await held()
        proxy.hang()
        const start = performance.now()
        await withinMillis(Effect.runPromise(Fiber.interrupt(fiber)), 10_000)
        await withinMillis(worker.close(), 10_000)
        assert.isAtMost(performance.now() - start, 4 * shortLease.settleTimeout)
        assert.match(worker.warnings.at(-1) ?? "", /1 items? could not be given back/)
        await proxy.restore()

        // Its lease has lapsed; that it was not given back costs an attempt.
        const other = await workerOf(ours(server.url))
        const { taken, takes } = collecting(other.queue)
        other.fork(takes)
        await until(() => taken.length > 0, 2 * retakenWithin)
        assert.match(taken[0], /^x, attempt [12]$/) // 1 where the server carried it out when it went on
      })
    )

    it(
      "without our store, the same worker is still not ended after five times as long",
      withProxy(async () => {
        const worker = await workerOf(effects(url()))
        await worker.run(worker.queue.offer("trap"))
        const { fiber, held } = holding(worker)
        await held()
        proxy.hang()
        const ended = await withinMillis(Effect.runPromise(Fiber.interrupt(fiber)), 5 * shortLease.settleTimeout)
        assert.strictEqual(ended, "late")
        await proxy.restore()
        await sleep(2000)
        const other = await workerOf(ours(server.url))
        await withinMillis(other.run(other.queue.take(Effect.succeed)), 2 * retakenWithin)
      })
    )
  })
}

describe.skipIf(redis.missing !== undefined)("Redis alone", () => {
  const refusing = async (server: Server, millis: number): Promise<void> => {
    const client = await createClient({ url: server.url }).connect()
    await client.sendCommand(["ACL", "SETUSER", "worker", "on", "nopass", "~*", "&*", "+@all", "-evalsha"])
    await sleep(millis)
    await client.sendCommand(["ACL", "SETUSER", "worker", "+evalsha"])
    client.destroy()
  }
  const asWorker = async (server: Server): Promise<string> => {
    const client = await createClient({ url: server.url }).connect()
    await client.sendCommand(["ACL", "SETUSER", "worker", "on", "nopass", "~*", "&*", "+@all"])
    client.destroy()
    return server.url.replace("//", "//worker:x@")
  }

  for (const [whose, store, isFreed] of [["with", ours, true], ["without", effects, false]] as const) {
    it(`scripts that were refused for a while (ACL): items of killed workers are ${isFreed ? "" : "not "}freed ${whose} our store`, async () => {
      const server = await redis.start()
      const worker = await open(store(await asWorker(server)))
      const { taken, takes } = collecting(worker.queue)
      const waiting = worker.fork(takes)
      await sleep(300)
      await refusing(server, 1500)
      await sleep(700)
      await worker.run(worker.queue.offer("first"))
      await until(() => taken.length > 0, 3000)
      waiting.interruptUnsafe()
      await sleep(100)
      await worker.run(worker.queue.offer("orphan"))
      await die(server.url, "jobs")
      worker.fork(takes)
      await until(() => taken.length > 1, retakenWithin)
      assert.deepStrictEqual(taken, isFreed ? ["first, attempt 1", "orphan, attempt 2"] : ["first, attempt 1"])
      if (isFreed) assert.strictEqual(worker.warnings.length, 1)
      await withinMillis(worker.close(), 2000)
    })
  }

  it("a restart: what was appended is there, scripts are loaded anew, workers go on", async () => {
    const server = await redis.start(["--appendfsync", "always"])
    const worker = await open(ours(server.url))
    const { taken, takes } = collecting(worker.queue)
    await worker.run(worker.queue.offer("before"))
    await server.stop("SIGKILL")
    worker.fork(takes)
    await sleep(700)
    await server.start()
    await until(() => taken.length > 0, 5000)
    assert.deepStrictEqual(taken, ["before, attempt 1"])
    assert.strictEqual(worker.warnings.length, 1)
    await worker.close()
  })

  it("a full memory: offers fail with the reason, and what is there is worked on", async () => {
    const server = await redis.start()
    const client = await createClient({ url: server.url }).connect()
    const worker = await open(ours(server.url))
    await worker.run(worker.queue.offer("before"))
    await client.sendCommand(["CONFIG", "SET", "maxmemory", "1"])
    const refused = await worker.run(Effect.flip(worker.queue.offer("refused")))
    assert.match(String(refused.cause), /OOM/)
    assert.strictEqual(await worker.run(worker.queue.take(Effect.succeed)), "before")
    await client.sendCommand(["CONFIG", "SET", "maxmemory", "0"])
    await worker.run(worker.queue.offer("afterwards"))
    assert.strictEqual(await worker.run(worker.queue.take(Effect.succeed)), "afterwards")
    assert.deepStrictEqual(worker.warnings, [])
    client.destroy()
    await worker.close()
  })

  it("a record that nobody can read becomes a dead letter; without our store nothing behind it is taken", async () => {
    const server = await redis.start()
    const client = await createClient({ url: server.url }).connect()
    await client.sendCommand(["RPUSH", "effectq:jobs", "garbage"])
    const trapped = await open(effects(server.url))
    await trapped.run(trapped.queue.offer("behind"))
    assert.strictEqual(await withinMillis(trapped.run(trapped.queue.take(Effect.succeed)), 2000), "late")
    const worker = await open(ours(server.url))
    const { taken, takes } = collecting(worker.queue)
    worker.fork(takes)
    await until(() => taken.length > 0, 5000)
    assert.deepStrictEqual(await client.lRange("effectq:jobs:failed", 0, -1), ["garbage"])
    await Promise.all([worker, trapped].map((each) => withinMillis(each.close(), 2000)))
    client.destroy()
  })
})
