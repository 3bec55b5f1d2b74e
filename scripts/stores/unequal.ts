/**
 * Three workers on one queue, one of which has a tenth of the CPU of the others: what each does, against what it does
 * alone. `node scripts/stores/unequal.ts [SECONDS]`; needs control groups that this user may make.
 */
import { AutoscaledPool, ScalingPolicy, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus, QueueStore } from "@autoscaled-pool/platform-node"
import { Effect, Layer, Schedule, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import { deflate } from "node:zlib"

const names = ["whole", "other", "tenth"] as const
type Name = typeof names[number]

/** Cores of each; together less than two. */
const cores: Readonly<Record<Name, number>> = { whole: 0.5, other: 0.5, tenth: 0.05 }

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const layer = (file: string) => Layer.provide(PersistedQueue.layer, QueueStore.layerSqlite({ filename: file }))
const pages = PersistedQueue.make({ name: "pages", schema: Schema.Int })

/** What a worker writes once a second: tasks done so far, and whether CPU or memory is overloaded. */
interface Report {
  readonly done: number
  readonly overloaded: boolean
}

const work = async (file: string, output: string): Promise<void> => {
  const page = Buffer.alloc(200_000, "the quick brown fox jumps over the lazy dog; ")
  const task = Effect.promise(() => promisify(deflate)(page))
  const program = Effect.gen(function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPersistedQueue(yield* pages), () => task, {
      policy: ScalingPolicy.adaptive(),
      concurrencySettings: { desiredConcurrency: 1, maxConcurrency: 8 },
      loggingInterval: null
    })
    const report = Effect.map(pool.state, ({ succeeded, system }): Report => ({
      done: succeeded,
      overloaded: system.signals.memory.isOverloaded || system.signals.cpu.isOverloaded
    }))
    const write = Effect.map(report, (report) => fs.appendFileSync(output, `${JSON.stringify(report)}\n`))
    yield* Effect.forkScoped(Effect.schedule(write, Schedule.spaced("1 second")))
    yield* pool.run
  })
  await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide([NodeSystemStatus.layer(), layer(file)])))
}

const groups = fs.existsSync("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") ? "/sys/fs/cgroup/cpu" : "/sys/fs/cgroup"

/** A control group with so many cores, to start a process in. */
const groupOf = (name: Name): string => {
  const group = path.join(groups, `pool-${process.pid}-${name}`)
  fs.mkdirSync(group, { recursive: true })
  const quota = Math.round(cores[name] * 100_000)
  if (fs.existsSync(path.join(group, "cpu.cfs_quota_us"))) {
    fs.writeFileSync(path.join(group, "cpu.cfs_quota_us"), `${quota}`)
  } else fs.writeFileSync(path.join(group, "cpu.max"), `${quota} 100000`)
  return group
}

const start = (name: Name, file: string, output: string): ChildProcess => {
  const command = `echo $$ > ${groupOf(name)}/cgroup.procs; exec "$0" "$@"`
  return spawn("sh", ["-c", command, process.execPath, import.meta.filename, "work", file, output], {
    stdio: "inherit"
  })
}

/** Tasks a second of workers that work at the same time, and how often each was overloaded. */
const measure = async (together: ReadonlyArray<Name>, seconds: number) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-unequal-"))
  const file = path.join(folder, "queue.db")
  const offer = Effect.gen(function*() {
    const queue = yield* pages
    yield* Effect.forEach(Array.from({ length: 25_000 }, (_, n) => n), (n) => queue.offer(n), { concurrency: 64 })
  })
  await Effect.runPromise(Effect.provide(offer, layer(file)))
  const output = (name: Name) => path.join(folder, name)
  const read = (name: Name): ReadonlyArray<Report> =>
    fs.existsSync(output(name))
      ? fs.readFileSync(output(name), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line))
      : []
  const children: Array<ChildProcess> = []
  // The slowest first, so that it has started before the others have done everything.
  for (const name of together.toSorted((a, b) => cores[a] - cores[b])) {
    children.push(start(name, file, output(name)))
    for (let tries = 0; tries < 600 && (read(name).at(-1)?.done ?? 0) === 0; tries++) await sleep(100)
  }
  await sleep(10_000)
  const begin = together.map((name) => read(name).at(-1)?.done ?? 0)
  const at = performance.now()
  await sleep(seconds * 1000)
  const took = (performance.now() - at) / 1000
  const found = together.map((name, index) => {
    const reports = read(name)
    const last = reports.slice(-seconds)
    return {
      name,
      rate: ((reports.at(-1)?.done ?? 0) - begin[index]) / took,
      overloaded: last.filter(({ overloaded }) => overloaded).length / last.length
    }
  })
  await Promise.all(children.map((child) => {
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    return ended
  }))
  await sleep(200)
  for (const name of together) fs.rmdirSync(groupOf(name))
  fs.rmSync(folder, { recursive: true, force: true })
  return found
}

if (process.argv[2] === "work") {
  await work(process.argv[3], process.argv[4])
} else {
  const seconds = Number(process.argv[2] ?? 20)
  const alone = new Map<Name, number>()
  for (const name of names) alone.set(name, (await measure([name], seconds))[0].rate)
  console.log(
    "| worker | cores | tasks a second alone | with the others | | overloaded |\n| --- | --- | --- | --- | --- | --- |"
  )
  for (const { name, overloaded, rate } of await measure(names, seconds)) {
    const before = alone.get(name) ?? NaN
    console.log(
      `| ${name} | ${cores[name]} | ${before.toFixed(1)} | ${rate.toFixed(1)} | ${
        Math.round(rate / before * 100)
      } % | ` +
        `${Math.round(overloaded * 100)} % of the time |`
    )
  }
}
