/**
 * A crawler: it follows links over three sites, fetching in one pool and parsing in another, both under one budget, and is
 * as fast with each site as that site bears. The sites are served by this program. Ctrl-C lets what is in flight end.
 *
 * `--pages 500` pages of the slower sites, `--browser` opens them in Chromium, `--fixed` sets the limits by hand.
 */
import { AutoscaledPool, ConcurrencyGovernor, KeyedLimits, ScalingPolicy, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus, PoolSignals } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { type Cause, Console, Effect, Queue } from "effect"
import { parseArgs } from "node:util"
import { byBrowser, byHttp } from "./crawl/fetchers.ts"
import { makeFrontier } from "./crawl/frontier.ts"
import { startSites } from "./crawl/sites.ts"
import { tableOf, tally } from "./crawl/table.ts"

const { values: flags } = parseArgs({
  options: {
    pages: { type: "string", default: "1000" },
    browser: { type: "boolean", default: false },
    fixed: { type: "boolean", default: false }
  }
})

const linksOf = (html: string, base: URL): ReadonlyArray<URL> =>
  Array.from(html.matchAll(/href="([^"]+)"/g), ([, href]) => new URL(href, base))

const crawl = Effect.gen(function*() {
  const sites = yield* startSites(Number(flags.pages))
  const fetch = yield* (flags.browser ? byBrowser : byHttp)
  const frontier = yield* makeFrontier
  const fetched = yield* Queue.unbounded<{ readonly url: URL; readonly html: string }, Cause.Done>()
  const figures = tally(sites)

  // One budget for both pools; the policy finds how much the machine bears.
  const governor = yield* ConcurrencyGovernor.make({ maxConcurrency: 64 }, { policy: ScalingPolicy.adaptive() })
  // Each host finds its own limit by what it answers, or has the one that was set by hand.
  const hosts = yield* KeyedLimits.make({
    key: (url: URL) => url.host,
    lookAhead: 100_000, // all that is to be fetched is in memory anyway
    ...(flags.fixed ? { concurrency: figures.bestOf } : { adapt: { max: 32 } })
  })

  const fetching = yield* AutoscaledPool.fromSource(
    TaskSource.fromQueue(frontier.queue),
    (url) => figures.count(url, Effect.flatMap(fetch(url), (html) => Queue.offer(fetched, { url, html }))),
    // A page that was refused waits for its site without a slot, and is tried again.
    { name: "fetching", governor, share: 3, keys: hosts, retry: { times: 20 }, loggingInterval: null }
  )
  const parsing = yield* AutoscaledPool.fromSource(
    TaskSource.fromQueue(fetched),
    ({ html, url }) =>
      Effect.gen(function*() {
        yield* frontier.add(linksOf(html, url))
        if (yield* frontier.done) yield* Effect.all([Queue.end(frontier.queue), Queue.end(fetched)])
      }),
    { name: "parsing", governor, loggingInterval: null }
  )

  yield* Console.log(`Crawling ${sites.length} sites`)
  yield* frontier.add(sites.map(({ start }) => start))
  yield* Effect.all([PoolSignals.drainOnSignal(fetching), PoolSignals.drainOnSignal(parsing)], { concurrency: 2 }).pipe(
    Effect.tap(([{ outcome }]) => Console.log(`${outcome}\n${tableOf(figures)}`)),
    Effect.uninterruptible
  )
}).pipe(Effect.scoped)

crawl.pipe(
  Effect.catchIf((error) => typeof error === "string", (why) => Console.error(why)),
  // What one host refuses says nothing of the machine: its own limit answers it.
  Effect.provide(NodeSystemStatus.layer({ client: false })),
  NodeRuntime.runMain
)
