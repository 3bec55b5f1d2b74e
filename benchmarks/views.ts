/**
 * What it costs to see what a pool does: per task, per look, and to have the packages at all.
 */
import { AutoscaledPool, PoolMetrics, PoolRegistry, TaskSource } from "@autoscaled-pool/core"
import { PoolDashboard } from "@autoscaled-pool/dashboard"
import { NodeSystemStatus, PoolProgress } from "@autoscaled-pool/platform-node"
import { Effect, Layer, Logger, ManagedRuntime, Schedule } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { gzipSync } from "node:zlib"
import { runChild } from "./child.ts"
import { upTo } from "./contenders.ts"
import type { Imported } from "./importProgram.ts"
import { interleave } from "./measure.ts"
import type { Question } from "./question.ts"
import { immediate } from "./tasks.ts"

const concurrency = 100

const scrape = PrometheusMetrics.format({ metricNameMapper: PoolMetrics.prometheusName })

/** A page that is open: reads everything that the dashboard sends. */
const openPage = Effect.flatMap(PoolDashboard.PoolDashboard, ({ url }) => {
  const { hash, origin } = new URL(url)
  const headers = { authorization: `Bearer ${hash.replace("#token=", "")}` }
  const read = async (signal: AbortSignal) => {
    const { body, status } = await fetch(`${origin}/api/events`, { headers, signal })
    if (status !== 200 || body === null) throw new Error(`the dashboard answers ${status}`)
    for await (const _ of body) continue
  }
  return Effect.forkScoped(Effect.ignore(Effect.tryPromise(read)))
})

const scraper = Layer.effectDiscard(Effect.forkScoped(Effect.schedule(scrape, Schedule.spaced("1 second"))))

const silent = Logger.layer([])

const allViews = Layer.mergeAll(
  Layer.provide(Layer.effectDiscard(openPage), PoolDashboard.layer()),
  PoolProgress.layer,
  Layer.provide(scraper, PoolMetrics.layer)
)

const run = (tasks: number, loggingInterval?: null) =>
  Effect.flatMap(
    AutoscaledPool.fromSource(TaskSource.fromIterable(upTo(tasks)), () => immediate.effect, {
      name: "views",
      concurrencySettings: { minConcurrency: concurrency, desiredConcurrency: concurrency },
      ...loggingInterval === null ? { loggingInterval } : {}
    }),
    (pool) => pool.run
  )

const system = NodeSystemStatus.layer()

/** Microseconds of one call, the mean of many. */
const microseconds = (call: () => unknown, times: number): number => {
  for (let n = 0; n < times; n++) call()
  const before = performance.now()
  for (let n = 0; n < times; n++) call()
  return (performance.now() - before) * 1000 / times
}

/** Of one pool that runs, with the signals of Node.js. */
const looks = (times: number) =>
  Effect.gen(function*() {
    const registry = yield* PoolRegistry.PoolRegistry
    const context = yield* Effect.context<never>()
    const pool = yield* AutoscaledPool.make({
      name: "looked at",
      runTask: Effect.never,
      isTaskReady: Effect.succeed(true),
      isFinished: Effect.succeed(false)
    })
    yield* Effect.forkScoped(pool.run)
    yield* Effect.sleep("500 millis")
    const snapshot = () => registry.find("looked at")?.snapshot()
    return {
      snapshot: microseconds(snapshot, times),
      json: microseconds(() => JSON.stringify(snapshot()), times),
      scrape: microseconds(() => Effect.runSyncWith(context)(scrape), times / 10)
    }
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.mergeAll(system, silent, PoolMetrics.layer)),
    Effect.provideService(PoolRegistry.PoolRegistry, PoolRegistry.makeUnsafe())
  )

const imported = [
  "effect/Effect",
  "@autoscaled-pool/core",
  "@autoscaled-pool/platform-node",
  "@autoscaled-pool/dashboard"
]

const page = new URL("../packages/dashboard/page/", import.meta.url)

const sizeOfPage = (): { readonly raw: number; readonly gzipped: number } => {
  const files = readdirSync(page).filter((name) => /\.(?:html|css|js|svg)$/.test(name))
  const contents = files.map((name) => readFileSync(new URL(name, page)))
  const chart = readFileSync(createRequire(page).resolve("uplot/dist/uPlot.iife.min.js"))
  const all = [...contents, chart]
  return {
    raw: all.reduce((sum, { length }) => sum + length, 0) / 1024,
    gzipped: all.reduce((sum, content) => sum + gzipSync(content).length, 0) / 1024
  }
}

export const views: Question = {
  key: "views",
  title: "What does it cost to see what a pool does?",
  ask: async (effort) => {
    const rounds = effort === "Quick" ? { tasks: 2000, rounds: 1 } : { tasks: 300_000, rounds: 9 }
    const bare = ManagedRuntime.make(Layer.merge(system, silent))
    const seen = ManagedRuntime.make(Layer.mergeAll(system, silent, allViews))
    const unseen = PoolRegistry.makeUnsafe()
    const laps = await interleave([
      {
        name: "none",
        run: (tasks) => bare.runPromise(Effect.provideService(run(tasks, null), PoolRegistry.PoolRegistry, unseen))
      },
      { name: "all", run: (tasks) => seen.runPromise(run(tasks)) }
    ], rounds)
    await bare.dispose()
    await seen.dispose()
    const nanos = (name: string, time: "cpu" | "wall") => (laps.get(name)?.[time] ?? NaN) * 1e6 / rounds.tasks
    const { json, scrape, snapshot } = await Effect.runPromise(looks(effort === "Quick" ? 20 : 2000))
    const packages: Array<Imported> = []
    for (const name of imported) packages.push(await runChild("./importProgram.ts", [name], ["--expose-gc"]))
    const { gzipped, raw } = sizeOfPage()
    return {
      notes: [
        `fromSource, setImmediate tasks at ${concurrency}; medians. All views: the log, metrics scraped each second, the ` +
        "dashboard with an open page, and PoolProgress, which writes plain lines here."
      ],
      tables: [
        {
          title: "Nanoseconds per task",
          columns: ["views", "wall", "CPU"],
          rows: ["none", "all"].map((name) => [name, nanos(name, "wall").toFixed(0), nanos(name, "cpu").toFixed(0)])
        },
        {
          title: "Microseconds per look",
          columns: ["", "µs"],
          rows: [["a snapshot", snapshot], ["a snapshot as JSON", json], ["a scrape of its metrics", scrape]].map((
            [what, time]
          ) => [String(what), Number(time).toFixed(1)])
        },
        {
          title: "Import",
          columns: ["", "ms", "heap, MiB"],
          rows: imported.map((name, index) => [
            name,
            packages[index].millis.toFixed(0),
            packages[index].mebibytes.toFixed(1)
          ])
        },
        {
          title: "Size of the page",
          columns: ["", "KiB"],
          rows: [["as it is", raw.toFixed(0)], ["gzipped", gzipped.toFixed(0)]]
        }
      ],
      goals: [
        {
          what: "all views: added per task",
          bound: "<=",
          limit: 50,
          unit: "ns",
          value: nanos("all", "wall") - nanos("none", "wall")
        },
        {
          what: "all views: rate kept",
          bound: ">=",
          limit: 0.95,
          value: nanos("none", "wall") / nanos("all", "wall")
        }
      ]
    }
  }
}
