/**
 * Workers that are killed, told to end and stopped at random: none of their jobs is lost, and what is done twice are jobs
 * whose leases lapsed. `node scripts/stores/chaos.ts` is the same with ten thousand.
 */
import { assert, describe, it } from "@effect/vitest"
import { chaos, seeded, type StoreName } from "../../scripts/stores/chaos.ts"
import { servers } from "./servers.ts"

const missing = new Map<StoreName, string | undefined>(servers().map(({ missing, name }) => [name, missing]))

describe("four workers, one of which is hit each second", () => {
  for (const store of ["SQLite", "Redis", "Postgres"] as const) {
    const reason = missing.get(store)
    it.skipIf(reason !== undefined)(reason === undefined ? store : `${store} (skipped: ${reason})`, async () => {
      const { hits, riddles, verdict } = await chaos({
        store,
        jobs: 1200,
        millis: 200,
        workers: 4,
        maximum: 10,
        random: seeded(7),
        outages: store === "SQLite" ? 0 : 1,
        patience: 100_000
      })
      assert.deepStrictEqual(verdict.missing, [])
      assert.deepStrictEqual(riddles, [])
      assert.isAtMost(Math.max(...verdict.peaks.values()), 10)
      assert.isAbove(hits.SIGKILL + hits.SIGSTOP + hits.SIGTERM, 0)
    }, 120_000)
  }
})
