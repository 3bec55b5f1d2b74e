/**
 * Workers that are told to end (SIGTERM), as Kubernetes does 30 seconds before it kills: with the store there, away and
 * hung. The worker is that of the demo.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { end, produce, startWorker, type Worker } from "../../examples/distributed/fleet.ts"
import * as ledger from "../../examples/distributed/ledger.ts"
import { startProxy } from "../../scripts/stores/proxy.ts"
import { type Kind, servers, titleOf } from "./servers.ts"
import { sleep } from "./stores.ts"

/** The lease of the demo: expiration, upkeep, poll, and the second that a busy machine may take. */
const retakenWithin = 3000 + 1000 + 200 + 1000

/** `settleTimeout` of the demo for what it holds, and for the store to close. */
const endedWithin = 2 * 3000 + 1500

const workers: Array<Worker> = []
afterAll(() => workers.forEach(({ child }) => child.kill("SIGKILL")))

const folder = (): string => fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-drain-"))

const worker = (...args: Parameters<typeof startWorker>): Worker => {
  const started = startWorker(...args)
  workers.push(started)
  return started
}

const until = async (condition: () => boolean, millis = 50_000): Promise<void> => {
  for (const start = Date.now(); !condition() && Date.now() - start < millis;) await sleep(50)
  assert.isTrue(condition())
}

/** Six long jobs, all in hand of a worker that is told to end; then another worker takes them. */
const drained = async (kind: Kind, fault: "there" | "away" | "hung") => {
  const server = await kind.start()
  const proxy = await startProxy(server.port)
  const records = folder()
  await produce(server.url, 6, 60_000)
  const first = worker(server.url.replace(`:${server.port}`, `:${proxy.port}`), records, "first", 6, 6)
  await until(() => ledger.read(records).length === 6)
  const second = worker(server.url, records, "second", 6, 6)
  await until(() => second.snapshot !== undefined)
  if (fault === "away") await proxy.refuse()
  if (fault === "hung") proxy.hang()
  end(first, "SIGTERM")
  const endedAt = first.ending?.at ?? 0
  const took = await first.ended - endedAt
  const started = () => ledger.read(records).filter(({ event, worker }) => event === "started" && worker === "second")
  await until(() => started().length === 6)
  second.child.kill("SIGTERM")
  await second.ended
  await proxy.close()
  const taken = started()
  fs.rmSync(records, { recursive: true })
  return { took, waited: (taken.at(-1)?.at ?? Infinity) - endedAt, attempts: taken.map(({ attempt }) => attempt) }
}

for (const kind of servers()) {
  describe.skipIf(kind.missing !== undefined)(titleOf(kind), () => {
    it("with the store there it ends at once, and gives back what it has in hand: no attempt is counted", async () => {
      const { attempts, took, waited } = await drained(kind, "there")
      assert.isAtMost(took, 3000)
      assert.isAtMost(waited, 1500)
      assert.deepStrictEqual(attempts, [1, 1, 1, 1, 1, 1])
    })

    for (const fault of ["away", "hung"] as const) {
      it(`with the store ${fault} it ends in time, and its leases lapse`, async () => {
        const { attempts, took, waited } = await drained(kind, fault)
        assert.isAtMost(took, endedWithin)
        assert.isAtMost(waited, retakenWithin)
        assert.deepStrictEqual(attempts, [2, 2, 2, 2, 2, 2])
      })
    }
  })
}
