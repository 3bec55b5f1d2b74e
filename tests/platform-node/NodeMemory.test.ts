import * as NodeMemory from "@autoscaled-pool/platform-node/NodeMemory"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import type * as Host from "../../packages/platform-node/src/internal/host/host.ts"
import * as Machine from "./machine.ts"

const { GiB, MiB } = Machine

const start = Effect.fnUntraced(function*(
  files: Machine.Files,
  options: NodeMemory.Options = {},
  node: Partial<Host.Node> = {}
) {
  const machine = yield* Machine.make(files)
  const host = yield* Machine.hostOf(machine, node)
  const snapshots = yield* Machine.follow(yield* NodeMemory.signalOf(host, options))
  const sample = Effect.map(TestClock.adjust("250 millis"), () => latest(snapshots))
  return { machine, snapshots, sample, first: latest(snapshots) }
})

const latest = <A>(all: ReadonlyArray<A>): A => all[all.length - 1]

const stat = (inactive: number) => `anon 1\ninactive_file ${inactive}\ntotal_inactive_file ${inactive}\n`

const group2 = (directory: string, limit: string, current: number, inactive = 0): Machine.Files => ({
  [`${directory}/memory.max`]: `${limit}\n`,
  [`${directory}/memory.high`]: "max\n",
  [`${directory}/memory.current`]: `${current}\n`,
  [`${directory}/memory.stat`]: stat(inactive)
})

const group1 = (directory: string, limit: number | string, usage: number, inactive = 0): Machine.Files => ({
  [`${directory}/memory.limit_in_bytes`]: `${limit}\n`,
  [`${directory}/memory.usage_in_bytes`]: `${usage}\n`,
  [`${directory}/memory.stat`]: stat(inactive)
})

const machineLoad = 0.5 * 0.9 / 0.97

describe("NodeMemory", () => {
  describe("the machine", () => {
    it.effect("counts what is not available, and 97 % of it as the target", () =>
      Effect.gen(function*() {
        const { first } = yield* start(Machine.unlimited)
        assert.approximately(first.load, machineLoad, 1e-9)
        assert.approximately(first.own ?? NaN, 100 / 16384 * 0.9 / 0.97, 1e-9)
        assert.isFalse(first.isOverloaded)
      }))

    it.effect("is overloaded above 97 %, not below, whatever the target", () =>
      Effect.gen(function*() {
        for (const target of [0.5, 0.9, 0.95]) {
          const { machine, sample } = yield* start(Machine.unlimited, { target })
          machine.write({ "/proc/meminfo": Machine.meminfo({ available: 0.031 * 16 * GiB }) })
          assert.isFalse((yield* sample).isOverloaded)
          machine.write({ "/proc/meminfo": Machine.meminfo({ available: 0.029 * 16 * GiB }) })
          assert.isTrue((yield* sample).isOverloaded)
        }
      }))
  })

  describe("control groups of version 2", () => {
    it.effect("load is the working set over the limit, without inactive file pages", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          Machine.version2("/app", group2("/sys/fs/cgroup/app", `${512 * MiB}`, 456 * MiB, 200 * MiB))
        )
        assert.strictEqual(first.load, 0.5)
        assert.strictEqual(first.own, 100 / 512)
      }))

    it.effect("a private namespace shows the own group as the root", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          Machine.version2("/", group2("/sys/fs/cgroup", `${GiB}`, 768 * MiB))
        )
        assert.strictEqual(first.load, 0.75)
      }))

    it.effect("memory.high is a limit", () =>
      Effect.gen(function*() {
        const { first } = yield* start(Machine.version2("/app", {
          ...group2("/sys/fs/cgroup/app", `${GiB}`, 384 * MiB),
          "/sys/fs/cgroup/app/memory.high": `${512 * MiB}\n`
        }))
        assert.strictEqual(first.load, 0.75)
      }))

    it.effect("a limit of an ancestor alone is found", () =>
      Effect.gen(function*() {
        const { first } = yield* start(Machine.version2("/a/b", {
          ...group2("/sys/fs/cgroup/a/b", "max", 10 * MiB),
          ...group2("/sys/fs/cgroup/a", `${200 * MiB}`, 150 * MiB)
        }))
        assert.strictEqual(first.load, 0.75)
      }))

    it.effect("the tightest limit and the smallest headroom count, wherever they are", () =>
      Effect.gen(function*() {
        const { first } = yield* start(Machine.version2("/a/b", {
          ...group2("/sys/fs/cgroup/a/b", `${1000 * MiB}`, 200 * MiB),
          ...group2("/sys/fs/cgroup/a", `${4000 * MiB}`, 3900 * MiB)
        }))
        assert.approximately(first.load, 0.9, 1e-9)
      }))

    it.effect("no limit, or one of the machine's size or more, is none", () =>
      Effect.gen(function*() {
        for (const limit of ["max", `${16 * GiB}`, `${64 * GiB}`]) {
          const { first } = yield* start(Machine.version2("/app", group2("/sys/fs/cgroup/app", limit, GiB)))
          assert.approximately(first.load, machineLoad, 1e-9)
        }
      }))

    it.effect("a limit that moves between samples is followed, and so is a group that changes", () =>
      Effect.gen(function*() {
        const { first, machine, sample } = yield* start(Machine.version2("/app", {
          ...group2("/sys/fs/cgroup/app", `${1000 * MiB}`, 800 * MiB),
          ...group2("/sys/fs/cgroup/other", `${1000 * MiB}`, 950 * MiB)
        }))
        assert.strictEqual(first.load, 0.8)
        machine.write({ "/sys/fs/cgroup/app/memory.max": `${820 * MiB}\n` })
        const tight = yield* sample
        assert.approximately(tight.load, 800 / 820, 1e-9)
        assert.isTrue(tight.isOverloaded)
        machine.write({ "/sys/fs/cgroup/app/memory.max": "max\n" })
        assert.approximately((yield* sample).load, machineLoad, 1e-9)
        machine.write({ "/proc/self/cgroup": "0::/other\n" })
        assert.strictEqual((yield* sample).load, 0.95)
      }))
  })

  describe("what the kernel gives back", () => {
    const fields = (values: Readonly<Record<string, number>>) =>
      Object.entries(values).map(([name, value]) => `${name} ${Math.round(value * MiB)}\n`).join("")

    const group = (current: number, stat: Readonly<Record<string, number>>, more: Machine.Files = {}) =>
      Machine.version2("/app", {
        ...group2("/sys/fs/cgroup/app", `${512 * MiB}`, current * MiB),
        "/sys/fs/cgroup/app/memory.stat": fields({ inactive_file: 0, ...stat }),
        "/proc/meminfo": Machine.meminfo({ available: 15.9 * GiB }),
        ...more
      })

    const pressure = (some: number) =>
      `some avg10=${some.toFixed(2)} avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n`

    const loadOf = (files: Machine.Files) => Effect.map(start(files), ({ first }) => first.load)

    it.effect("a pod that has read files is not full", () =>
      Effect.gen(function*() {
        const { first } = yield* start(group(508, { anon: 60, active_file: 419, inactive_file: 27 }))
        assert.approximately(first.load, 62 / 512, 1e-6)
        assert.isFalse(first.isOverloaded)
        assert.isAtMost(first.own ?? NaN, first.load)
      }))

    it.effect("reclaimable slab is no use, other slab is", () =>
      Effect.gen(function*() {
        const load = yield* loadOf(group(456, { anon: 300, slab_reclaimable: 56, slab_unreclaimable: 100 }))
        assert.approximately(load, 400 / 512, 1e-6)
      }))

    it.effect("pages that must be written first, shared memory and locked memory are use", () =>
      Effect.gen(function*() {
        const stat = { anon: 100, file: 380, shmem: 200, active_file: 60, inactive_file: 90, unevictable: 30 }
        assert.approximately(yield* loadOf(group(480, stat)), 330 / 512, 1e-6)
        const unwritten = { ...stat, file_dirty: 70, file_writeback: 10 }
        assert.approximately(yield* loadOf(group(480, unwritten)), 410 / 512, 1e-6)
        const most = { ...stat, file_dirty: 110, file_writeback: 10 }
        assert.approximately(yield* loadOf(group(480, most)), 450 / 512, 1e-6)
      }))

    it.effect("active file pages are use as far as tasks wait for them: harmless cache, and thrashing", () =>
      Effect.gen(function*() {
        const loads: Array<number> = []
        for (const some of [0, 4, 15, 25, 80]) {
          const files = group(480, { anon: 280, active_file: 180, inactive_file: 20 }, {
            "/sys/fs/cgroup/app/memory.pressure": pressure(some)
          })
          loads.push(yield* loadOf(files))
        }
        const expected = [280, 280, 370, 460, 460].map((used) => used / 512)
        loads.forEach((load, i) => assert.approximately(load, expected[i], 1e-6))
      }))

    it.effect("version 1 knows the pressure on the machine alone", () =>
      Effect.gen(function*() {
        const files = (some: number): Machine.Files => ({
          ...Machine.unlimited,
          "/proc/self/cgroup": "4:memory:/app\n",
          "/proc/self/mountinfo": Machine.mountLine(1, "/sys/fs/cgroup/memory", { controllers: "memory" }),
          "/proc/pressure/memory": pressure(some),
          ...group1("/sys/fs/cgroup/memory", "9223372036854771712", GiB),
          ...group1("/sys/fs/cgroup/memory/app", 512 * MiB, 480 * MiB),
          "/sys/fs/cgroup/memory/app/memory.stat": fields({
            inactive_file: 1,
            total_inactive_file: 40,
            total_active_file: 160,
            total_dirty: 20,
            total_shmem: 50,
            total_unevictable: 5
          })
        })
        assert.approximately(yield* loadOf(files(0)), 300 / 512, 1e-6)
        assert.approximately(yield* loadOf(files(30)), 460 / 512, 1e-6)
      }))

    it.effect("huge pages that are set aside are not the machine's memory in use", () =>
      Effect.gen(function*() {
        const meminfo = Machine.meminfo({ total: 16 * GiB, available: 6 * GiB })
        const kibibytes = 8 * 1024 * 1024
        for (
          const lines of [
            `HugePages_Total:    4096\nHugePages_Free:     1000\nHugepagesize:       2048 kB\nHugetlb:        ${kibibytes} kB\n`,
            "HugePages_Total:    4096\nHugePages_Free:        0\nHugepagesize:       2048 kB\n"
          ]
        ) {
          const { first } = yield* start({ ...Machine.unlimited, "/proc/meminfo": meminfo + lines })
          assert.approximately(first.load, 0.25 * 0.9 / 0.97, 1e-9)
        }
      }))
  })

  describe("control groups of version 1", () => {
    const version1 = (path: string, root: string, files: Machine.Files): Machine.Files => ({
      ...Machine.unlimited,
      "/proc/self/cgroup": `4:memory:${path}\n2:cpuacct:/\n0::/\n`,
      "/proc/self/mountinfo": Machine.mountLine(1, "/sys/fs/cgroup/memory", { root, controllers: "memory" }) +
        Machine.mountLine(2, "/sys/fs/cgroup/unified"),
      ...files
    })

    it.effect("a hybrid machine: the controller of version 1 counts, its totals included", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          version1("/jobs/7", "/", {
            ...group1("/sys/fs/cgroup/memory", "9223372036854771712", 9 * GiB),
            ...group1("/sys/fs/cgroup/memory/jobs", "9223372036854771712", 8 * GiB),
            ...group1("/sys/fs/cgroup/memory/jobs/7", 512 * MiB, 400 * MiB, 16 * MiB)
          })
        )
        assert.strictEqual(first.load, 0.75)
      }))

    it.effect("a container sees its group at the mount point", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          version1("/docker/abc", "/docker/abc", group1("/sys/fs/cgroup/memory", GiB, 512 * MiB))
        )
        assert.strictEqual(first.load, 0.5)
      }))

    it.effect("a limit of an ancestor that no mount shows is told by hierarchical_memory_limit", () =>
      Effect.gen(function*() {
        const hierarchical = (limit: number) => `${stat(0)}hierarchical_memory_limit ${limit}\n`
        const { first, machine, sample } = yield* start(version1("/docker/abc", "/docker/abc", {
          ...group1("/sys/fs/cgroup/memory", "9223372036854771712", 476 * MiB),
          "/sys/fs/cgroup/memory/memory.stat": hierarchical(512 * MiB)
        }))
        assert.approximately(first.load, 476 / 512, 1e-9)
        assert.isTrue(first.isOverloaded)
        assert.deepStrictEqual(first.measure, {
          used: 476 * MiB,
          limit: 512 * MiB,
          unit: "By",
          of: "cgroup /docker/abc"
        })
        machine.write({ "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${GiB}\n` })
        assert.approximately((yield* sample).load, 476 / 512, 1e-9)
        machine.write({ "/sys/fs/cgroup/memory/memory.stat": hierarchical(9223372036854771712) })
        assert.approximately((yield* sample).load, 476 / 1024, 1e-9)
      }))

    it.effect("every way to say unlimited is none", () =>
      Effect.gen(function*() {
        for (const limit of ["9223372036854771712", "9223372036854710272", "18446744073709551615", `${17 * GiB}`]) {
          const { first } = yield* start(version1("/", "/", group1("/sys/fs/cgroup/memory", limit, GiB)))
          assert.approximately(first.load, machineLoad, 1e-9)
        }
      }))
  })

  describe("a container of lxcfs, whose /proc/meminfo tells its limit as the memory of the machine", () => {
    const hugePages = "HugePages_Total:    6144\nHugepagesize:       2048 kB\nHugetlb:        12582912 kB\n"
    const lxc = (limit: number, used: number, group: Machine.Files): Machine.Files => ({
      ...Machine.unlimited,
      "/proc/meminfo": Machine.meminfo({ total: limit, available: limit - used }) + hugePages,
      "/proc/self/mountinfo": Machine.mountLine(2, "/sys/fs/cgroup") +
        "130 120 0:44 /proc/meminfo /proc/meminfo rw,nosuid,nodev,relatime master:3 - fuse.lxcfs lxcfs rw\n",
      ...group
    })

    it.effect("the limit is one of the group, which kills when it is reached, and not a machine that may be fuller", () =>
      Effect.gen(function*() {
        for (const limit of [2 * GiB, 8 * GiB, 14 * GiB]) {
          const used = Math.round(0.93 * limit)
          const { first, machine, sample } = yield* start(
            lxc(limit, used, group2("/sys/fs/cgroup", `${limit}`, used))
          )
          assert.approximately(first.load, 0.93, 1e-6)
          assert.strictEqual(first.measure?.of, "cgroup /")
          assert.isTrue(first.isOverloaded)
          machine.write({ "/sys/fs/cgroup/memory.current": `${Math.round(0.5 * limit)}\n` })
          machine.write({ "/proc/meminfo": Machine.meminfo({ total: limit, available: 0.5 * limit }) + hugePages })
          assert.approximately((yield* sample).load, 0.5, 1e-6)
        }
      }))

    it.effect("the huge pages of the machine are none of the container's", () =>
      Effect.gen(function*() {
        const warnings = yield* Machine.recordWarnings(Effect.fnUntraced(function*(shown) {
          const { first } = yield* start(lxc(8 * GiB, 4 * GiB, group2("/sys/fs/cgroup", "max", 4 * GiB)))
          assert.approximately(first.load, machineLoad, 1e-9)
          return shown
        }))
        assert.deepStrictEqual(warnings, [])
      }))
  })

  describe("files as they may come", () => {
    it.effect("spaces and tabs, before, between and after", () =>
      Effect.gen(function*() {
        const { first } = yield* start({
          ...Machine.unlimited,
          "/sys/fs/cgroup/memory.max": ` ${512 * MiB} \n`,
          "/sys/fs/cgroup/memory.high": "\tmax\t\n",
          "/sys/fs/cgroup/memory.current": `  ${400 * MiB}  `,
          "/sys/fs/cgroup/memory.stat": `anon\t1\ninactive_file\t ${144 * MiB} \n`
        })
        assert.approximately(first.load, 0.5, 1e-9)
      }))

    it.effect("mount points and groups with spaces and backslashes, and several mounts of the same groups", () =>
      Effect.gen(function*() {
        const group = "/system.slice/my app.slice/getty@tty\\x2d1.service"
        const escaped = group.replaceAll("\\", "\\134").replaceAll(" ", "\\040")
        for (
          const mounts of [
            Machine.mountLine(2, "/my\\040groups"),
            Machine.mountLine(2, "/elsewhere", { root: "/user.slice" }) + Machine.mountLine(2, "/my\\040groups"),
            Machine.mountLine(2, "/one", { root: escaped }) + Machine.mountLine(2, "/my\\040groups") +
            Machine.mountLine(2, "/covered")
          ]
        ) {
          const warnings = yield* Machine.recordWarnings(Effect.fnUntraced(function*(shown) {
            const { first } = yield* start(Machine.version2(group, {
              ...group2(`/my groups${group}`, `${512 * MiB}`, 256 * MiB),
              ...group2("/my groups/system.slice", "max", 256 * MiB),
              ...group2("/one", `${512 * MiB}`, 256 * MiB),
              "/proc/self/mountinfo": mounts
            }))
            assert.deepInclude(first.measure, { limit: 512 * MiB, of: `cgroup ${group}` })
            return shown
          }))
          assert.deepStrictEqual(warnings, [])
        }
      }))

    /** As the kernel, or Node.js, refuses to read a file. */
    const refusing = (code: string, refuses: (path: string) => boolean) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const { readFileSync } = fs
          fs.readFileSync = ((path: string, encoding: "utf8") => {
            if (refuses(path)) throw Object.assign(new Error(code), { code })
            return readFileSync(path, encoding)
          }) as typeof readFileSync // as the files of the kernel are read
          syncBuiltinESMExports()
          return readFileSync
        }),
        (readFileSync) =>
          Effect.sync(() => {
            fs.readFileSync = readFileSync
            syncBuiltinESMExports()
          })
      )

    it.effect("pressure that the kernel does not measure is none, without a word", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        yield* refusing("ENOTSUP", (path) => path.endsWith("memory.pressure"))
        const { first } = yield* start({
          ...Machine.unlimited,
          ...group2("/sys/fs/cgroup", `${512 * MiB}`, 400 * MiB),
          "/sys/fs/cgroup/memory.stat": `${stat(0)}active_file ${144 * MiB}\n`
        })
        assert.approximately(first.load, 0.5, 1e-9)
        assert.deepStrictEqual(warnings, [])
      })))

    it.effect("where Node.js may read none of them, one warning says so and how to allow it", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        yield* refusing("ERR_ACCESS_DENIED", (path) => path.includes("/proc/") || path.includes("/sys/"))
        const { first, sample } = yield* start(Machine.unlimited)
        yield* sample
        assert.approximately(first.load, 150 / 16384 * 0.9 / 0.97, 1e-9)
        assert.strictEqual(warnings.length, 1)
        assert.include(warnings[0], "--allow-fs-read=/proc")
      })))
  })

  describe("exhaustion", () => {
    it.effect("a limit that kills is exhausted before all of it is used, and not at the target", () =>
      Effect.gen(function*() {
        const within = (percent: number) => Math.round(percent / 100 * 256) * MiB
        const cases: Readonly<Record<string, (percent: number) => ReturnType<typeof start>>> = {
          heap: (percent) =>
            start(Machine.unlimited, {}, { heap: () => ({ used: within(percent), limit: 256 * MiB }) }),
          group: (percent) =>
            start(Machine.version2("/app", group2("/sys/fs/cgroup/app", `${256 * MiB}`, within(percent)))),
          budget: (percent) =>
            start(
              { ...Machine.unlimited, "/proc/self/status": Machine.status({ anonymous: within(percent) }) },
              { limit: 256 * MiB }
            )
        }
        for (const [name, measure] of Object.entries(cases)) {
          for (const [percent, expected] of [[80, false], [95, false], [97, false], [98, true], [120, true]] as const) {
            const { first } = yield* measure(percent)
            assert.strictEqual(first.isExhausted ?? false, expected, `${name} at ${percent} %`)
          }
        }
      }))

    it.effect("the machine is exhausted where it is full, not where it counts as all of a limit", () =>
      Effect.gen(function*() {
        for (const [available, expected] of [[0.05, false], [0.02, false], [0.005, true]] as const) {
          const { first } = yield* start({
            ...Machine.unlimited,
            "/proc/meminfo": Machine.meminfo({ available: available * 16 * GiB })
          })
          assert.strictEqual(first.isExhausted ?? false, expected, `${available} available`)
        }
      }))

    it.effect("any limit counts, not only the one that binds", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          { ...Machine.unlimited, "/proc/meminfo": Machine.meminfo({ available: 0.001 * 16 * GiB }) },
          { target: 0.5 },
          { heap: () => ({ used: 80 * MiB, limit: 100 * MiB }) }
        )
        assert.deepInclude(first.measure, { of: "V8 heap" })
        assert.isTrue(first.isExhausted)
      }))
  })

  describe("limits of the process", () => {
    it.effect("the V8 heap limit counts where it is the tightest", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          Machine.version2("/app", group2("/sys/fs/cgroup/app", `${512 * MiB}`, 300 * MiB)),
          {},
          { heap: () => ({ used: 240 * MiB, limit: 256 * MiB }) }
        )
        assert.strictEqual(first.load, 240 / 256)
        assert.strictEqual(first.own, 240 / 256)
        assert.isTrue(first.isOverloaded)
      }))

    it.effect("tells when the heap was collected last, where that is what binds", () =>
      Effect.gen(function*() {
        const since = Number(yield* Clock.monotonicTimeNanos) / 1e6 - performance.now()
        const collectedAt = performance.now() - 1000
        const heapOf = (used: number) => ({ heap: () => ({ used, limit: 256 * MiB, collectedAt }) })
        const { first } = yield* start(Machine.unlimited, {}, heapOf(240 * MiB))
        assert.approximately(first.reclaimedAt ?? NaN, since + collectedAt, 50)
        const { first: other } = yield* start(Machine.unlimited, {}, heapOf(MiB))
        assert.isUndefined(other.reclaimedAt)
        const { first: untold } = yield* start(Machine.unlimited, {}, { heap: () => ({ used: 240, limit: 256 }) })
        assert.isUndefined(untold.reclaimedAt)
      }))

    it.effect("a budget counts what the process and its children hold", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          Machine.version2("/app", {
            "/sys/fs/cgroup/app/cgroup.procs": "1\n100\n101\n102\n",
            "/proc/1/stat": Machine.processStat(1, 0),
            "/proc/100/stat": Machine.processStat(100, 1),
            "/proc/101/stat": Machine.processStat(101, 100),
            "/proc/102/stat": Machine.processStat(102, 101),
            "/proc/101/status": Machine.status({ anonymous: 40 * MiB }),
            "/proc/102/status": Machine.status({ anonymous: 10 * MiB })
          }),
          { limit: "200 MiB" }
        )
        assert.strictEqual(first.load, 0.75)
        assert.strictEqual(first.own, 0.75)
      }))

    it.effect("tells which limit binds, in bytes", () =>
      Effect.gen(function*() {
        const bindingOf = (files: Machine.Files, options: NodeMemory.Options, node: Partial<Host.Node>) =>
          Effect.map(start(files, options, node), ({ first }) => first.measure)
        const group = Machine.version2("/a/b", {
          ...group2("/sys/fs/cgroup/a/b", `${400 * MiB}`, 100 * MiB),
          ...group2("/sys/fs/cgroup/a", `${512 * MiB}`, 412 * MiB)
        })
        assert.deepStrictEqual(yield* bindingOf(group, {}, {}), {
          used: 300 * MiB,
          limit: 400 * MiB,
          unit: "By",
          of: "cgroup /a"
        })
        assert.deepStrictEqual(yield* bindingOf(group, {}, { heap: () => ({ used: 90 * MiB, limit: 100 * MiB }) }), {
          used: 90 * MiB,
          limit: 100 * MiB,
          unit: "By",
          of: "V8 heap"
        })
        assert.deepInclude(yield* bindingOf(group, { limit: "110 MiB" }, {}), { used: 100 * MiB, of: "memory.limit" })
        assert.deepInclude(yield* bindingOf(Machine.unlimited, {}, {}), { used: 8 * GiB, of: "machine" })
      }))

    it.effect("own is never more than load", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          Machine.version2("/app", group2("/sys/fs/cgroup/app", `${512 * MiB}`, 64 * MiB)),
          {},
          { heap: () => ({ used: 0, limit: GiB }) }
        )
        assert.approximately(first.load, machineLoad, 1e-9)
        assert.isAtMost(first.own ?? NaN, first.load)
      }))
  })

  describe("what cannot be read", () => {
    it.effect("a limit that is no limit is left out with one warning in total", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        for (const limit of ["", "-1", "-4096", "many", "0"]) {
          const before = warnings.length
          const { first, sample } = yield* start(
            Machine.version2("/a/b", {
              ...group2("/sys/fs/cgroup/a/b", limit, GiB),
              ...group2("/sys/fs/cgroup/a", limit, GiB)
            })
          )
          assert.approximately(first.load, machineLoad, 1e-9)
          for (let i = 0; i < 5; i++) yield* sample
          assert.deepStrictEqual(warnings.slice(before).map((line) => line.split(" (")[0]), [
            "/sys/fs/cgroup/a/b/memory.max cannot be understood"
          ])
        }
      })))

    it.effect("a bad limit does not hide a good one", () =>
      Effect.gen(function*() {
        const { first } = yield* start(
          Machine.version2("/a/b", {
            ...group2("/sys/fs/cgroup/a/b", "many", GiB),
            ...group2("/sys/fs/cgroup/a", `${512 * MiB}`, 384 * MiB)
          })
        )
        assert.strictEqual(first.load, 0.75)
      }))

    it.effect("an unreadable limit is left out with one warning that names file and reason", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const { machine, sample } = yield* start(
          Machine.version2("/app", group2("/sys/fs/cgroup/app", `${512 * MiB}`, 256 * MiB))
        )
        machine.obstruct("/sys/fs/cgroup/app/memory.max")
        assert.approximately((yield* sample).load, machineLoad, 1e-9)
        yield* sample
        assert.deepStrictEqual(warnings, [
          "/sys/fs/cgroup/app/memory.max cannot be read (EISDIR); load signals go on without it"
        ])
      })))

    it.effect("an unreadable file that should be there is not said to be missing, and a missing one not to be all of /proc", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const { machine, sample } = yield* start(
          Machine.version2("/app", group2("/sys/fs/cgroup/app", `${512 * MiB}`, 256 * MiB))
        )
        for (const file of ["/sys/fs/cgroup/app/memory.current", "/sys/fs/cgroup/app/memory.stat", "/proc/meminfo"]) {
          machine.obstruct(file)
          yield* sample
          assert.include(warnings.at(-1), `${file} cannot be read (EISDIR)`)
        }
        machine.remove("/proc/self/cgroup")
        assert.isFinite((yield* sample).load)
        assert.strictEqual(warnings.length, 4)
        assert.strictEqual(warnings[3], "There is no /proc/self/cgroup; load signals go on without it")
      })))

    it.effect("a group whose use is unknown is judged by what the process holds", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const { machine, sample } = yield* start(
          Machine.version2("/app", group2("/sys/fs/cgroup/app", `${200 * MiB}`, 10 * MiB))
        )
        machine.write({ "/sys/fs/cgroup/app/memory.current": "-5\n" })
        assert.strictEqual((yield* sample).load, 0.75)
        yield* sample
        assert.strictEqual(warnings.length, 1)
      })))

    it.effect("without memory.stat all use counts", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const { machine, sample } = yield* start(
          Machine.version2("/app", group2("/sys/fs/cgroup/app", `${200 * MiB}`, 190 * MiB, 100 * MiB))
        )
        machine.remove("/sys/fs/cgroup/app/memory.stat")
        assert.strictEqual((yield* sample).load, 0.95)
        yield* sample
        assert.strictEqual(warnings.length, 1)
      })))

    it.effect("a platform without /proc is seen through node:os, with one warning", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const { first, sample } = yield* start({}, {}, { platform: "win32" })
        assert.approximately(first.load, 0.75 * 0.9 / 0.97, 1e-9)
        assert.approximately(first.own ?? NaN, 150 / 16384 * 0.9 / 0.97, 1e-9)
        yield* sample
        assert.strictEqual(warnings.length, 1)
        assert.include(warnings[0], "node:os")
      })))

    it.effect("a machine of unknown size: limits that are known decide, nothing is stale", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const node: Partial<Host.Node> = {
          totalMemory: () => 0,
          freeMemory: () => 0,
          residentMemory: () => {
            throw new Error("ENOENT: no such file or directory, open '/proc/self/stat'")
          },
          allocatedMemory: () => 150 * MiB
        }
        const budgeted = yield* start({}, { limit: "200 MiB" }, node)
        assert.strictEqual(budgeted.first.load, 0.75)
        assert.strictEqual(budgeted.first.own, 0.75)
        yield* budgeted.sample
        const toldOf = warnings.filter((line) => line.includes("the memory of this process"))
        assert.strictEqual(toldOf.length, 1)
        const free = yield* start({}, {}, node)
        assert.approximately(free.first.load, 10 / 4096, 1e-9)
        const grouped = yield* start(
          {
            ...Machine.version2("/app", group2("/sys/fs/cgroup/app", `${512 * MiB}`, 384 * MiB)),
            "/proc/meminfo": "nothing\n"
          },
          {},
          node
        )
        assert.strictEqual(grouped.first.load, 0.75)
      })))

    it.effect("macOS: memory that is merely not free is not taken for used", () =>
      Effect.gen(function*() {
        const { first } = yield* start({}, {}, { platform: "darwin", freeMemory: () => 50 * MiB })
        assert.approximately(first.load, 150 / 16384 * 0.9 / 0.97, 1e-9)
        assert.isFalse(first.isOverloaded)
      }))

    it.effect("Windows tells what is available", () =>
      Effect.gen(function*() {
        const { first } = yield* start({}, {}, { platform: "win32" })
        assert.approximately(first.load, 0.75 * 0.9 / 0.97, 1e-9)
      }))

    it.effect("malformed or hidden /proc/meminfo: what the process holds stands in, with one warning", () =>
      Effect.gen(function*() {
        const { "/proc/meminfo": _, ...hidden } = Machine.unlimited // as ProcSubset=pid of systemd hides it
        for (const files of [{ ...Machine.unlimited, "/proc/meminfo": "MemTotal: some\n" }, hidden]) {
          yield* Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
            const cache: Partial<Host.Node> = { freeMemory: () => 10 * MiB } // all else are pages of files, which Node.js cannot tell
            const { first, sample } = yield* start(files, {}, cache)
            assert.approximately(first.load, 100 / 16384 * 0.9 / 0.97, 1e-9)
            yield* sample
            assert.strictEqual(warnings.length, 1)
            assert.include(warnings[0], "/proc/meminfo")
          }))
        }
      }))

    it.effect("malformed /proc/self/cgroup: no group, one warning", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const { first, sample } = yield* start({
          ...Machine.version2("/app", group2("/sys/fs/cgroup/app", `${512 * MiB}`, 500 * MiB)),
          "/proc/self/cgroup": "garbage"
        })
        assert.approximately(first.load, machineLoad, 1e-9)
        yield* sample
        assert.strictEqual(warnings.length, 1)
      })))
  })

  describe("without /proc", () => {
    const blind: Partial<Host.Node> = {
      residentMemory: () => {
        throw new Error("ENOENT: no such file or directory, uv_resident_set_memory")
      },
      allocatedMemory: () => 150 * MiB
    }

    it.effect("a limit set by hand works from what V8 and its buffers hold; one warning says so", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const { first, sample, snapshots } = yield* start({}, { limit: "200 MiB" }, blind)
        assert.strictEqual(first.load, 0.75)
        assert.strictEqual(first.own, 0.75)
        for (let i = 0; i < 5; i++) yield* sample
        assert.strictEqual(snapshots.length, 6)
        const own = warnings.filter((warning) => warning.includes("the memory of this process"))
        assert.strictEqual(own.length, 1)
        assert.include(own[0], "set maxConcurrency")
        assert.strictEqual(warnings.length, 2)
      })))

    it.effect("the free memory that such a Node.js tells is not taken for what is available", () =>
      Effect.gen(function*() {
        const { first } = yield* start({}, {}, { ...blind, freeMemory: () => 10 * MiB })
        assert.approximately(first.load, 150 / 16384 * 0.9 / 0.97, 1e-9)
      }))
  })

  describe("options", () => {
    it.effect("the defaults are those of the design", () =>
      Effect.gen(function*() {
        const signal = yield* NodeMemory.signal()
        assert.deepInclude(signal, { name: "memory", target: 0.9, overloadedRatio: 0.2 })
      }))

    it.effect("a sample is taken every 250 milliseconds, or as told", () =>
      Effect.gen(function*() {
        const { snapshots } = yield* start(Machine.unlimited)
        const slow = yield* start(Machine.unlimited, { every: "1 second" })
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(snapshots.map(({ at }) => at), [0, 250, 500, 750, 1000])
        assert.deepStrictEqual(slow.snapshots.map(({ at }) => at), [0, 1000])
      }))

    it.effect("an invalid option is an InvalidOptionsError that names the option", () =>
      Effect.gen(function*() {
        const refusedField = (options: NodeMemory.Options) =>
          Effect.map(Effect.flip(NodeMemory.signal(options)), (error) => {
            assert.strictEqual(error._tag, "InvalidOptionsError")
            return error.field
          })
        assert.strictEqual(yield* refusedField({ every: 0 }), "every")
        assert.strictEqual(yield* refusedField({ every: Infinity }), "every")
        assert.strictEqual(yield* refusedField({ target: -1 }), "target")
        assert.strictEqual(yield* refusedField({ overloadedRatio: 1.1 }), "overloadedRatio")
        assert.strictEqual(yield* refusedField({ limit: 0 }), "limit")
        assert.strictEqual(yield* refusedField({ limit: -5 }), "limit")
        assert.strictEqual(yield* refusedField({ limit: 512 }), "limit") // of MiB, no doubt
        assert.strictEqual(yield* refusedField({ limit: "900 kB" }), "limit")
      }))
  })
})
