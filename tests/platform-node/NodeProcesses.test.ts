import { SystemStatus } from "@autoscaled-pool/core"
import * as NodeProcesses from "@autoscaled-pool/platform-node/NodeProcesses"
import * as NodeSystemStatus from "@autoscaled-pool/platform-node/NodeSystemStatus"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as cgroupPids from "../../packages/platform-node/src/internal/cgroup/cgroupPids.ts"
import * as userProcesses from "../../packages/platform-node/src/internal/host/userProcesses.ts"
import * as Machine from "./machine.ts"

const start = Effect.fnUntraced(function*(files: Machine.Files, options: NodeProcesses.Options = {}) {
  const machine = yield* Machine.make(files)
  const host = yield* Machine.hostOf(machine)
  const snapshots = yield* Machine.follow(yield* NodeProcesses.signalOf(host, options))
  const sample = Effect.map(TestClock.adjust("1 second"), () => snapshots[snapshots.length - 1])
  return { machine, snapshots, sample, first: snapshots[0] }
})

const namesOf = Effect.fnUntraced(function*(files: Machine.Files, options: NodeSystemStatus.Options = {}) {
  const host = yield* Machine.hostOf(yield* Machine.make(files))
  const current = SystemStatus.SystemStatus.use((status) => status.current)
  return yield* Effect.map(current, ({ signals }) => Object.keys(signals)).pipe(
    Effect.provide(Layer.unwrap(NodeSystemStatus.layerOf(host, options)))
  )
})

const group = (directory: string, limit: string, current: number): Machine.Files => ({
  [`${directory}/pids.max`]: `${limit}\n`,
  [`${directory}/pids.current`]: `${current}\n`
})

const limits = (soft: string) =>
  `Limit                     Soft Limit           Hard Limit           Units     
Max stack size            8388608              unlimited            bytes     
Max processes             ${soft.padEnd(21)}${soft.padEnd(21)}processes 
`

const owner = (user: number, options: { readonly threads?: number; readonly capabilities?: string } = {}) =>
  `Name:	node\nUid:	${user}	${user}	${user}	${user}\nThreads:	${options.threads ?? 1}\nCapEff:	${
    options.capabilities ?? "0000000000000000"
  }\n${Machine.status()}`

/** A user of three processes, one of them this, beside root's. */
const user: Machine.Files = {
  ...Machine.unlimited,
  "/proc/self/limits": limits("100"),
  "/proc/self/status": owner(1000, { threads: 11 }),
  "/proc/loadavg": "0.10 0.20 0.30 1/90 4711\n",
  "/proc/1/status": owner(0, { threads: 40 }),
  "/proc/100/status": owner(1000, { threads: 11 }),
  "/proc/101/status": owner(1000, { threads: 20 }),
  "/proc/102/status": owner(1000, { threads: 4 })
}

describe("NodeProcesses", () => {
  it.effect("load is what is used of pids.max, own this process's threads and its children's", () =>
    Effect.gen(function*() {
      const { first, machine, sample } = yield* start({
        ...Machine.version2("/app", group("/sys/fs/cgroup/app", "60", 45)),
        "/proc/101/stat": Machine.processStat(101, 100)
      })
      assert.strictEqual(first.load, 0.75)
      assert.approximately(first.own ?? NaN, 22 / 60, 1e-9)
      assert.isFalse(first.isOverloaded)
      assert.deepStrictEqual(first.measure, { used: 45, limit: 60, unit: "{process}", of: "pids.max of /app" })
      machine.write(group("/sys/fs/cgroup/app", "60", 55))
      assert.isTrue((yield* sample).isOverloaded)
      machine.write(group("/sys/fs/cgroup/app", "max", 55))
      assert.strictEqual((yield* sample).load, 0)
    }))

  it.effect("a limit of 0, which lets no process start, is a load like others", () =>
    Effect.gen(function*() {
      const { first } = yield* start(Machine.version2("/app", group("/sys/fs/cgroup/app", "0", 5)))
      assert.strictEqual(first.load, 6)
      assert.isAtMost(first.own ?? NaN, 11)
    }))

  it.effect("the tightest limit and the smallest rest count, wherever they are; version 1 too", () =>
    Effect.gen(function*() {
      for (
        const files of [
          {
            ...Machine.version2("/a/b", {
              ...group("/sys/fs/cgroup/a/b", "100", 20),
              ...group("/sys/fs/cgroup/a", "400", 390)
            })
          },
          {
            ...Machine.unlimited,
            "/proc/self/cgroup": "8:pids:/a/b\n0::/\n",
            "/proc/self/mountinfo": Machine.mountLine(1, "/pids", { controllers: "pids" }) +
              Machine.mountLine(2, "/sys/fs/cgroup"),
            ...group("/pids/a/b", "100", 20),
            ...group("/pids/a", "400", 390)
          }
        ]
      ) {
        const { first } = yield* start(files)
        assert.approximately(first.load, 0.9, 1e-9)
        assert.strictEqual(first.measure?.of, "pids.max of /a")
      }
    }))

  it.effect("the user's limit counts the user's threads", () =>
    Effect.gen(function*() {
      const { first, machine, sample } = yield* start(user)
      assert.strictEqual(first.load, 0.35)
      assert.strictEqual(first.measure?.of, "RLIMIT_NPROC of the user")
      // Between two counts, what the machine gains is taken for the user's.
      machine.write({ "/proc/loadavg": "0.10 0.20 0.30 1/145 4711\n" })
      const grown = yield* sample
      assert.approximately(grown.load, 0.9, 1e-9)
      machine.write({ "/proc/103/status": owner(0, { threads: 55 }) })
      for (let i = 0; i < 8; i++) yield* sample
      assert.approximately((yield* sample).load, 0.35, 1e-9)
    }))

  it.effect("while all threads of the machine are few beside the limit, nobody counts them", () =>
    Effect.gen(function*() {
      const { first } = yield* start({ ...user, "/proc/self/limits": limits("1000") })
      assert.approximately(first.load, 0.09, 1e-9)
    }))

  it.effect("no limit, no signal: unlimited, root, who may exceed it, no /proc", () =>
    Effect.gen(function*() {
      for (
        const files of [
          Machine.unlimited,
          {},
          Machine.version2("/app", group("/sys/fs/cgroup/app", "max", 55)),
          { ...user, "/proc/self/limits": limits("unlimited") },
          { ...user, "/proc/self/status": owner(0) },
          { ...user, "/proc/self/status": owner(1000, { capabilities: "0000000001000000" }) },
          { ...user, "/proc/self/limits": "garbage\n" }
        ]
      ) {
        assert.notInclude(yield* namesOf(files), "processes")
        const { sample, snapshots } = yield* start(files)
        yield* sample
        assert.deepStrictEqual(snapshots.map(({ load }) => load), [0, 0])
      }
    }))

  it.effect("a limit is found: the layer has the signal, unless it is false", () =>
    Effect.gen(function*() {
      const files = Machine.version2("/app", group("/sys/fs/cgroup/app", "60", 5))
      assert.include(yield* namesOf(files), "processes")
      assert.include(yield* namesOf(user), "processes")
      assert.notInclude(yield* namesOf(files, { processes: false }), "processes")
      // In a user namespace of its own, root's capabilities do not count for the limit.
      const inNamespace = { ...user, "/proc/self/status": owner(0), "/proc/self/uid_map": "0 100000 65536\n" }
      assert.include(yield* namesOf(inNamespace), "processes")
    }))

  it.effect("the defaults are those of the design; what is not allowed is refused, where there is no limit too", () =>
    Effect.gen(function*() {
      const signal = yield* NodeProcesses.signal()
      assert.deepInclude(signal, { name: "processes", target: 0.9, overloadedRatio: 0.2 })
      for (const target of [90, 1.01, 0, NaN]) {
        const error = yield* Effect.flip(namesOf(Machine.unlimited, { processes: { target } }))
        assert.strictEqual(error.field, "processes.target")
      }
    }))

  it("what cannot be parsed is refused", () => {
    for (const text of ["", "-1", "many", "1.5"]) assert.isUndefined(cgroupPids.parseCount(text))
    assert.strictEqual(cgroupPids.parseCount("max\n"), Infinity)
    assert.strictEqual(userProcesses.parseLimit(limits("4096")), 4096)
    assert.isUndefined(userProcesses.parseTotal("0.1 0.2 0.3\n"))
  })
})
