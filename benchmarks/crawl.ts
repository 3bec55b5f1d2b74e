/**
 * Whether the crawler of the examples, whose hosts find their limits by themselves, is as fast with each of its sites as
 * the same crawler with the limits that someone who knows the sites would set.
 */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Question } from "./question.ts"
import type { Goal } from "./report.ts"
import { median } from "./statistics.ts"

const execute = promisify(execFile)

interface Crawled {
  readonly site: string
  readonly pages: number
  readonly perSecond: number
  readonly refusals: number
}

/** The rows of the table with which the example ends. */
const crawl = async (pages: number, flags: ReadonlyArray<string>): Promise<ReadonlyArray<Crawled>> => {
  const example = fileURLToPath(new URL("../examples/crawl.ts", import.meta.url))
  const { stdout } = await execute(process.execPath, [example, "--pages", String(pages), ...flags])
  const rows = [...stdout.matchAll(/^(\S.*?) {2,}(\d+) +(\d+) +(\d+) +\d+$/gm)]
  if (rows.length === 0) throw new Error(`the crawler has no table: ${stdout}`)
  return rows.map(([, site, pages, perSecond, refusals]) => ({
    site,
    pages: Number(pages),
    perSecond: Number(perSecond),
    refusals: Number(refusals)
  }))
}

const efforts = {
  Quick: { pages: 60, passes: 1 },
  Full: { pages: Number(process.env["CRAWL_PAGES"] ?? 4_000), passes: 5 }
}

export const crawling: Question = {
  key: "crawl",
  title: "Do hosts find limits as good as those set by hand?",
  ask: async (effort) => {
    const { pages, passes } = efforts[effort]
    const adaptive: Array<Crawled> = []
    const fixed: Array<Crawled> = []
    for (let pass = 0; pass < passes; pass++) {
      adaptive.push(...await crawl(pages, []))
      fixed.push(...await crawl(pages, ["--fixed"]))
    }
    const sites = [...new Set(fixed.map(({ site }) => site))]
    const rateOf = (crawled: ReadonlyArray<Crawled>, of: string) =>
      median(crawled.filter(({ site }) => site === of).map(({ perSecond }) => perSecond))
    const sumOf = (of: string, figure: "pages" | "refusals") =>
      adaptive.filter(({ site }) => site === of).reduce((sum, crawled) => sum + crawled[figure], 0)
    const refused = (of: string) => sumOf(of, "refusals") / (sumOf(of, "pages") + sumOf(of, "refusals"))
    const share = (of: string) => rateOf(adaptive, of) / rateOf(fixed, of)
    return {
      notes: [
        `${pages} pages of the slower sites, thrice as many of the fast one; medians of ${passes} passes in turn. In both ` +
        "the budget of the pools finds itself, which takes some seconds that count."
      ],
      tables: [{
        title: "Pages a second",
        columns: ["site", "own limits", "set by hand", "ratio", "refused"],
        rows: sites.map((site) => [
          site,
          rateOf(adaptive, site).toFixed(0),
          rateOf(fixed, site).toFixed(0),
          share(site).toFixed(2),
          `${(100 * refused(site)).toFixed(2)} %`
        ])
      }],
      goals: [
        ...sites.map((site): Goal => ({
          what: `own limits over those set by hand, ${site}`,
          bound: ">=",
          limit: 0.9,
          value: share(site)
        })),
        {
          what: "refused, of the site that refuses most",
          bound: "<=",
          limit: 0.03,
          value: Math.max(...sites.map(refused))
        }
      ]
    }
  }
}
