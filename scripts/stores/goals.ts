/**
 * What the stores do, measured: `node scripts/stores/goals.ts [--rates] [STORE...]` prints a table. It takes some minutes and wants a
 * machine that is idle otherwise.
 */
import { QueueStore } from "@autoscaled-pool/platform-node"
import { Effect, Layer, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { createClient } from "redis"
import { quantile } from "../../benchmarks/statistics.ts"
import { end, produce, startWorker } from "../../examples/distributed/fleet.ts"
import * as ledger from "../../examples/distributed/ledger.ts"
import { startProxy } from "./proxy.ts"
import * as rates from "./rates.ts"
import { type Server, startPostgres, startRedis } from "./servers.ts"

type StoreName = "SQLite" | "Redis" | "Postgres"

interface Row {
  readonly what: string
  readonly goal: string
  readonly measured: string
}

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const layerOf = (url: string, lease: QueueStore.LeaseOptions = {}) => {
  if (url.startsWith("redis:")) return QueueStore.layerRedis({ url, ...lease })
  if (url.startsWith("postgres:")) return QueueStore.layerPostgres({ url, ...lease })
  return QueueStore.layerSqlite({ filename: url, ...lease })
}

/** How long the jobs of a worker wait that gets a signal, until another one has started the last of them. */
const handover = async (store: string, name: string, signal: "SIGKILL" | "SIGTERM", before: () => Promise<void>) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-goals-"))
  await produce(store, 4, 120_000)
  const first = startWorker(store, folder, `${name}1`, 4, 4)
  await until(() => ledger.read(folder).length === 4)
  const second = startWorker(store, folder, `${name}2`, 4, 4)
  await until(() => second.snapshot !== undefined)
  await before()
  end(first, signal)
  const at = first.ending?.at ?? 0
  const taken = () => ledger.read(folder).filter(({ event, worker }) => event === "started" && worker === second.name)
  await until(() => taken().length === 4)
  const starts = taken()
  second.child.kill("SIGKILL")
  await Promise.all([first.ended, second.ended])
  fs.rmSync(folder, { recursive: true })
  return {
    waited: Math.max(...starts.map((entry) => entry.at)) - at,
    attempts: Math.max(...starts.map(({ attempt }) => attempt))
  }
}

const until = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1500) throw new Error("nothing happens any more")
    await sleep(20)
  }
}

/** Statements a second of a worker whose 50 slots wait, under the leases that are the default. */
const idleStatements = async (store: StoreName, url: string, server: Server | undefined): Promise<number> => {
  const count = await counterOf(store, server)
  const seconds = 30
  const program = Effect.gen(function*() {
    const queue = yield* PersistedQueue.make({ name: "idle", schema: Schema.Number })
    const waiting = Array.from({ length: 50 }, () => queue.take(() => Effect.void))
    yield* Effect.forkChild(Effect.all(waiting, { concurrency: 50 }))
    yield* Effect.sleep("2 seconds")
    const before = yield* Effect.promise(count)
    yield* Effect.sleep(`${seconds} seconds`)
    return (yield* Effect.promise(count)) - before
  })
  const layer = Layer.provide(PersistedQueue.layer, layerOf(url))
  return await Effect.runPromise(Effect.provide(program, layer)) / seconds
}

/** How many statements a store has been sent. */
const counterOf = async (store: StoreName, server: Server | undefined): Promise<() => Promise<number>> => {
  if (server === undefined) {
    let prepared = 0
    const { prepare } = DatabaseSync.prototype
    DatabaseSync.prototype.prepare = function(...args) {
      prepared++
      return prepare.apply(this, args)
    }
    return async () => prepared
  }
  if (store === "Redis") {
    const client = await createClient({ url: server.url }).on("error", () => {}).connect()
    return async () => {
      const stats = await client.info("commandstats")
      return [...stats.matchAll(/^cmdstat_(?:evalsha|eval|lpush|rpush|zadd|ping):calls=(\d+)/gm)]
        .reduce((sum, [, calls]) => sum + Number(calls), 0)
    }
  }
  return async () => server.output().match(/LOG: {2}(?:execute|statement)/g)?.length ?? 0
}

const rateRows = async (url: string, workload: rates.Workload): Promise<ReadonlyArray<Row>> => {
  const { bare, bareCpu, offers, pooled, pooledCpu, ratios } = await rates.measure(layerOf(url), workload)
  const [lower, middle, upper] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share).toFixed(2))
  const jobs = `jobs of ${workload.millis} ms`
  return [
    { what: "offers a second", goal: "", measured: `${Math.round(offers)}` },
    {
      what: `${jobs} a second, bare and through the pool`,
      goal: "",
      measured: [bare, pooled].map(Math.round).join(", ")
    },
    {
      what: `${jobs}, CPU time of each in microseconds`,
      goal: "",
      measured: [bareCpu, pooledCpu].map(Math.round).join(", ")
    },
    {
      what: `${jobs}, through the pool against the bare queue: median (quartiles)`,
      goal: "≥ 0.95",
      measured: `${middle} (${lower} to ${upper})`
    }
  ]
}

const onlyRates = process.argv.includes("--rates")

const goals = async (store: StoreName): Promise<ReadonlyArray<Row>> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-goals-"))
  const start = async (args: ReadonlyArray<string> = []): Promise<Server | undefined> =>
    store === "Redis" ? startRedis({ args }) : store === "Postgres" ? startPostgres({ args }) : undefined
  const rows: Array<Row> = []
  const server = await start()
  const url = server?.url ?? path.join(folder, "rates.db")
  for (const millis of [0, 10]) rows.push(...await rateRows(url, { jobs: 2000, millis, rounds: 11 }))
  await server?.dispose()
  if (onlyRates) return rows

  const handovers = async (signal: "SIGKILL" | "SIGTERM", isOutage: boolean) => {
    const found: Array<Awaited<ReturnType<typeof handover>>> = []
    for (let round = 0; round < 3; round++) {
      const server = await start()
      const proxy = server && await startProxy(server.port)
      const store = server && proxy
        ? server.url.replace(`:${server.port}`, `:${proxy.port}`)
        : path.join(folder, `${signal}${round}.db`)
      const outage = async () => {
        await proxy?.refuse()
        await sleep(1500)
        await proxy?.restore()
        await sleep(3000)
      }
      found.push(await handover(store, "w", signal, isOutage ? outage : async () => {}))
      await proxy?.close()
      await server?.dispose()
    }
    const longest = (Math.max(...found.map(({ waited }) => waited)) / 1000).toFixed(2)
    return `${longest} s, attempt ${Math.max(...found.map(({ attempts }) => attempts))}`
  }
  rows.push({
    what: "retaken after SIGKILL (expiration 3 s, poll 0.2 s)",
    goal: "≤ 4.2 s",
    measured: await handovers("SIGKILL", false)
  })
  if (store !== "SQLite") {
    rows.push({ what: "the same after an outage", goal: "≤ 4.2 s", measured: await handovers("SIGKILL", true) })
  }
  rows.push({ what: "retaken after SIGTERM", goal: "≤ 0.5 s, attempt 1", measured: await handovers("SIGTERM", false) })

  const counted = await start(store === "Postgres" ? ["-c", "log_statement=all"] : [])
  const idle = await idleStatements(store, counted?.url ?? path.join(folder, "idle.db"), counted)
  rows.push({ what: "statements of an idle worker of 50 slots, a second", goal: "≤ 1", measured: idle.toFixed(2) })
  await counted?.dispose()
  fs.rmSync(folder, { recursive: true, force: true })
  return rows
}

const wanted = process.argv.slice(2).filter((argument) => argument !== "--rates")
console.log("| store | what | goal | measured |\n| --- | --- | --- | --- |")
for (const store of ["SQLite", "Redis", "Postgres"] as const) {
  if (wanted.length > 0 && !wanted.includes(store)) continue
  for (const { goal, measured, what } of await goals(store)) {
    console.log(`| ${store} | ${what} | ${goal} | ${measured} |`)
  }
}
process.exit()
