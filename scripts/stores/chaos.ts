/**
 * Workers that are killed, told to end and stopped for longer than a lease, one a second at random, while the server goes
 * away now and then; and what became of their jobs: `node scripts/stores/chaos.ts [JOBS [STORE...]]`.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { end, produce, startWorker, type Worker } from "../../examples/distributed/fleet.ts"
import * as ledger from "../../examples/distributed/ledger.ts"
import { type Ending, type Verdict, verdictOf } from "../../examples/distributed/verdict.ts"
import { type Proxy, startProxy } from "./proxy.ts"
import { type Server, startPostgres, startRedis } from "./servers.ts"

export type StoreName = "SQLite" | "Redis" | "Postgres"

export interface ChaosOptions {
  readonly store: StoreName
  readonly jobs: number
  /** Mean time of a job, in milliseconds. */
  readonly millis: number
  readonly workers: number
  /** The most that a worker may do at once. */
  readonly maximum: number
  /** What decides who is hit by what. */
  readonly random: () => number
  /** How many times the server is away for two seconds. */
  readonly outages: number
  /** When to give up, in milliseconds. */
  readonly patience: number
}

export interface Outcome {
  readonly verdict: Verdict
  /** What happened to each job that was done twice for no reason that the ledger tells, an event a line. */
  readonly riddles: ReadonlyArray<string>
  readonly seconds: number
  readonly hits: Readonly<Record<Signal, number>>
  readonly outages: number
}

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** Longer than the lease of the demo. */
const stopMillis = 4500

const outageMillis = 2000

type Signal = Exclude<Ending["signal"], "outage">

const signals: ReadonlyArray<Signal> = ["SIGKILL", "SIGTERM", "SIGSTOP"]

export const chaos = async (options: ChaosOptions): Promise<Outcome> => {
  const { jobs, maximum, millis, patience, random } = options
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-chaos-"))
  const server = await serverOf(options.store)
  const proxy = server && await startProxy(server.port)
  const store = server && proxy
    ? server.url.replace(`:${server.port}`, `:${proxy.port}`)
    : path.join(folder, "queue.db")
  const endings: Array<Ending> = []
  const fleet: Array<Worker> = []
  let generation = 0
  const employ = (): Worker => startWorker(store, folder, `w${++generation}`, maximum, maximum)
  const doneSoFar = () =>
    new Set(ledger.read(folder).filter(({ event }) => event === "done").map(({ job }) => job)).size

  try {
    await produce(store, jobs, millis)
    fleet.push(...Array.from({ length: options.workers }, employ))
    const start = Date.now()
    let outages = 0
    for (let done = 0; done < jobs && Date.now() - start < patience; done = doneSoFar()) {
      await sleep(1000)
      if (proxy && outages < options.outages && done > jobs * (outages + 1) / (options.outages + 2)) {
        outages++
        const at = Date.now()
        for (const { name } of fleet) endings.push({ worker: name, signal: "outage", at, until: at + outageMillis })
        void outage(proxy)
      }
      if (done < jobs * 0.9) {
        hit(fleet, Math.floor(random() * fleet.length), signals[Math.floor(random() * 3)], endings, employ)
      }
    }
    const seconds = (Date.now() - start) / 1000
    await Promise.all(fleet.map((worker) => {
      worker.child.kill("SIGCONT")
      worker.child.kill("SIGTERM")
      return worker.ended
    }))
    const entries = ledger.read(folder)
    const verdict = verdictOf(entries, jobs, endings)
    const count = (signal: Signal) => endings.filter((ending) => ending.signal === signal).length
    return {
      verdict,
      riddles: verdict.unexplained.flatMap((job) => storyOf(job, entries, endings)),
      seconds,
      hits: { SIGKILL: count("SIGKILL"), SIGTERM: count("SIGTERM"), SIGSTOP: count("SIGSTOP") },
      outages
    }
  } finally {
    for (const { child } of fleet) child.kill("SIGKILL")
    await proxy?.close()
    await server?.dispose()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const storyOf = (
  job: number,
  entries: ReadonlyArray<ledger.Entry>,
  endings: ReadonlyArray<Ending>
): ReadonlyArray<string> => {
  const history = entries.filter((entry) => entry.job === job)
  const workers = new Set(history.map(({ worker }) => worker))
  return [
    ...history.map(({ at, attempt, event, worker }) => ({
      at,
      text: `job ${job} ${worker} attempt ${attempt} ${event}`
    })),
    ...endings.filter(({ worker }) => workers.has(worker)).map(({ at, signal, worker }) => ({
      at,
      text: `job ${job} ${worker} ${signal}`
    }))
  ].toSorted((a, b) => a.at - b.at).map(({ at, text }) => `${at} ${text}`)
}

const serverOf = async (store: StoreName): Promise<Server | undefined> => {
  if (store === "Redis") return startRedis()
  return store === "Postgres" ? startPostgres() : undefined
}

const outage = async (proxy: Proxy): Promise<void> => {
  await proxy.refuse()
  await sleep(outageMillis)
  await proxy.restore()
}

const stopped = new Set<Worker>()

const hit = (
  fleet: Array<Worker>,
  index: number,
  signal: Signal,
  endings: Array<Ending>,
  employ: () => Worker
): void => {
  const worker = fleet[index]
  if (worker.snapshot === undefined || stopped.has(worker)) return // it is starting up, or stopped
  end(worker, signal)
  if (worker.ending !== undefined) {
    endings.push(signal === "SIGSTOP" ? { ...worker.ending, until: worker.ending.at + stopMillis } : worker.ending)
  }
  if (signal !== "SIGSTOP") {
    fleet[index] = employ()
    return
  }
  stopped.add(worker)
  setTimeout(() => {
    stopped.delete(worker)
    worker.child.kill("SIGCONT")
  }, stopMillis)
}

/** The same numbers for the same seed (mulberry32). */
export const seeded = (seed: number) => (): number => {
  seed = (seed + 0x6D2B79F5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

if (import.meta.main) {
  const [, , jobs = "10000", ...names] = process.argv
  const stores = (["SQLite", "Redis", "Postgres"] as const).filter((name) => names.length === 0 || names.includes(name))
  console.log(
    "| store | jobs | seconds | SIGKILL, SIGTERM, SIGSTOP | outages | lost | done twice | in hand, claimed, unacknowledged | for no reason | most at once |"
  )
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
  for (const store of stores) {
    const { hits, outages, riddles, seconds, verdict } = await chaos({
      store,
      jobs: Number(jobs),
      millis: 200,
      workers: 4,
      maximum: 20,
      random: seeded(1),
      outages: 3,
      patience: 280_000
    })
    const { causes, doubled, missing, peaks, unexplained } = verdict
    const counts = (["in hand", "claimed", "unacknowledged"] as const).map((cause) => causes.get(cause) ?? 0).join(", ")
    console.log(
      `| ${store} | ${jobs} | ${
        seconds.toFixed(0)
      } | ${hits.SIGKILL}, ${hits.SIGTERM}, ${hits.SIGSTOP} | ${outages} | ` +
        `${missing.length} | ${doubled.length} | ${counts} | ${unexplained.length} | ${
          Math.max(...peaks.values())
        } of 20 |`
    )
    if (riddles.length > 0) console.error(riddles.join("\n"))
    if (missing.length + unexplained.length > 0) process.exitCode = 1
  }
  process.exit()
}
