/**
 * What was crawled: pages by site and second, refusals, and the most that was asked of each at once.
 */
import { Effect } from "effect"
import type { Site } from "./sites.ts"

interface Figures {
  readonly site: Site
  pages: number
  first: number
  last: number
}

export const tally = (sites: ReadonlyArray<Site>) => {
  const byHost = new Map(
    sites.map((site) => [site.start.host, { site, pages: 0, first: Infinity, last: 0 } satisfies Figures])
  )
  const of = (host: string): Figures => {
    const figures = byHost.get(host)
    if (figures === undefined) throw new Error(`no site has the host ${host}`)
    return figures
  }
  return {
    all: [...byHost.values()],
    /** The limit that someone who knows the site would set. */
    bestOf: (host: string): number => of(host).site.best,
    /** Counts a page that is fetched by an effect. */
    count: <A, E, R>(url: URL, fetch: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => {
        const figures = of(url.host)
        figures.first = Math.min(figures.first, performance.now())
        return Effect.tap(fetch, () =>
          Effect.sync(() => {
            figures.pages++
            figures.last = performance.now()
          }))
      })
  }
}

const columns = ["site", "pages", "pages/s", "refusals", "peak"]

export const tableOf = ({ all }: { readonly all: ReadonlyArray<Figures> }): string => {
  const rows = all.map(({ first, last, pages, site }) => [
    site.name,
    String(pages),
    (pages / Math.max(1e-3, (last - first) / 1000)).toFixed(0),
    String(site.refusals()),
    String(site.peak())
  ])
  const widths = columns.map((name, n) => Math.max(name.length, ...rows.map((row) => row[n].length)))
  const line = (cells: ReadonlyArray<string>) =>
    cells.map((cell, n) => n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n])).join("  ")
  return [columns, ...rows].map(line).join("\n")
}
