import * as NodeCpu from "@autoscaled-pool/platform-node/NodeCpu"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type * as Host from "../../packages/platform-node/src/internal/host/host.ts"
import * as processTree from "../../packages/platform-node/src/internal/host/processTree.ts"
import * as Machine from "./machine.ts"

const start = Effect.fnUntraced(function*(
  files: Machine.Files,
  options: NodeCpu.Options = {},
  node: Partial<Host.Node> = {}
) {
  const machine = yield* Machine.make(files)
  const host = yield* Machine.hostOf(machine, node)
  const snapshots = yield* Machine.follow(yield* NodeCpu.signalOf(host, options))
  const sample = Effect.map(TestClock.adjust("500 millis"), () => snapshots[snapshots.length - 1])
  return { machine, snapshots, sample }
})

const counter = () => {
  let millis = 0
  return { read: () => millis, add: (more: number) => void (millis += more) }
}

describe("NodeCpu", () => {
  describe("the machine", () => {
    it.effect("load is what was used since the last sample, never since boot", () =>
      Effect.gen(function*() {
        const { machine, sample, snapshots } = yield* start({
          ...Machine.unlimited,
          "/proc/stat": Machine.cpuStat({ user: 1000, idle: 1_000_000 })
        })
        assert.strictEqual(snapshots.length, 0)
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 1025, idle: 1_000_025 }) })
        assert.strictEqual((yield* sample).load, 0.5)
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 1074, idle: 1_000_026 }) })
        const busy = yield* sample
        assert.strictEqual(busy.load, 0.98)
        assert.isTrue(busy.isOverloaded)
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 1074, idle: 1_000_076 }) })
        assert.strictEqual((yield* sample).load, 0)
      }))

    it.effect("stolen time is load", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start(Machine.unlimited)
        machine.write({ "/proc/stat": Machine.cpuStat({ steal: 40, idle: 1010 }) })
        assert.strictEqual((yield* sample).load, 0.8)
      }))

    it.effect("only the CPUs that the process may run on count", () =>
      Effect.gen(function*() {
        const cpu = (name: string, user: number, idle: number) => `${name} ${user} 0 0 ${idle} 0 0 0 0 0 0\n`
        const process = counter()
        const { machine, sample } = yield* start(
          {
            ...Machine.unlimited,
            "/proc/self/status": Machine.status({ cpus: "1" }),
            "/proc/stat": cpu("cpu0", 0, 0) + cpu("cpu1", 0, 1)
          },
          {},
          { cpuUsage: process.read }
        )
        process.add(250)
        machine.write({ "/proc/stat": cpu("cpu0", 0, 50) + cpu("cpu1", 50, 1) })
        const snapshot = yield* sample
        assert.strictEqual(snapshot.load, 1)
        assert.strictEqual(snapshot.own, 0.5)
      }))

    const lines = (...cpus: ReadonlyArray<readonly [name: number, user: number, idle: number]>) =>
      cpus.map(([name, user, idle]) => `cpu${name} ${user} 0 0 ${idle} 0 0 0 0 0 0\n`).join("")

    const loadOf = Effect.fnUntraced(
      function*(allowed: string, busy: ReadonlyArray<readonly [number, number]>, files = {}) {
        const { machine, sample } = yield* start({
          ...Machine.unlimited,
          "/proc/self/status": Machine.status({ cpus: allowed }),
          "/proc/stat": lines(...busy.map(([cpu]) => [cpu, 10, 10] as const)),
          ...files
        })
        machine.write({
          "/proc/stat": lines(...busy.map(([cpu, share]) => [cpu, 10 + 50 * share, 60 - 50 * share] as const))
        })
        return (yield* sample).load
      }
    )

    const lxcfs = {
      "/proc/self/mountinfo": `${
        Machine.mountLine(2, "/sys/fs/cgroup")
      }99 31 0:50 /proc/stat /proc/stat rw - fuse.lxcfs lxcfs rw\n`
    }

    it.effect("CPUs that lxcfs numbers anew all count: half busy is 0.5", () =>
      Effect.gen(function*() {
        for (const [half, other] of [[1, 0], [0, 1], [0.5, 0.5]]) {
          assert.strictEqual(yield* loadOf("1,5", [[0, half], [1, other]]), 0.5)
          assert.strictEqual(yield* loadOf("4-5", [[0, half], [1, other]]), 0.5)
          assert.strictEqual(yield* loadOf("1-2", [[0, half], [1, other]]), 0.5)
          assert.strictEqual(
            yield* loadOf("1,5", [[0, half], [1, other]], { "/sys/devices/system/cpu/offline": "\n" }),
            0.5
          )
          assert.strictEqual(yield* loadOf("0-1", [[0, half], [1, other]], lxcfs), 0.5)
        }
        // A quota of one CPU, too, makes lxcfs show one line.
        assert.strictEqual(yield* loadOf("1,5", [[0, 0.5]]), 0.5)
      }))

    it.effect("where lxcfs numbers anew, the cpuset of a group tells which line is whose", () =>
      Effect.gen(function*() {
        for (
          const [membership, mount, file] of [
            ["0::/c\n", Machine.mountLine(2, "/sys/fs/cgroup"), "/sys/fs/cgroup/c/cpuset.cpus.effective"],
            ["3:cpuset:/c\n", Machine.mountLine(1, "/cs", { controllers: "cpuset" }), "/cs/c/cpuset.effective_cpus"]
          ]
        ) {
          const files = {
            "/proc/self/cgroup": membership,
            "/proc/self/mountinfo": lxcfs["/proc/self/mountinfo"] + mount,
            [file]: "1,5,7\n"
          }
          assert.strictEqual(yield* loadOf("5", [[0, 0], [1, 1], [2, 0]], files), 1)
          assert.strictEqual(yield* loadOf("1,5", [[0, 0], [1, 1], [2, 1]], files), 0.5)
        }
      }))

    it.effect("CPUs that are offline, or that there are not, do not count; the kernel's numbers may have gaps", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* loadOf("0-127", [[0, 1], [1, 0]]), 0.5)
        assert.strictEqual(yield* loadOf("1,5", [[0, 1], [1, 0]], { "/sys/devices/system/cpu/offline": "2-7\n" }), 0)
        assert.strictEqual(yield* loadOf("1,5", [[0, 0], [1, 1], [2, 0]]), 1)
        assert.strictEqual(yield* loadOf("2,3", [[0, 0], [2, 1]]), 1)
        assert.strictEqual(yield* loadOf("2,4", [[0, 0], [2, 1], [4, 0]]), 0.5)
      }))

    it.effect("counters that went back, as after a migration, are no load", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start({
          ...Machine.unlimited,
          "/proc/stat": Machine.cpuStat({ user: 1000, idle: 1000 })
        })
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 900, idle: 1200 }) })
        assert.strictEqual((yield* sample).load, 0)
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 10, idle: 10 }) })
        assert.strictEqual((yield* sample).load, 0)
      }))
  })

  describe("own", () => {
    it.effect("is this process as a share of all CPUs", () =>
      Effect.gen(function*() {
        const process = counter()
        process.add(123_456)
        const { machine, sample } = yield* start(Machine.unlimited, {}, { cpuUsage: process.read })
        process.add(1000)
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 40, idle: 1010 }) })
        const snapshot = yield* sample
        assert.strictEqual(snapshot.load, 0.8)
        assert.strictEqual(snapshot.own, 0.5)
      }))

    const family: Machine.Files = {
      "/sys/fs/cgroup/cgroup.procs": "1\n100\n101\n102\n999\n",
      "/proc/1/stat": Machine.processStat(1, 0),
      "/proc/100/stat": Machine.processStat(100, 1),
      "/proc/101/stat": Machine.processStat(101, 100, { user: 1000 }),
      "/proc/102/stat": Machine.processStat(102, 101, { user: 1000 }),
      "/proc/999/stat": Machine.processStat(999, 1, { user: 1000 })
    }

    it.effect("includes running children and theirs, and no stranger", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start({ ...Machine.unlimited, ...family })
        machine.write({
          "/proc/stat": Machine.cpuStat({ user: 50, idle: 1000 }),
          "/proc/101/stat": Machine.processStat(101, 100, { user: 1050 }),
          "/proc/102/stat": Machine.processStat(102, 101, { user: 1050 }),
          "/proc/999/stat": Machine.processStat(999, 1, { user: 1050 })
        })
        yield* sample
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 100, idle: 1000 }) })
        assert.strictEqual((yield* sample).own, 0.25)
      }))

    it.effect("includes children that ended, once", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start({ ...Machine.unlimited, ...family })
        machine.write({
          "/proc/stat": Machine.cpuStat({ user: 50, idle: 1000 }),
          "/proc/self/stat": Machine.processStat(100, 1, { ended: 1100 }),
          "/proc/100/stat": Machine.processStat(100, 1, { ended: 1100 }),
          "/proc/102/stat": Machine.processStat(102, 1, { user: 1000 })
        })
        machine.remove("/proc/101")
        yield* sample
        // 101 ended with 11 seconds, of which 10 were known. 102 has lost its parent and goes on.
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 100, idle: 1000 }) })
        assert.strictEqual((yield* sample).own, 0.25)
        machine.write({
          "/proc/stat": Machine.cpuStat({ user: 150, idle: 1000 }),
          "/proc/self/stat": Machine.processStat(100, 1, { ended: 1300 })
        })
        yield* sample
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 200, idle: 1000 }) })
        assert.strictEqual((yield* sample).own, 0.5)
      }))
  })

  describe("children", () => {
    /** A thousand children, two in one of them, and strangers before and after. */
    const crowd = (size: number): Machine.Files => ({
      ...Machine.unlimited,
      "/proc/1/stat": Machine.processStat(1, 0),
      "/proc/50/stat": Machine.processStat(50, 1, { user: 9999 }),
      "/proc/51/stat": Machine.processStat(51, 50, { user: 9999 }),
      ...Object.fromEntries(
        Array.from({ length: size }, (_, index) => [`/proc/${101 + index}/stat`, Machine.processStat(101 + index, 100)])
      )
    })

    it.effect("a child among a thousand that burns a CPU shows within 2 seconds, and so does its end", () =>
      Effect.gen(function*() {
        for (const pid of [101, 600, 1100]) {
          const { machine, sample } = yield* start(crowd(1000))
          for (let i = 0; i < 6; i++) yield* sample
          let ticks = 0
          const use = (childTicks: number) => {
            ticks += 50
            machine.write({
              "/proc/stat": Machine.cpuStat({ user: ticks, idle: 1000 }),
              [`/proc/${pid}/stat`]: Machine.processStat(pid, 100, { user: childTicks })
            })
            return sample
          }
          let child = 0
          for (let i = 0; i < 3; i++) yield* use(child += 50)
          const burning = yield* use(child += 50)
          assert.isAbove(burning.own ?? 0, 0.08, `${pid}`)
          for (let i = 0; i < 3; i++) yield* use(child)
          assert.isBelow((yield* use(child)).own ?? 1, 0.17)
        }
      }))

    it.effect("one look reads a bounded number of processes, the first look too", () =>
      Effect.gen(function*() {
        const machine = yield* Machine.make(crowd(3000))
        const host = yield* Machine.hostOf(machine)
        let reads = 0
        const files = {
          ...host.files,
          optional: (...[path, parse]: Parameters<typeof host.files.optional>) => {
            reads++
            return host.files.optional(path, parse)
          }
        }
        const tree = processTree.make(files as typeof host.files)
        const readsOf = (now: number) => {
          reads = 0
          tree.children(now)
          return reads
        }
        assert.isBelow(readsOf(0), 2300)
        for (let now = 250; now < 10_000; now += 250) assert.isBelow(readsOf(now), 600, `${now}`)
        // However long nobody asked.
        assert.isBelow(readsOf(600_000), 2300)
        assert.strictEqual(tree.children(600_000).threads, 3000 * 11)
      }))

    it.effect("a child that starts counts from then on; strangers never do, also where numbers begin anew", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start(crowd(2))
        for (let i = 0; i < 2; i++) yield* sample
        machine.write({
          "/proc/stat": Machine.cpuStat({ user: 100, idle: 1000 }),
          "/proc/7/stat": Machine.processStat(7, 101, { user: 50 }),
          "/proc/8/stat": Machine.processStat(8, 1, { user: 50 })
        })
        yield* sample
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 150, idle: 1000 }) })
        assert.strictEqual((yield* sample).own, 0.125)
      }))

    it.effect("a number that is given to another process is not taken for the one that had it", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start(crowd(2))
        for (let i = 0; i < 2; i++) yield* sample
        const stranger = Machine.processStat(102, 50, { user: 5000 }).replace(" 0 5 6 7", " 0 99 6 7")
        machine.write({ "/proc/102/stat": stranger, "/proc/stat": Machine.cpuStat({ user: 50, idle: 1000 }) })
        yield* sample
        machine.write({ "/proc/stat": Machine.cpuStat({ user: 100, idle: 1000 }) })
        assert.strictEqual((yield* sample).own, 0)
      }))

    it.effect("grandchildren that end count once, whenever their parent is looked at", () =>
      Effect.gen(function*() {
        for (const parent of [101, 103]) {
          const child = parent === 101 ? 102 : 101
          const { machine, sample } = yield* start({
            ...crowd(3),
            [`/proc/${parent}/stat`]: Machine.processStat(parent, 100),
            [`/proc/${child}/stat`]: Machine.processStat(child, parent, { user: 1000 })
          })
          let ticks = 0
          const use = (files: Machine.Files = {}) => {
            machine.write({ "/proc/stat": Machine.cpuStat({ user: ticks += 50, idle: 1000 }), ...files })
            return sample
          }
          for (let i = 0; i < 4; i++) yield* use()
          machine.remove(`/proc/${child}`)
          const owns = [yield* use({ [`/proc/${parent}/stat`]: Machine.processStat(parent, 100, { ended: 1050 }) })]
          for (let i = 0; i < 7; i++) owns.push(yield* use())
          assert.isBelow(Math.max(...owns.map(({ own }) => own ?? 1)), 0.13, `${parent}`)
        }
      }))
  })

  it.effect("under a quota the machine counts too, if it is the busier", () =>
    Effect.gen(function*() {
      const process = counter()
      const group = (usedMillis: number) => ({
        "/sys/fs/cgroup/app/cpu.max": "100000 100000\n",
        "/sys/fs/cgroup/app/cpu.stat": `usage_usec ${usedMillis * 1000}\n`
      })
      const { machine, sample } = yield* start(Machine.version2("/app", group(0)), {}, { cpuUsage: process.read })
      process.add(50)
      machine.write({ ...group(50), "/proc/stat": Machine.cpuStat({ user: 49, idle: 1001 }) })
      const full = yield* sample
      assert.strictEqual(full.load, 0.98)
      assert.isTrue(full.isOverloaded)
      assert.strictEqual(full.own, 0.025)
      process.add(400)
      machine.write({ ...group(450), "/proc/stat": Machine.cpuStat({ user: 69, idle: 1031 }) })
      const own = yield* sample
      assert.approximately(own.load, 0.8, 1e-9)
      assert.approximately(own.own ?? NaN, 0.8, 1e-9)
    }))

  describe("quotas of version 2", () => {
    const group = (directory: string, quota: string, usedMillis: number): Machine.Files => ({
      [`${directory}/cpu.max`]: `${quota}\n`,
      [`${directory}/cpu.stat`]: `usage_usec ${usedMillis * 1000}\nuser_usec 1\nnr_throttled 0\n`
    })

    it.effect("load is the use of the quota, own this process's part of it", () =>
      Effect.gen(function*() {
        const process = counter()
        const { machine, sample } = yield* start(
          Machine.version2("/app", group("/sys/fs/cgroup/app", "150000 100000", 90_000)),
          {},
          { cpuUsage: process.read }
        )
        process.add(375)
        machine.write(group("/sys/fs/cgroup/app", "150000 100000", 90_600))
        const snapshot = yield* sample
        assert.approximately(snapshot.load, 0.8, 1e-9)
        assert.approximately(snapshot.own ?? NaN, 0.5, 1e-9)
      }))

    it.effect("the smallest quota and the smallest rest count, wherever they are", () =>
      Effect.gen(function*() {
        const files = (own: number, parent: number) => ({
          ...group("/sys/fs/cgroup/a/b", "100000 100000", own),
          ...group("/sys/fs/cgroup/a", "200000 100000", parent)
        })
        const { machine, sample } = yield* start(Machine.version2("/a/b", files(0, 0)))
        machine.write(files(100, 950))
        assert.approximately((yield* sample).load, 0.9, 1e-9)
      }))

    it.effect("a quota of an ancestor alone is found", () =>
      Effect.gen(function*() {
        const files = (used: number) => ({
          ...group("/sys/fs/cgroup/a/b", "max 100000", used),
          ...group("/sys/fs/cgroup/a", "50000 100000", used)
        })
        const { machine, sample } = yield* start(Machine.version2("/a/b", files(0)))
        machine.write(files(125))
        assert.approximately((yield* sample).load, 0.5, 1e-9)
      }))

    it.effect("no quota, or one of all CPUs or more, is none", () =>
      Effect.gen(function*() {
        for (const quota of ["max 100000", "400000 100000", "900000 100000"]) {
          const { machine, sample } = yield* start(
            Machine.version2("/app", group("/sys/fs/cgroup/app", quota, 0))
          )
          machine.write({
            ...group("/sys/fs/cgroup/app", quota, 500),
            "/proc/stat": Machine.cpuStat({ user: 10, idle: 1040 })
          })
          assert.strictEqual((yield* sample).load, 0.2)
        }
      }))

    it.effect("a quota that moves between samples is followed", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start(
          Machine.version2("/app", group("/sys/fs/cgroup/app", "200000 100000", 0))
        )
        machine.write(group("/sys/fs/cgroup/app", "200000 100000", 500))
        assert.approximately((yield* sample).load, 0.5, 1e-9)
        machine.write(group("/sys/fs/cgroup/app", "100000 100000", 1000))
        const tight = yield* sample
        assert.approximately(tight.load, 1, 1e-9)
        assert.isTrue(tight.isOverloaded)
        machine.write({ "/sys/fs/cgroup/app/cpu.max": "max 100000\n" })
        assert.strictEqual((yield* sample).load, 0)
      }))

    it.effect("a malformed quota is left out with one warning", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        for (const quota of ["", "-1 100000", "0 100000", "50000", "much 100000"]) {
          const before = warnings.length
          const { machine, sample } = yield* start(
            Machine.version2("/a/b", {
              ...group("/sys/fs/cgroup/a/b", quota, 0),
              ...group("/sys/fs/cgroup/a", quota, 0)
            })
          )
          machine.write({ "/proc/stat": Machine.cpuStat({ user: 10, idle: 1040 }) })
          assert.strictEqual((yield* sample).load, 0.2)
          yield* sample
          assert.strictEqual(warnings.length - before, 1, quota)
        }
      })))
  })

  describe("quotas of version 1", () => {
    const group = (quota: string, usedMillis: number): Machine.Files => ({
      "/cg/cpu/app/cpu.cfs_quota_us": `${quota}\n`,
      "/cg/cpu/app/cpu.cfs_period_us": "100000\n",
      "/cg/cpu/cpu.cfs_quota_us": "-1\n",
      "/cg/cpu/cpu.cfs_period_us": "100000\n",
      "/cg/cpuacct/app/cpuacct.usage": `${usedMillis * 1e6}\n`,
      "/cg/cpuacct/cpuacct.usage": `${usedMillis * 3e6}\n`
    })
    const files = (account: string): Machine.Files => ({
      ...Machine.unlimited,
      "/proc/self/cgroup": `3:cpu:/app\n2:cpuacct:${account}\n0::/\n`,
      "/proc/self/mountinfo": Machine.mountLine(1, "/cg/cpu", { controllers: "cpu" }) +
        Machine.mountLine(1, "/cg/cpuacct", { controllers: "cpuacct" }) + Machine.mountLine(2, "/cg/unified")
    })

    it.effect("load is what the accounting hierarchy counted for the group with the quota", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start({ ...files("/app"), ...group("50000", 1000) })
        machine.write(group("50000", 1200))
        assert.approximately((yield* sample).load, 0.8, 1e-9)
      }))

    it.effect("the process's own use stands in where the hierarchies differ", () =>
      Effect.gen(function*() {
        const process = counter()
        const { machine, sample } = yield* start({ ...files("/other"), ...group("50000", 1000) }, {}, {
          cpuUsage: process.read
        })
        process.add(100)
        machine.write(group("50000", 9000))
        assert.approximately((yield* sample).load, 0.4, 1e-9)
      }))

    it.effect("-1 is no quota", () =>
      Effect.gen(function*() {
        const { machine, sample } = yield* start({ ...files("/app"), ...group("-1", 1000) })
        machine.write({ ...group("-1", 9000), "/proc/stat": Machine.cpuStat({ user: 10, idle: 1040 }) })
        assert.strictEqual((yield* sample).load, 0.2)
      }))
  })

  describe("other platforms", () => {
    it.effect("CPU times come from node:os, with one warning", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        let busy = 1000
        let total = 2000
        const process = counter()
        const { sample } = yield* start({}, {}, {
          platform: "win32",
          cpuTimes: () => ({ cpus: 2, busy, total }),
          cpuUsage: process.read
        })
        busy += 75
        total += 100
        process.add(500)
        const snapshot = yield* sample
        assert.strictEqual(snapshot.load, 0.75)
        assert.strictEqual(snapshot.own, 0.5)
        yield* sample
        assert.strictEqual(warnings.length, 1)
      })))

    it.effect("a Node.js that throws without /proc leaves no signal stale: one warning for each thing it cannot tell", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const refuse = () => {
          throw new Error("ENOENT: no such file or directory, uv_cpu_info")
        }
        const { sample, snapshots } = yield* start({}, {}, { cpuTimes: refuse, cpuUsage: refuse })
        for (let i = 0; i < 5; i++) yield* sample
        assert.deepStrictEqual(snapshots.map(({ load }) => load), [0, 0, 0, 0, 0])
        assert.strictEqual(warnings.length, 3)
        for (const warning of warnings.slice(1)) assert.include(warning, "set maxConcurrency")
      })))

    it.effect("where nothing tells the machine's use, this process's own stands in", () =>
      Effect.gen(function*() {
        const process = counter()
        const { sample } = yield* start({}, {}, {
          cpuTimes: () => ({ cpus: 0, busy: 0, total: 0 }),
          cpuUsage: process.read
        })
        process.add(250)
        assert.strictEqual((yield* sample).load, 0.5)
      }))
  })

  it.effect("two signals have a baseline each", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make(Machine.unlimited)
      const host = yield* Machine.hostOf(machine)
      const first = yield* Machine.follow(yield* NodeCpu.signalOf(host, {}))
      yield* TestClock.adjust("250 millis")
      machine.write({ "/proc/stat": Machine.cpuStat({ user: 10, idle: 1010 }) })
      const second = yield* Machine.follow(yield* NodeCpu.signalOf(host, {}))
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual(first.map(({ at, load }) => ({ at, load })), [{ at: 500, load: 0.5 }])
      machine.write({ "/proc/stat": Machine.cpuStat({ user: 20, idle: 1010 }) })
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual(second.map(({ at, load }) => ({ at, load })), [{ at: 750, load: 1 }])
    }))

  it.effect("a long interval shortens the first sample only", () =>
    Effect.gen(function*() {
      const { snapshots } = yield* start(Machine.unlimited, { every: "10 seconds" })
      yield* TestClock.adjust("25 seconds")
      assert.deepStrictEqual(snapshots.map(({ at }) => at), [1000, 10_000, 20_000])
    }))

  it.effect("the defaults are those of the design; an invalid option is an InvalidOptionsError", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* NodeCpu.signal(), { name: "cpu", target: 0.95, overloadedRatio: 0.4 })
      const refusedField = (options: NodeCpu.Options) =>
        Effect.map(Effect.flip(NodeCpu.signal(options)), (error) => error.field)
      assert.strictEqual(yield* refusedField({ every: "0 seconds" }), "every")
      assert.strictEqual(yield* refusedField({ target: NaN }), "target")
      assert.strictEqual(yield* refusedField({ overloadedRatio: -0.1 }), "overloadedRatio")
    }))
})
