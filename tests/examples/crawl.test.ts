/**
 * The crawler as a process of its own: every page once, few refusals, and an end that lets what is in flight end.
 */
import { assert, describe, it } from "@effect/vitest"
import { runExample } from "./process.ts"

interface Row {
  readonly pages: number
  readonly refusals: number
  readonly peak: number
}

/** The table, by site. */
const rowsOf = (output: string): Readonly<Record<string, Row>> =>
  Object.fromEntries(
    output.split("\n").flatMap((line) => {
      const match = /^(\S.*?)\s{2,}(\d+)\s+\d+\s+(\d+)\s+(\d+)$/.exec(line)
      if (match === null) return []
      const [, name, pages, refusals, peak] = match
      return [[name, { pages: Number(pages), refusals: Number(refusals), peak: Number(peak) }]]
    })
  )

describe.concurrent("real process: the crawler", () => {
  it("fetches every page of every site once, and keeps to what each bears", async () => {
    const { code, stderr, stdout } = await runExample("crawl.ts", ["--pages", "150"])
    assert.strictEqual(code, 0, stderr)
    assert.include(stdout, "Finished")
    const rows = rowsOf(stdout)
    assert.sameMembers(Object.keys(rows), ["fast", "with a knee", "refusing"])
    const pages = Object.entries(rows).map(([site, { pages }]) => [site, pages])
    assert.deepStrictEqual(Object.fromEntries(pages), { fast: 450, "with a knee": 150, refusing: 150 })
    assert.isAtMost(rows["refusing"].peak, 6)
    // At 3 % of 150 pages a start that is refused once or twice is within what is allowed.
    assert.isAtMost(rows["refusing"].refusals, 14)
  }, 60_000)

  it("drains at Ctrl-C, and shows what it has", async () => {
    let hasBeenTold = false
    const { code, stdout } = await runExample("crawl.ts", ["--pages", "20000"], (_, child) => {
      if (hasBeenTold) return
      hasBeenTold = true
      setTimeout(() => child.kill("SIGINT"), 1_500)
    })
    assert.strictEqual(code, 130)
    assert.include(stdout, "Drained")
    assert.isAbove(rowsOf(stdout)["fast"].pages, 0)
  }, 60_000)
})
