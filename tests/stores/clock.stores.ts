/**
 * Wall clocks that are set while work goes on: the server's, one worker's, and that of a machine whose processes share a
 * file.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { createClient } from "redis"
import * as ledger from "../../examples/distributed/ledger.ts"
import { verdictOf } from "../../examples/distributed/verdict.ts"
import { makeClock, type WallClock } from "../../scripts/stores/clock.ts"
import { findFaketime } from "../../scripts/stores/install.ts"
import { type Kind, servers } from "./servers.ts"
import { type Jobs, open, ours, shortLease, sleep } from "./stores.ts"

const hour = 3600
const found = findFaketime()
const missing = "missing" in found ? found.missing : undefined

const clocks: Array<WallClock> = []
const children: Array<ChildProcess> = []
const clockOf = (): WallClock => {
  const clock = makeClock()
  clocks.push(clock)
  return clock
}
const kinds = servers()
afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  for (const clock of clocks) clock.dispose()
})

/** Until it happens, or has not for so long that it will not. */
const until = async (condition: () => boolean, millis = 10_000): Promise<boolean> => {
  for (const start = performance.now(); !condition() && performance.now() - start < millis;) await sleep(20)
  return condition()
}

const retakenWithin = shortLease.lockExpiration + shortLease.lockRefreshInterval + shortLease.pollInterval + 2000

/** Takes whatever comes, and works on it for a moment. */
const collecting = (queue: Jobs, millis = 0) => {
  const taken: Array<string> = []
  const ended: Array<string> = []
  const take = queue.take((value) =>
    Effect.sync(() => void taken.push(value)).pipe(
      Effect.andThen(Effect.sleep(millis)),
      Effect.andThen(Effect.sync(() => void ended.push(value)))
    )
  )
  return { taken, ended, takes: Effect.forever(take) }
}

/** Another process that holds an item until it is killed. */
const startHolder = async (url: string): Promise<ChildProcess> => {
  const holder = spawn(process.execPath, [path.join(import.meta.dirname, "programs/holder.ts"), url, "jobs"], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  children.push(holder)
  await new Promise((resolve) => holder.stdout.once("data", resolve))
  return holder
}

/**
 * A server and its clock. Redis cannot be started with a clock of its own, as its allocator asks for the time before it is
 * there. All that it has of a lease is a key that expires: where the clock is set forward they have all expired, and where
 * it is set back they last longer by that.
 */
const startClocked = async (
  kind: Kind
): Promise<{ readonly url: string; readonly set: (seconds: number) => unknown }> => {
  if (kind.name === "Postgres") {
    const clock = clockOf()
    return { url: (await kind.start([], clock.env)).url, set: clock.set }
  }
  const { url } = await kind.start()
  const set = async (seconds: number): Promise<void> => {
    const client = await createClient({ url }).connect()
    for (const key of await client.keys("effectq:lock:*")) {
      await client.pExpire(key, Math.max(0, await client.pTTL(key) - seconds * 1000))
    }
    client.destroy()
  }
  return { url, set }
}

for (const kind of kinds) {
  const reason = kind.missing ?? missing
  describe.skipIf(reason !== undefined)(reason === undefined ? kind.name : `${kind.name} (skipped: ${reason})`, () => {
    it("a server whose clock is set forward: leases lapse, nothing is lost, and work goes on", async () => {
      const server = await startClocked(kind)
      const [slow, other] = await Promise.all([1, 2].map(() => open(ours(server.url))))
      await slow.run(slow.queue.offer("x"))
      const first = collecting(slow.queue, 2500)
      slow.fork(first.takes)
      assert.isTrue(await until(() => first.taken.length === 1))
      const second = collecting(other.queue)
      other.fork(second.takes)
      await server.set(hour)
      await sleep(500)
      await slow.run(slow.queue.offer("y", { id: "y" }))
      assert.isTrue(await until(() => [...first.ended, ...second.ended].includes("y")))
      assert.isTrue(await until(() => first.ended.includes("x")))
      await sleep(retakenWithin)
      assert.isAtMost([...first.taken, ...second.taken].length, 3) // x twice at most: in hand when the clock was set
      assert.deepStrictEqual([slow.warnings, other.warnings], [[], []])
      await Promise.all([slow.close(), other.close()])
    })

    it("a server whose clock is set back: what is in hand stays there, and work goes on", async () => {
      const server = await startClocked(kind)
      const [slow, other] = await Promise.all([1, 2].map(() => open(ours(server.url))))
      await slow.run(slow.queue.offer("x"))
      const first = collecting(slow.queue, 4000)
      const taking = slow.fork(first.takes)
      assert.isTrue(await until(() => first.taken.length === 1))
      const second = collecting(other.queue)
      other.fork(second.takes)
      await server.set(-hour)
      await sleep(3 * shortLease.lockRefreshInterval)
      assert.deepStrictEqual(second.taken, [])
      await other.run(other.queue.offer("y", { id: "y" }))
      assert.isTrue(await until(() => second.taken.includes("y")))
      assert.isTrue(await until(() => first.ended.includes("x")))
      assert.deepStrictEqual([first.taken, second.taken], [["x"], ["y"]])
      await Effect.runPromise(Fiber.interrupt(taking))
      await Promise.all([slow.close(), other.close()])
    })

    // In Postgres what was offered before the clock was set back waits: see below.
    it.skipIf(kind.name === "Postgres")(
      "a worker that is killed after its server's clock was set back loses its leases in time",
      async () => {
        const server = await startClocked(kind)
        const worker = await open(ours(server.url))
        await worker.run(worker.queue.offer("orphan"))
        const holder = await startHolder(server.url)
        await server.set(-hour)
        await sleep(3 * shortLease.lockRefreshInterval)
        const { taken, takes } = collecting(worker.queue)
        worker.fork(takes)
        holder.kill("SIGKILL")
        assert.isTrue(await until(() => taken.includes("orphan"), retakenWithin))
        await worker.close()
      }
    )

    it("a worker whose clock is set forward and back does its part, and nobody does anything twice", async () => {
      const clock = clockOf()
      const server = await kind.start()
      const verdict = await demo(server.url, [clock, undefined], clock, [hour, -hour, 0])
      assert.deepStrictEqual([verdict.missing, verdict.doubled], [[], []])
      assert.isAbove(verdict.doneBy.get("w0") ?? 0, 50)
    })
  })
}

describe.skipIf(missing !== undefined)(missing === undefined ? "a clock" : `a clock (skipped: ${missing})`, () => {
  it("of a machine that is set forward and back again: a queue in a file loses nothing", async () => {
    const clock = clockOf()
    const verdict = await demo(undefined, [clock, clock], clock, [hour, 0])
    assert.deepStrictEqual(verdict.missing, [])
    assert.isAtMost(verdict.doubled.length, 8) // what was in hand when the clock was set forward, and leases lapsed
  })
})

const postgres = kinds.find(({ name }) => name === "Postgres")
describe.skipIf(missing !== undefined || postgres?.missing !== undefined)("Postgres, whose clock is set back", () => {
  it("keeps what was offered before until it is as late again", async () => {
    const clock = clockOf()
    const server = await postgres?.start([], clock.env)
    assert.isDefined(server)
    const worker = await open(ours(server.url))
    await worker.run(worker.queue.offer("before"))
    clock.set(-hour)
    await worker.run(worker.queue.offer("afterwards"))
    const { taken, takes } = collecting(worker.queue)
    worker.fork(takes)
    assert.isTrue(await until(() => taken.length === 1))
    await sleep(500)
    assert.deepStrictEqual(taken, ["afterwards"])
    clock.set(1)
    assert.isTrue(await until(() => taken.length === 2))
    await worker.close()
  })
})

/** Two workers of the demo and 400 jobs, while a clock is set to one time after the other. */
const demo = async (
  url: string | undefined,
  workers: ReadonlyArray<WallClock | undefined>,
  clock: WallClock,
  times: ReadonlyArray<number>
) => {
  const jobs = 400
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-clocks-"))
  const store = url ?? path.join(folder, "queue.db")
  const start = (program: string, args: ReadonlyArray<string>, own: WallClock | undefined) => {
    const file = path.join(import.meta.dirname, "../../examples/distributed", program)
    const child = spawn(process.execPath, [file, store, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, ...own?.env }
    })
    children.push(child)
    return { child, ended: new Promise<number | null>((resolve) => child.once("exit", resolve)) }
  }
  const entries = () => ledger.read(folder)
  const done = () => new Set(entries().filter(({ event }) => event === "done").map(({ job }) => job)).size
  await start("producer.ts", [`${jobs}`, "60"], workers.at(-1)).ended
  const running = workers.map((own, index) => start("worker.ts", [folder, `w${index}`, "4", "4"], own))
  for (const [index, time] of times.entries()) {
    await until(() => done() > jobs * (index + 1) / (times.length + 2), 60_000)
    clock.set(time)
  }
  await until(() => done() === jobs, 60_000)
  for (const { child } of running) child.kill("SIGTERM")
  await Promise.all(running.map(({ ended }) => ended))
  // The times of the entries are those of clocks that disagree: what counts is which jobs were done, and by whom.
  const verdict = verdictOf(entries(), jobs, [])
  fs.rmSync(folder, { recursive: true, force: true })
  return verdict
}
