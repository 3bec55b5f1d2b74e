/**
 * Two hosts, one of which is cut off from the store: network namespaces joined by a pair of virtual interfaces.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { produce, startWorker } from "../../examples/distributed/fleet.ts"
import * as ledger from "../../examples/distributed/ledger.ts"
import { verdictOf } from "../../examples/distributed/verdict.ts"
import { findIp } from "../../scripts/stores/install.ts"
import { startRedis } from "../../scripts/stores/servers.ts"
import { redis } from "./servers.ts"
import { sleep } from "./stores.ts"

const namespace = `pool${process.pid}`
const [here, there] = ["10.213.7.1", "10.213.7.2"]

const ip = (...args: ReadonlyArray<string>): boolean => spawnSync("ip", args).status === 0

/** Joins this host and another one, or says why it cannot. */
const join = (): string | undefined => {
  const found = findIp()
  if ("missing" in found) return found.missing
  const isJoined = ip("netns", "add", namespace) &&
    ip("link", "add", "pool-here", "type", "veth", "peer", "name", "pool-there", "netns", namespace) &&
    ip("addr", "add", `${here}/24`, "dev", "pool-here") && ip("link", "set", "pool-here", "up") &&
    ip("netns", "exec", namespace, "ip", "addr", "add", `${there}/24`, "dev", "pool-there") &&
    ip("netns", "exec", namespace, "ip", "link", "set", "pool-there", "up")
  return isJoined ? undefined : "this machine does not let its user make network namespaces"
}

const missing = redis.missing ?? join()
afterAll(() => {
  ip("link", "del", "pool-here")
  ip("netns", "del", namespace)
})

describe.skipIf(missing !== undefined)(missing === undefined ? "two hosts" : `two hosts (skipped: ${missing})`, () => {
  it("the one that is cut off loses its leases to the other, and works on when it is joined again", async () => {
    const server = await startRedis({ host: here })
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-partition-"))
    await produce(server.url, 600, 60)
    const near = startWorker(server.url, folder, "near", 4)
    const program = path.join(import.meta.dirname, "../../examples/distributed/worker.ts")
    const far = spawn("ip", ["netns", "exec", namespace, process.execPath, program, server.url, folder, "far", "4"], {
      stdio: ["ignore", "ignore", "inherit"]
    })
    const doneBy = (worker: string) => verdictOf(ledger.read(folder), 600, []).doneBy.get(worker) ?? 0
    const until = async (condition: () => boolean, millis: number) => {
      for (const start = Date.now(); !condition() && Date.now() - start < millis;) await sleep(50)
    }
    await until(() => doneBy("far") > 20 && doneBy("near") > 20, 20_000)
    const cutAt = Date.now()
    ip("link", "set", "pool-here", "down")
    // Longer than a lease. The host that has the store is not cut off from its own address.
    await sleep(4500)
    const atCut = doneBy("far")
    ip("link", "set", "pool-here", "up")
    const joinedAt = Date.now()
    await until(
      () => new Set(ledger.read(folder).filter(({ event }) => event === "done").map(({ job }) => job)).size === 600,
      40_000
    )
    const verdict = verdictOf(ledger.read(folder), 600, [
      { worker: "far", signal: "outage", at: cutAt, until: joinedAt }
    ])
    near.child.kill("SIGTERM")
    far.kill("SIGTERM")
    await near.ended
    const afterwards = doneBy("far")
    await server.dispose()
    fs.rmSync(folder, { recursive: true })
    assert.deepStrictEqual(verdict.missing, [])
    assert.deepStrictEqual(verdict.unexplained, [])
    assert.isAtMost(verdict.doubled.length, 8) // what was in hand of the one that was cut off, and claimed for it
    assert.isAbove(afterwards, atCut)
  })
})
