/**
 * A limit on memory or on processes that the kernel enforces, for a test: a control group below this process's own.
 */
import { Effect, Schedule, type Scope } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as cgroup from "../../packages/platform-node/src/internal/cgroup/cgroup.ts"

const limitFiles = {
  memory: ["memory.max", "memory.limit_in_bytes"],
  pids: ["pids.max"]
}

type Controller = keyof typeof limitFiles

/** A new group; throws where the machine has none to give. */
const create = (controller: Controller): { readonly directory: string; readonly file: string } => {
  const read = (file: string) => fs.readFileSync(file, "utf8")
  const own = cgroup.hierarchyOf(
    controller,
    cgroup.parseMemberships(read("/proc/self/cgroup")) ?? [],
    cgroup.parseMounts(read("/proc/self/mountinfo")) ?? []
  )?.groups[0].directory
  if (own === undefined) throw new Error(`no control group of ${controller} is mounted`)
  const directory = fs.mkdtempSync(path.join(own, "autoscaled-pool-test-"))
  const file = limitFiles[controller].find((file) => fs.existsSync(`${directory}/${file}`))
  if (file !== undefined) return { directory, file: `${directory}/${file}` }
  fs.rmdirSync(directory)
  throw new Error(`${own} does not pass its ${controller} controller on`)
}

const obstacleOf = (controller: Controller): string | undefined => {
  try {
    fs.rmdirSync(create(controller).directory)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Why no such group can be made here, if so. */
export const obstacle: string | undefined = obstacleOf("memory")
export const obstacleOfProcesses: string | undefined = obstacleOf("pids")

const makeOf = (controller: Controller, limit: number): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { directory, file } = create(controller)
      fs.writeFileSync(file, `${limit}`)
      return directory
    }),
    (directory) =>
      Effect.try({ try: () => fs.rmdirSync(directory), catch: (cause) => cause }).pipe(
        Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 }),
        Effect.orDie
      )
  )

/** The group is removed with the scope, when its last process has ended. */
export const make = (bytes: number): Effect.Effect<string, never, Scope.Scope> => makeOf("memory", bytes)

/** Likewise, for a number of processes and threads. */
export const makeForProcesses = (count: number): Effect.Effect<string, never, Scope.Scope> => makeOf("pids", count)

export interface Outcome {
  readonly lines: ReadonlyArray<Record<string, unknown>>
  readonly code: number | null
  readonly signal: string | null
  readonly errors: string
}

/** Huge pages: with small ones a virtual machine spends more on page faults than on the tasks that hold memory. */
export const hugePages = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" }

/** Runs a program of this folder inside the group; it is killed with the scope at the latest. */
export const run = (directory: string, program: string, ...args: ReadonlyArray<string>): Effect.Effect<Outcome> =>
  Effect.callback<Outcome>((resume) => {
    const script = path.join(import.meta.dirname, "programs", program)
    const child = spawn(
      "/bin/sh",
      [
        "-c",
        `echo $$ > "$0/cgroup.procs" && exec "$@"`,
        directory,
        process.execPath,
        "--expose-gc",
        script,
        directory,
        ...args
      ],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...hugePages } }
    )
    let output = ""
    let errors = ""
    child.stdout.setEncoding("utf8").on("data", (text) => output += text)
    child.stderr.setEncoding("utf8").on("data", (text) => errors += text)
    child.on("close", (code, signal) => {
      const lines = output.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))
      resume(Effect.succeed({ lines, code, signal, errors }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
