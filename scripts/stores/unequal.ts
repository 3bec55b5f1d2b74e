/**
 * Three workers on one queue, one of which has a tenth of the CPU of the others: what each does, against what it does
 * alone. `node scripts/stores/unequal.ts [SECONDS [ROUNDS [file]]]`; needs control groups that this user may make.
 *
 * Each stands for a machine of its own on one of two CPUs: it has a quota that nobody else gets anything of, the quotas on a
 * CPU are less than that together, and its signal says how much of its quota it uses. So workers share nothing but the
 * queue, and what else runs here is none of their business. A task uses about four milliseconds of CPU time, whatever the
 * CPU does in that time at the moment, and waits for half a second.
 */
import { AutoscaledPool, LoadSignal, ScalingPolicy, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { QueueStore } from "@autoscaled-pool/platform-node"
import { Effect, Layer, Schedule, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { median } from "../../benchmarks/statistics.ts"
import { type Server, startRedis } from "./servers.ts"

const names = ["whole", "other", "tenth"] as const
type Name = typeof names[number]

/** Cores of each. */
const cores: Readonly<Record<Name, number>> = { whole: 0.8, other: 0.8, tenth: 0.08 }

/** The CPU on which each has them. */
const cpus: Readonly<Record<Name, number>> = { whole: 0, other: 1, tenth: 0 }

/** Short, so that a quota that is used up does not hold up the event loop for long; in microseconds. */
const period = 25_000

/** The quota is set when the worker has started, which would take the smallest one long; the window of the verdict is 30 s. */
const warmUpMillis = 25_000

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const layer = (store: string) =>
  Layer.provide(
    PersistedQueue.layer,
    store.startsWith("redis:") ? QueueStore.layerRedis({ url: store }) : QueueStore.layerSqlite({ filename: store })
  )
const pages = PersistedQueue.make({ name: "pages", schema: Schema.Int })

/** What a worker writes once a second: tasks done so far, how many are desired, and which signals are overloaded. */
interface Report {
  readonly done: number
  readonly desired: number
  readonly overloaded: ReadonlyArray<string>
}

const cpuMillis = ({ system, user }: NodeJS.CpuUsage): number => (system + user) / 1000

/** Uses CPU time: the kernel's clock of it has steps of four milliseconds. */
const burn = (): void => {
  const start = cpuMillis(process.threadCpuUsage())
  while (cpuMillis(process.threadCpuUsage()) - start < 2);
}

const task = Effect.andThen(Effect.sync(burn), Effect.sleep("500 millis"))

/** What the process uses of its cores, with the target and the share of time of `NodeCpu`. */
const ownCpu = (cores: number): LoadSignal.LoadSignal => {
  let before = { at: performance.now(), used: cpuMillis(process.cpuUsage()) }
  const sample = Effect.sync(() => {
    const now = { at: performance.now(), used: cpuMillis(process.cpuUsage()) }
    const load = (now.used - before.used) / ((now.at - before.at) * cores)
    before = now
    return { load, own: load }
  })
  return LoadSignal.makeUnsafe({ name: "cpu", overloadedRatio: 0.4, target: 0.95, every: "500 millis", sample })
}

const work = async (name: Name, store: string, output: string): Promise<void> => {
  const program = Effect.gen(function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(yield* pages), () => task, {
      policy: ScalingPolicy.adaptive(),
      concurrencySettings: { desiredConcurrency: 1, maxConcurrency: 200 },
      loggingInterval: null
    })
    const report = Effect.map(pool.state, ({ desiredConcurrency, succeeded, system }): Report => ({
      done: succeeded,
      desired: desiredConcurrency,
      overloaded: Object.keys(system.signals).filter((name) => system.signals[name].isOverloaded)
    }))
    const write = Effect.map(report, (report) => fs.appendFileSync(output, `${JSON.stringify(report)}\n`))
    yield* Effect.forkScoped(Effect.schedule(write, Schedule.spaced("1 second")))
    yield* pool.run
  })
  await Effect.runPromise(
    program.pipe(Effect.scoped, Effect.provide([SystemStatus.layer({ signals: [ownCpu(cores[name])] }), layer(store)]))
  )
}

const groups = fs.existsSync("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") ? "/sys/fs/cgroup/cpu" : "/sys/fs/cgroup"

const groupOf = (name: Name): string => path.join(groups, `pool-${process.pid}-${name}`)

/** Gives a group so much of a CPU, before all others that want it. */
const setQuota = (name: Name, share: number): void => {
  const quota = Math.round(share * period)
  const write = (file: string, value: string) => fs.writeFileSync(path.join(groupOf(name), file), value)
  if (fs.existsSync(path.join(groupOf(name), "cpu.cfs_quota_us"))) {
    write("cpu.cfs_period_us", `${period}`)
    write("cpu.cfs_quota_us", `${quota}`)
    write("cpu.shares", "100000")
  } else {
    write("cpu.max", `${quota} ${period}`)
    write("cpu.weight", "10000")
  }
}

const start = (name: Name, store: string, output: string): ChildProcess => {
  fs.mkdirSync(groupOf(name))
  setQuota(name, 0.9)
  const command = `echo $$ > ${groupOf(name)}/cgroup.procs; exec taskset -c ${cpus[name]} "$0" "$@"`
  return spawn("sh", ["-c", command, process.execPath, import.meta.filename, "work", name, store, output], {
    stdio: "inherit"
  })
}

interface Found {
  readonly name: Name
  /** Tasks a second. */
  readonly rate: number
  readonly desired: number
  /** Of the seconds measured, the share in which each signal was overloaded that ever was. */
  readonly overloaded: ReadonlyMap<string, number>
}

/** What workers do that work at the same time. */
const measure = async (
  together: ReadonlyArray<Name>,
  seconds: number,
  server: Server | undefined
): Promise<ReadonlyArray<Found>> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-unequal-"))
  const store = server?.url ?? path.join(folder, "queue.db")
  const offer = Effect.gen(function*() {
    const queue = yield* pages
    yield* Effect.forEach(Array.from({ length: 25_000 }, (_, n) => n), (n) => queue.offer(n), { concurrency: 64 })
  })
  await Effect.runPromise(Effect.provide(offer, layer(store)))
  const output = (name: Name) => path.join(folder, name)
  const read = (name: Name): ReadonlyArray<Report> =>
    fs.existsSync(output(name))
      ? fs.readFileSync(output(name), "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line))
      : []
  const doneBy = (name: Name) => read(name).at(-1)?.done ?? 0
  const children: Array<ChildProcess> = []
  process.once("exit", () => children.forEach((child) => child.kill("SIGKILL")))
  for (const name of together) {
    children.push(start(name, store, output(name)))
    for (let tries = 0; tries < 600 && doneBy(name) === 0; tries++) await sleep(100)
    setQuota(name, cores[name])
  }
  await sleep(warmUpMillis)
  const begin = together.map((name) => read(name).length)
  await sleep(seconds * 1000)
  const found = together.map((name, index): Found => {
    const reports = read(name).slice(begin[index] - 1)
    const last = reports.slice(1)
    const signals = new Set(last.flatMap(({ overloaded }) => overloaded))
    return {
      name,
      // A report is written each second of the worker's own time.
      rate: ((last.at(-1)?.done ?? 0) - reports[0].done) / seconds,
      desired: last.reduce((sum, { desired }) => sum + desired, 0) / last.length,
      overloaded: new Map([...signals].map((signal) => [
        signal,
        last.filter(({ overloaded }) => overloaded.includes(signal)).length / last.length
      ]))
    }
  })
  await Promise.all(children.map((child) => {
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    return ended
  }))
  await sleep(500)
  for (const name of together) fs.rmdirSync(groupOf(name))
  fs.rmSync(folder, { recursive: true, force: true })
  return found
}

const percent = (share: number): string => `${Math.round(share * 100)} %`

const busiest = (found: ReadonlyArray<Found>): string => {
  const shares = new Map<string, number>()
  for (const { overloaded } of found) {
    for (const [signal, share] of overloaded) shares.set(signal, Math.max(share, shares.get(signal) ?? 0))
  }
  return shares.size === 0 ? "never" : [...shares].map(([signal, share]) => `${signal} ${percent(share)}`).join(", ")
}

if (process.argv[2] === "work") {
  await work(process.argv[3] as Name, process.argv[4], process.argv[5]) // its own program starts it
} else {
  const seconds = Number(process.argv[2] ?? 20)
  const rounds = Number(process.argv[3] ?? 3)
  const alone = new Map<Name, Array<Found>>(names.map((name) => [name, []]))
  const together = new Map<Name, Array<Found>>(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const group of [...names.map((name) => [name]), names]) {
      const server = process.argv[4] === "file" ? undefined : await startRedis()
      if (server !== undefined) spawnSync("taskset", ["-a", "-p", "-c", "1", `${server.pid()}`])
      for (const found of await measure(group, seconds, server)) {
        ;(group === names ? together : alone).get(found.name)?.push(found)
        console.error(group.join("+"), found.name, found.rate.toFixed(1), found.desired.toFixed(1), busiest([found]))
      }
      await server?.dispose()
    }
  }
  console.log(
    "| worker | cores | tasks a second alone | with the others | in each round | desired | overloaded |\n" +
      "| --- | --- | --- | --- | --- | --- | --- |"
  )
  for (const name of names) {
    const before = alone.get(name) ?? []
    const after = together.get(name) ?? []
    const rates = [before, after].map((found) => median(found.map(({ rate }) => rate)))
    const ratios = after.map(({ rate }, round) => percent(rate / before[round].rate)).join(", ")
    const desired = [before, after].map((found) => median(found.map(({ desired }) => desired)).toFixed(0)).join(", ")
    console.log(
      `| ${name} | ${cores[name]} | ${rates[0].toFixed(1)} | ${rates[1].toFixed(1)}, ${
        percent(rates[1] / rates[0])
      } | ` +
        `${ratios} | ${desired} | ${busiest(after)} |`
    )
  }
  process.exit()
}
