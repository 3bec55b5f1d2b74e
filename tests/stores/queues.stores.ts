/**
 * The examples of pools over queues that people already have.
 */
import { assert, describe, it } from "@effect/vitest"
import { Queue } from "bullmq"
import { Effect, Fiber, Scope } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { PgBoss } from "pg-boss"
import * as bullmq from "../../examples/bullmq/source.ts"
import * as pgBoss from "../../examples/pgBoss/source.ts"
import { root } from "../../scripts/workspace.ts"
import { runExample } from "../examples/process.ts"
import { postgres, redis, servers, titleOf } from "./servers.ts"
import { sleep, withinMillis } from "./stores.ts"

servers()

it("a source over a queue of one's own takes sixty lines at most", () => {
  for (const example of ["bullmq", "pgBoss"]) {
    const text = fs.readFileSync(path.join(root, "examples", example, "source.ts"), "utf8")
    assert.isAtMost(text.trimEnd().split("\n").length, 60)
  }
})

describe.skipIf(redis.missing !== undefined)(titleOf(redis), () => {
  it("a pool over BullMQ: each job is delivered, failed ones after a further attempt", async () => {
    const { url } = await redis.start()
    const { code, stderr, stdout } = await runExample("bullmq/main.ts", [url, "70"])
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.strictEqual(stdout, "Drained: 70 delivered, 10 attempts failed, 0 given up, 0 left\n")
  })

  it("a lock is extended while its job runs; an interrupted job is given back, a failing one set aside at the end", async () => {
    const { port } = await redis.start()
    const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null }
    const queue = new Queue<number>("jobs", { connection })
    const scope = Scope.makeUnsafe()
    const open = Effect.provideService(
      bullmq.make<number>({ queue: "jobs", connection, lockDuration: 800 }),
      Scope.Scope,
      scope
    )
    const [source, other] = await Effect.runPromise(Effect.all([open, open]))
    await queue.add("job", 1, { attempts: 1 })
    const running = Effect.runFork(source.take(() => Effect.sleep("60 seconds")))
    await sleep(2500)
    assert.strictEqual(await Effect.runPromise(other.take(() => Effect.void)), "Empty")
    await withinMillis(Effect.runPromise(Fiber.interrupt(running)), 5000)
    const made: Array<number> = []
    const failing = other.take(({ attemptsMade }) =>
      Effect.andThen(Effect.sync(() => made.push(attemptsMade)), Effect.fail("no"))
    )
    assert.strictEqual(await Effect.runPromise(Effect.flip(failing)), "no")
    assert.deepStrictEqual(made, [0])
    assert.strictEqual(await queue.getFailedCount(), 1)
    await Effect.runPromise(Scope.close(scope, await Effect.runPromiseExit(Effect.void)))
    await queue.close()
  })
})

describe.skipIf(postgres.missing !== undefined)(titleOf(postgres), () => {
  it("a pool over pg-boss: each job is delivered, failed ones after a further attempt; an interrupted one is given back", async () => {
    const { url } = await postgres.start()
    const { code, stderr, stdout } = await runExample("pgBoss/main.ts", [url, "70"])
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.strictEqual(stdout, "Drained: 70 delivered, 10 attempts failed, 0 left\n")

    const boss = await new PgBoss(url).on("error", () => {}).start()
    await boss.createQueue("jobs", { retryLimit: 0 })
    await boss.send("jobs", { n: 1 })
    const source = pgBoss.make<{ readonly n: number }>(boss, "jobs")
    const running = Effect.runFork(source.take(() => Effect.never))
    await sleep(500)
    assert.strictEqual(await Effect.runPromise(source.take(() => Effect.void)), "Empty")
    await Effect.runPromise(Fiber.interrupt(running))
    assert.strictEqual(await Effect.runPromise(source.take(() => Effect.void)), "Taken")
    await boss.stop({ graceful: false })
  })
})
