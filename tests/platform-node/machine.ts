/**
 * A machine made of files: what a Linux kernel would show below /proc and /sys/fs/cgroup, in a folder of its own.
 */
import type { LoadSignal } from "@autoscaled-pool/core"
import { Clock, Effect, Logger, type Scope, Stream } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Host from "../../packages/platform-node/src/internal/host/host.ts"

export type Files = Readonly<Record<string, string>>

export interface Machine {
  readonly root: string
  readonly write: (files: Files) => void
  readonly remove: (file: string) => void
  /** Files that a user may not read; root reads all, so a folder stands in their place, which nobody can read. */
  readonly obstruct: (file: string) => void
}

export const make = (files: Files): Effect.Effect<Machine, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-"))),
      (root) => Effect.sync(() => fs.rmSync(root, { recursive: true }))
    ),
    (root) => {
      const write = (files: Files) => {
        for (const [file, text] of Object.entries(files)) {
          fs.mkdirSync(path.dirname(root + file), { recursive: true })
          fs.writeFileSync(root + file, text)
        }
      }
      const remove = (file: string) => fs.rmSync(root + file, { recursive: true })
      write(files)
      return {
        root,
        write,
        remove,
        obstruct: (file) => {
          remove(file)
          fs.mkdirSync(root + file)
        }
      }
    }
  )

export const MiB = 1024 * 1024
export const GiB = 1024 * MiB

/** 16 GiB, half of it available. */
export const meminfo = (options: { readonly total?: number; readonly available?: number } = {}): string =>
  `MemTotal:       ${(options.total ?? 16 * GiB) / 1024} kB
MemFree:          123456 kB
MemAvailable:    ${Math.round((options.available ?? 8 * GiB) / 1024)} kB
Cached:           987654 kB
`

/** A process that holds 100 MiB and may run on four CPUs. */
export const status = (options: { readonly anonymous?: number; readonly cpus?: string } = {}): string =>
  `Name:	node
VmRSS:	  ${(options.anonymous ?? 100 * MiB) / 1024 + 50_000} kB
RssAnon:	  ${(options.anonymous ?? 100 * MiB) / 1024} kB
RssFile:	   50000 kB
Cpus_allowed_list:	${options.cpus ?? "0-3"}
`

/** CPU times in ticks, as /proc/<pid>/stat shows them. */
export const processStat = (
  pid: number,
  parent: number,
  times: { readonly user?: number; readonly ended?: number } = {},
  name = "node"
): string =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194560 1 2 3 4 ${times.user ?? 0} 0 ${times.ended ?? 0} 0 20 0 11 0 5 6 7\n`

/** Four CPUs, each with these ticks. */
export const cpuStat = (
  times: { readonly user?: number; readonly idle?: number; readonly steal?: number },
  cpus = 4
): string => {
  const { idle = 0, steal = 0, user = 0 } = times
  const line = (name: string, factor: number) =>
    `${name} ${user * factor} 0 0 ${idle * factor} 0 0 0 ${steal * factor} ${user * factor} 0\n`
  return line("cpu ", cpus) + Array.from({ length: cpus }, (_, cpu) => line(`cpu${cpu}`, 1)).join("") +
    "intr 12345 1 2 3\nctxt 99\nbtime 1700000000\n"
}

export const mountLine = (
  version: 1 | 2,
  mountPoint: string,
  options: { readonly root?: string; readonly controllers?: string } = {}
): string => {
  const controllers = options.controllers === undefined ? "" : `,${options.controllers}`
  const type = version === 1 ? "cgroup" : "cgroup2"
  return `36 31 0:33 ${options.root ?? "/"} ${mountPoint} rw,relatime shared:9 - ${type} ${type} rw${controllers}\n`
}

/** Without a limit and without a heap to speak of. */
export const unlimited: Files = {
  "/proc/meminfo": meminfo(),
  "/proc/stat": cpuStat({ idle: 1000 }),
  "/proc/self/status": status(),
  "/proc/self/stat": processStat(100, 1),
  "/proc/self/cgroup": "0::/\n",
  "/proc/self/mountinfo": mountLine(2, "/sys/fs/cgroup"),
  "/sys/fs/cgroup/cgroup.procs": "100\n"
}

export const version2 = (group: string, files: Files): Files => ({
  ...unlimited,
  "/proc/self/cgroup": `0::${group}\n`,
  ...files
})

export const node: Partial<Host.Node> = {
  platform: "linux",
  totalMemory: () => 16 * GiB,
  freeMemory: () => 4 * GiB,
  residentMemory: () => 150 * MiB,
  heap: () => ({ used: 10 * MiB, limit: 4 * GiB }),
  cpuTimes: () => ({ cpus: 4, busy: 0, total: 0 }),
  cpuUsage: () => 0,
  eventLoop: () => ({ active: 1, idle: 1 }),
  threadCpuUsage: () => 0,
  blocked: () => 0
}

export const hostOf = (machine: Machine, changes: Partial<Host.Node> = {}): Effect.Effect<Host.Host> =>
  Host.make({ root: machine.root, node: { ...node, ...changes } })

/** Runs a signal for as long as the test; what it reported so far is in the array. */
export const follow = (
  signal: LoadSignal.LoadSignal
): Effect.Effect<ReadonlyArray<LoadSignal.LoadSnapshot>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const snapshots: Array<LoadSignal.LoadSnapshot> = []
    yield* Effect.forkScoped(
      Stream.runForEach(signal.snapshots, (snapshot) => Effect.sync(() => snapshots.push(snapshot)))
    )
    yield* Effect.yieldNow
    return snapshots
  })

/** Collects what is logged as a warning. */
export const recordWarnings = <A, E, R>(
  use: (warnings: ReadonlyArray<string>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === "Warn") warnings.push(String(message))
    })
    return use(warnings).pipe(Effect.provide(Logger.layer([logger])))
  })

/** The clock in force, with monotonic time that runs ahead by as much as `skew` says. */
export const skewedClock = (skew: () => number): Effect.Effect<Clock.Clock> =>
  Clock.clockWith((clock) =>
    Effect.succeed({
      ...clock,
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
      currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
      monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + BigInt(Math.round(skew() * 1e6)),
      monotonicTimeNanos: Effect.map(clock.monotonicTimeNanos, (nanos) => nanos + BigInt(Math.round(skew() * 1e6))),
      sleep: (duration) => clock.sleep(duration)
    })
  )
