/**
 * Runs in a guest whose control groups are of version 2: makes groups with limits, starts itself inside each, and
 * compares what the signals say with the group's own files. A line per check, "ok" or "not ok".
 */
import { AutoscaledPool, ScalingPolicy, SystemStatus } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect, Logger } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"

const MB = 1024 * 1024
const top = "/sys/fs/cgroup"

const numberIn = (file: string): number => {
  const text = fs.readFileSync(file, "utf8").trim()
  return text === "max" ? Infinity : Number(text)
}

const statOf = (group: string, field: string): number =>
  Number(new RegExp(`^${field} (\\d+)$`, "m").exec(fs.readFileSync(`${group}/memory.stat`, "utf8"))?.[1])

const signal = (name: string) =>
  Effect.map(SystemStatus.SystemStatus.use((status) => status.current), (info) => info.signals[name])

/** The signal's word once it is steady; signals are as quick as ever while a pool runs. */
const steady = (name: string, pause = 3000) => Effect.delay(signal(name), pause)

const inPool = <A>(effect: Effect.Effect<A, never, SystemStatus.SystemStatus>, options: NodeSystemStatus.Options) =>
  AutoscaledPool.forEach([0], () => effect).pipe(
    Effect.map(([result]) => result),
    Effect.provide(NodeSystemStatus.layer(options)),
    Effect.provide(Logger.layer([]))
  )

const hold = (megabytes: number): Buffer => {
  const buffer = Buffer.allocUnsafeSlow(megabytes * MB)
  for (let offset = 0; offset < buffer.length; offset += 4096) buffer[offset] = 1
  return buffer
}

const near = (what: string, value: number, expected: number, tolerance: number): void => {
  if (!(Math.abs(value - expected) <= tolerance)) throw new Error(`${what} is ${value}, expected ${expected}`)
}

const memoryAlone = { cpu: false, eventLoop: false, client: false, processes: false } as const

/** Holds some of a limit, and wants the load of what cannot be taken away: this machine has no files on a disk. */
const memoryOf = (group: string, limitOf: () => number) =>
  inPool(
    Effect.gen(function*() {
      const held: Array<Buffer> = []
      for (const megabytes of [100, 150]) {
        held.push(hold(megabytes))
        const { load } = yield* steady("memory")
        near("load", load, (statOf(group, "anon") + statOf(group, "kernel")) / limitOf(), 0.06)
      }
      const { own, load } = yield* signal("memory")
      near("own", own, load, 0.15)
      return `${held.length} times held, load ${load.toFixed(2)}`
    }),
    memoryAlone
  )

const tasksOf = (policy: ScalingPolicy.ScalingPolicy, task: Effect.Effect<void>, options: NodeSystemStatus.Options) =>
  AutoscaledPool.forEach(Array.from({ length: 80 }), () => task, {
    policy,
    concurrencySettings: { desiredConcurrency: 4, maxConcurrency: 50 },
    discard: true
  }).pipe(Effect.provide(NodeSystemStatus.layer(options)), Effect.provide(Logger.layer([])))

const heavy = Effect.acquireUseRelease(
  Effect.sync(() => hold(30)),
  () => Effect.sleep("500 millis"),
  (held) => Effect.sync(() => void (held.buffer as ArrayBuffer).transfer(0)) // as `hold` made it
)

const spawning = Effect.callback<void>((resume) => {
  const child = spawn("sleep", ["0.5"], { stdio: "ignore" })
  child.once("error", (error) => resume(Effect.die(error)))
  child.once("exit", () => resume(Effect.void))
})

interface Check {
  /** What to write into which file, below the group `outer` or `outer/inner`. */
  readonly limits: Readonly<Record<string, string>>
  readonly run: Effect.Effect<string, unknown>
  readonly mayBeKilled?: boolean
}

const outer = `${top}/outer`
const inner = `${outer}/inner`
const finished = (run: Effect.Effect<void, unknown>) => Effect.as(run, "all finished")

const checks: Readonly<Record<string, Check>> = {
  "memory.max": {
    limits: { "inner/memory.max": `${512 * MB}` },
    run: memoryOf(inner, () => numberIn(`${inner}/memory.max`))
  },
  "memory.high": {
    limits: { "inner/memory.max": `${900 * MB}`, "inner/memory.high": `${600 * MB}` },
    run: memoryOf(inner, () => numberIn(`${inner}/memory.high`))
  },
  "memory.max of an ancestor": {
    limits: { "memory.max": `${600 * MB}` },
    run: memoryOf(inner, () => numberIn(`${outer}/memory.max`))
  },
  "memory.pressure": {
    limits: { "inner/memory.max": `${512 * MB}` },
    run: Effect.sync(() => fs.readFileSync(`${inner}/memory.pressure`, "utf8").split("\n")[0])
  },
  "cpu.max": {
    limits: { "inner/cpu.max": "50000 100000" },
    run: inPool(
      Effect.gen(function*() {
        const calm = yield* steady("cpu")
        const burner = spawn("sh", ["-c", "while :; do :; done"], { stdio: "ignore" })
        const full = yield* steady("cpu", 6000)
        burner.kill("SIGKILL")
        if (!(full.load > 0.8)) throw new Error(`load ${full.load} with a quota that is used up`)
        if (!(full.own > 0.6)) throw new Error(`own ${full.own} with a child that uses the quota up`)
        return `load ${calm.load.toFixed(2)}, then ${full.load.toFixed(2)}, own ${full.own.toFixed(2)}`
      }),
      { memory: false, eventLoop: false, client: false, processes: false }
    )
  },
  "pids.max": {
    limits: { "inner/pids.max": "40" },
    run: Effect.gen(function*() {
      const options = { cpu: false, memory: false, eventLoop: false, client: false } as const
      const { load } = yield* inPool(steady("processes"), options)
      near("load", load, numberIn(`${inner}/pids.current`) / 40, 0.05)
      return yield* finished(tasksOf(ScalingPolicy.adaptive(), spawning, options))
    })
  },
  "a fixed concurrency is killed": {
    limits: { "inner/memory.max": `${400 * MB}` },
    run: finished(Effect.forEach(Array.from({ length: 80 }), () => heavy, { concurrency: 50, discard: true })),
    mayBeKilled: true
  },
  "stepRatio is not": {
    limits: { "inner/memory.max": `${400 * MB}` },
    run: finished(tasksOf(ScalingPolicy.stepRatio(), heavy, memoryAlone))
  },
  "adaptive is not": {
    limits: { "inner/memory.max": `${400 * MB}` },
    run: finished(tasksOf(ScalingPolicy.adaptive(), heavy, memoryAlone))
  }
}

const inside = async (name: string): Promise<void> => {
  try {
    console.log(`told ${await Effect.runPromise(checks[name].run)}`)
  } catch (error) {
    console.log(`told ${String(error)}`)
    process.exit(1)
  }
}

const outcomeOf = (name: string) =>
  new Promise<{ readonly told: string; readonly isKilled: boolean; readonly code: number | null }>((resolve) => {
    const command = `echo $$ > ${inner}/cgroup.procs && exec node /suite.mjs "$0"`
    const child = spawn("sh", ["-c", command, name], { stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text) => output += text)
    child.once("close", (code, signal) => {
      const told = /told (.*)/.exec(output)?.[1] ?? output
      resolve({ told, isKilled: signal === "SIGKILL", code })
    })
  })

const controllers = "+memory +cpu +pids"

const outside = async (): Promise<void> => {
  fs.writeFileSync(`${top}/cgroup.subtree_control`, controllers)
  for (const [name, { limits, mayBeKilled = false }] of Object.entries(checks)) {
    fs.mkdirSync(outer)
    fs.writeFileSync(`${outer}/cgroup.subtree_control`, controllers)
    fs.mkdirSync(inner)
    for (const [file, value] of Object.entries(limits)) fs.writeFileSync(`${outer}/${file}`, value)
    const begin = performance.now()
    const { code, isKilled, told } = await outcomeOf(name)
    const isAsItShould = mayBeKilled ? isKilled : code === 0
    const seconds = ((performance.now() - begin) / 1000).toFixed(0)
    console.log(`${isAsItShould ? "ok" : "not ok"} ${name} (${seconds} s): ${isKilled ? "killed" : told}`)
    for (let tries = 0; fs.existsSync(outer) && tries < 50; tries++) {
      try {
        fs.rmdirSync(inner)
        fs.rmdirSync(outer)
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }
}

await (process.argv[2] === undefined ? outside() : inside(process.argv[2]))
