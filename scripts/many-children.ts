/**
 * Whether a pool sees what its child processes take when there are a thousand of them: `npm run test:children`. It starts
 * the children, lets one of them take memory and another a CPU, and tells after how many seconds each was seen and what
 * looking costs; then the same once more in a control group whose CPU quota slows the process down.
 */
import { SystemStatus } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as cgroup from "../packages/platform-node/src/internal/cgroup/cgroup.ts"

const MB = 1024 * 1024
const count = 1000
const quota = 0.3
const held = 300
const limit = 1000

/** Wall clock of a machine that others use too: the bound for which the code is written is 2 seconds. */
const bound = 5

const child = (command: string, ...args: ReadonlyArray<string>): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(command, args, { stdio: "ignore" })),
    (process) => Effect.sync(() => process.kill("SIGKILL"))
  )

const signal = (name: string) =>
  Effect.map(SystemStatus.SystemStatus.use((status) => status.current), (info) => info.signals[name])

const secondsUntil = (name: string, isSeen: (own: number) => boolean) =>
  Effect.gen(function*() {
    const begin = performance.now()
    yield* signal(name).pipe(
      Effect.delay("50 millis"),
      Effect.repeat({ until: ({ own }) => isSeen(own) }),
      Effect.timeout("60 seconds")
    )
    return (performance.now() - begin) / 1000
  })

/** Memory that has been taken, by the kernel's word, so that the time it takes to take it does not count. */
const holder = (megabytes: number) =>
  Effect.tap(
    child(process.execPath, "-e", `b = Buffer.alloc(${megabytes} << 20, 1); setInterval(() => {}, 1e6)`),
    (it) =>
      Effect.sync(() => fs.readFileSync(`/proc/${it.pid}/status`, "utf8")).pipe(
        Effect.delay("20 millis"),
        Effect.repeat({ until: (status) => Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]) * 1024 > megabytes * MB })
      )
  )

const seen = Effect.gen(function*() {
  yield* Effect.sleep("2 seconds")
  const { own: memoryBefore } = yield* signal("memory")
  yield* holder(held)
  const memory = yield* secondsUntil("memory", (own) => own > memoryBefore + 0.9 * held / limit)
  const { own: cpuBefore } = yield* signal("cpu")
  yield* child("sh", "-c", "while :; do :; done")
  const cpu = yield* secondsUntil("cpu", (own) => own > cpuBefore + 0.1)
  return { memory, cpu }
})

const measure = Effect.gen(function*() {
  // As a pool with a task in flight does: signals on which nobody depends are sampled seldom.
  yield* SystemStatus.attend
  yield* Effect.replicateEffect(child("sleep", "600"), count, { discard: true })
  yield* Effect.sleep("3 seconds")
  const before = process.cpuUsage()
  yield* Effect.sleep("4 seconds")
  const { system, user } = process.cpuUsage(before)
  const sampling = (system + user) / 4e6
  const rounds = yield* Effect.replicateEffect(Effect.scoped(seen), 3)
  return {
    memory: Math.max(...rounds.map(({ memory }) => memory)),
    cpu: Math.max(...rounds.map(({ cpu }) => cpu)),
    sampling
  }
}).pipe(
  Effect.scoped,
  Effect.provide(NodeSystemStatus.layer({ memory: { limit: `${limit} MB` }, eventLoop: false, client: false }))
)

const percent = (share: number) => `${(100 * share).toFixed(2)} % of a core`

const report = Effect.map(measure, ({ cpu, memory, sampling }) => {
  console.log(
    `  ${count} children: of three times, ${held} MB seen after ${memory.toFixed(1)} s at most, a busy CPU after ${
      cpu.toFixed(1)
    } s; ` +
      `sampling costs ${percent(sampling)}`
  )
  if (memory > bound || cpu > bound) {
    console.error(`  more than ${bound} s`)
    process.exitCode = 1
  }
})

/** A group with a CPU quota below the process's own, or why there is none. */
const makeGroup = (): { readonly directory: string } | { readonly obstacle: string } => {
  try {
    const read = (file: string) => fs.readFileSync(file, "utf8")
    const own = cgroup.hierarchyOf(
      "cpu",
      cgroup.parseMemberships(read("/proc/self/cgroup")) ?? [],
      cgroup.parseMounts(read("/proc/self/mountinfo")) ?? []
    )
    if (own === undefined) return { obstacle: "no control group with a CPU quota is mounted" }
    const directory = fs.mkdtempSync(path.join(own.groups[0].directory, "autoscaled-pool-test-"))
    const file = own.version === 1 ? "cpu.cfs_quota_us" : "cpu.max"
    fs.writeFileSync(`${directory}/${file}`, own.version === 1 ? `${quota * 1e5}` : `${quota * 1e5} 100000`)
    return { directory }
  } catch (error) {
    return { obstacle: String(error) }
  }
}

if (process.argv[2] === "inside") {
  await Effect.runPromise(report)
} else if (process.platform !== "linux") {
  console.log(`skipped: children are seen on Linux only, and this is ${process.platform}`)
} else {
  console.log("with all CPUs")
  await Effect.runPromise(report)
  const group = makeGroup()
  console.log(`with a quota of ${quota} CPUs`)
  if ("obstacle" in group) console.log(`  skipped: ${group.obstacle}`)
  else {
    const { status } = spawnSync("sh", [
      "-c",
      `echo $$ > "$0/cgroup.procs" && exec "$@"`,
      group.directory,
      process.execPath,
      import.meta.filename,
      "inside"
    ], { stdio: "inherit", timeout: 240_000 })
    if (status !== 0) process.exitCode = 1
    await Effect.runPromise(
      Effect.try(() => fs.rmdirSync(group.directory)).pipe(Effect.delay("200 millis"), Effect.retry({ times: 50 }))
    )
  }
}
