/**
 * A disk that is full under the store in a file.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { open, ours, sleep } from "./stores.ts"

const disk = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-full-"))
const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]).status === 0
afterAll(() => {
  if (isMounted) spawnSync("umount", ["-l", disk])
  fs.rmSync(disk, { recursive: true, force: true })
})

describe.skipIf(!isMounted)(isMounted ? "SQLite" : "SQLite (skipped: this user may not mount a small disk)", () => {
  it("offers fail with the reason, a task that ended is acknowledged when there is room, and nothing is lost", async () => {
    const worker = await open(ours(path.join(disk, "queue.db")))
    const ballast = path.join(disk, "ballast")
    await worker.run(worker.queue.offer("first"))
    let ended = 0
    const taking = worker.fork(
      worker.queue.take(() => Effect.andThen(Effect.sleep(500), Effect.sync(() => void ended++)))
    )
    await sleep(200)
    const { bavail, bsize } = fs.statfsSync(disk)
    fs.writeFileSync(ballast, Buffer.alloc(bavail * bsize))
    const fill = Effect.forEach(Array.from({ length: 200 }, () => "x".repeat(4000)), (text) => worker.queue.offer(text))
    const refused = await worker.run(Effect.flip(fill))
    assert.match(String(refused.cause), /disk is full|no answer/)
    await sleep(1000)
    assert.strictEqual(ended, 1)
    fs.rmSync(ballast)
    await Effect.runPromise(Fiber.join(taking))
    await worker.run(Effect.retry(worker.queue.offer("last", { id: "last" }), { times: 10 }))
    const taken: Array<string> = []
    const rest = worker.fork(Effect.forever(worker.queue.take((value) => Effect.sync(() => void taken.push(value)))))
    for (let tries = 0; !taken.includes("last") && tries < 100; tries++) await sleep(50)
    assert.include(taken, "last")
    assert.notInclude(taken, "first")
    assert.isAtLeast(worker.warnings.length, 1)
    await Effect.runPromise(Fiber.interrupt(rest))
    await worker.close()
  })
})
