/**
 * Three workers on one queue, one of which has a tenth of the CPU of the others: what each does, against what it does
 * alone. `node scripts/stores/unequal.ts [SECONDS [ROUNDS [file]]]`; needs control groups that this user may make, and a
 * CPU that nobody else uses.
 *
 * Each worker has a quota of its own on the first CPU, and together they have less than all of it, so that they share
 * nothing but the queue. A task works for about a millisecond and waits for 150.
 */
import { AutoscaledPool, ScalingPolicy, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus, QueueStore } from "@autoscaled-pool/platform-node"
import { Effect, Layer, Schedule, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { pbkdf2Sync } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { type Server, startRedis } from "./servers.ts"

const names = ["whole", "other", "tenth"] as const
type Name = typeof names[number]

/** Cores of each. */
const cores: Readonly<Record<Name, number>> = { whole: 0.4, other: 0.4, tenth: 0.04 }

/** Short, so that a quota that is used up does not hold up the event loop for long; in microseconds. */
const period = 25_000

/** The quota is set when the worker has started, which would take the smallest one half a minute. */
const warmUpMillis = 15_000

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

/** About a millisecond of CPU time, of which little is known to the kernel's clock: work of a fixed amount. */
const burn = () => pbkdf2Sync("page", "salt", 1500, 32, "sha256")

const task = Effect.andThen(Effect.sync(burn), Effect.sleep("150 millis"))

const work = async (store: string, output: string): Promise<void> => {
  const program = Effect.gen(function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(yield* pages), () => task, {
      policy: ScalingPolicy.adaptive(),
      concurrencySettings: { desiredConcurrency: 1, maxConcurrency: 100 },
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
  await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide([NodeSystemStatus.layer(), layer(store)])))
}

const groups = fs.existsSync("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") ? "/sys/fs/cgroup/cpu" : "/sys/fs/cgroup"

const groupOf = (name: Name): string => path.join(groups, `pool-${process.pid}-${name}`)

const setQuota = (name: Name, share: number): void => {
  const group = groupOf(name)
  const quota = Math.round(share * period)
  if (fs.existsSync(path.join(group, "cpu.cfs_quota_us"))) {
    fs.writeFileSync(path.join(group, "cpu.cfs_period_us"), `${period}`)
    fs.writeFileSync(path.join(group, "cpu.cfs_quota_us"), `${quota}`)
  } else fs.writeFileSync(path.join(group, "cpu.max"), `${quota} ${period}`)
}

const start = (name: Name, store: string, output: string): ChildProcess => {
  fs.mkdirSync(groupOf(name))
  setQuota(name, 0.9)
  const command = `echo $$ > ${groupOf(name)}/cgroup.procs; exec taskset -c 0 "$0" "$@"`
  return spawn("sh", ["-c", command, process.execPath, import.meta.filename, "work", store, output], {
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
      ? fs.readFileSync(output(name), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line))
      : []
  const doneBy = (name: Name) => read(name).at(-1)?.done ?? 0
  const children: Array<ChildProcess> = []
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

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

const busiest = (found: ReadonlyArray<Found>): string => {
  const shares = new Map<string, number>()
  for (const { overloaded } of found) {
    for (const [signal, share] of overloaded) shares.set(signal, Math.max(share, shares.get(signal) ?? 0))
  }
  return shares.size === 0 ? "never" : [...shares].map(([signal, share]) => `${signal} ${percent(share)}`).join(", ")
}

if (process.argv[2] === "work") {
  await work(process.argv[3], process.argv[4])
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
