/**
 * Whether a pool whose tasks hold JavaScript objects lives within V8's heap: `HEAP_RUNS` runs of each policy under each
 * limit, beside a fixed concurrency of the same maximum, and how much of the best fixed throughput it gets.
 */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as memoryLimit from "../tests/platform-node/memoryLimit.ts"
import type { HeapRun } from "./heapProgram.ts"
import type { Effort, Question } from "./question.ts"
import type { Goal, Table } from "./report.ts"

interface Setting {
  readonly name: string
  readonly nodeFlags: ReadonlyArray<string>
  /** Of the control group, where there is one. */
  readonly groupLimit?: number
  readonly megabytes: number
  readonly tasks: number
  readonly fixed: ReadonlyArray<number>
}

const oldSpace = (megabytes: number) => ({
  name: `--max-old-space-size=${megabytes}`,
  nodeFlags: [`--max-old-space-size=${megabytes}`]
})

/** In each, 50 tasks at once need half as much again as there is. */
const settings: ReadonlyArray<Setting> = [
  { ...oldSpace(200), megabytes: 6, tasks: 100, fixed: [8, 12, 16, 20, 24] },
  { ...oldSpace(512), megabytes: 20, tasks: 60, fixed: [8, 12, 16, 20, 24] },
  {
    name: "the default of a 512 MB group",
    nodeFlags: [],
    groupLimit: 512 * 2 ** 20,
    megabytes: 8,
    tasks: 100,
    fixed: [8, 12, 16, 20]
  }
]

const policies = ["stepRatio", "adaptive"]
const most = "50"

/** Undefined where V8 or the kernel ended the process. */
const runOnce = (setting: Setting, contender: string, amount: string): Promise<HeapRun | undefined> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const group = setting.groupLimit === undefined ? undefined : yield* memoryLimit.make(setting.groupLimit)
    const program = fileURLToPath(new URL("./heapProgram.ts", import.meta.url))
    const node = [process.execPath, ...setting.nodeFlags, program, "json", contender, `${setting.megabytes}`, amount]
    const enter = group === undefined ? "" : `echo $$ > "${group}/cgroup.procs" && `
    return yield* Effect.callback<HeapRun | undefined>((resume) => {
      const child = execFile("/bin/sh", ["-c", `${enter}exec "$@"`, "sh", ...node], (error, stdout) => {
        resume(Effect.succeed(error === null ? JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") : undefined))
      })
      return Effect.sync(() => child.kill("SIGKILL"))
    })
  })))

const times = async <A>(count: number, run: () => Promise<A>): Promise<ReadonlyArray<A>> => {
  const results: Array<A> = []
  for (let i = 0; i < count; i++) results.push(await run())
  return results
}

const survival = async (
  setting: Setting,
  runs: number
): Promise<{ rows: Table["rows"]; goals: ReadonlyArray<Goal> }> => {
  const rows: Array<ReadonlyArray<string>> = []
  const goals: Array<Goal> = []
  for (const contender of [most, ...policies]) {
    const results = await times(contender === most ? 1 : runs, () => runOnce(setting, contender, `${setting.tasks}`))
    const finished = results.filter((run) => run !== undefined)
    const highest = (of: (run: HeapRun) => number) =>
      finished.length === 0 ? "–" : Math.max(...finished.map(of)).toFixed(0)
    rows.push([
      setting.name,
      contender === most ? `${most}, fixed` : contender,
      `${finished.length} of ${results.length}`,
      highest((run) => run.peakConcurrency),
      highest((run) => run.peakHeap)
    ])
    if (contender === most) continue
    goals.push({
      what: `heap, ${setting.name}, ${contender}: runs that finish`,
      bound: ">=",
      limit: 1,
      value: finished.length / results.length
    })
  }
  return { rows, goals }
}

/** Means of several rounds, in which the contenders take turns: a machine is not equally fast all the time. */
const throughput = async (setting: Setting, seconds: number, rounds: number) => {
  const rates = new Map<string, number>()
  for (let round = 0; round < rounds; round++) {
    for (const contender of ["adaptive", ...setting.fixed.map(String)]) {
      const rate = (await runOnce(setting, contender, `${seconds}s`))?.perSecond ?? 0
      rates.set(contender, (rates.get(contender) ?? 0) + rate / rounds)
    }
  }
  const adaptive = rates.get("adaptive") ?? 0
  rates.delete("adaptive")
  const best = Math.max(...rates.values())
  const [concurrency = ""] = [...rates].find(([, rate]) => rate === best) ?? []
  const goal: Goal = {
    what: `heap, ${setting.name}, adaptive over the best fixed`,
    bound: ">=",
    limit: 0.7,
    value: adaptive / best
  }
  return { row: [setting.name, adaptive.toFixed(1), best.toFixed(1), concurrency], goal }
}

const scales = {
  Quick: { runs: 1, seconds: 2, rounds: 1, settings: settings.slice(0, 1) },
  Full: { runs: Number(process.env.HEAP_RUNS ?? 3), seconds: 20, rounds: 3, settings }
} satisfies Record<Effort, unknown>

export const heap: Question = {
  key: "heap",
  title: "Does a pool whose tasks hold JavaScript objects live within V8's heap?",
  ask: async (effort) => {
    const { rounds, runs, seconds, settings } = scales[effort]
    const possible = settings.filter(({ groupLimit }) => groupLimit === undefined || memoryLimit.obstacle === undefined)
    const survivals = []
    const rates = []
    for (const setting of possible) survivals.push(await survival(setting, runs))
    for (const setting of possible) rates.push(await throughput(setting, seconds, rounds))
    return {
      notes: [
        "Tasks parse JSON of some megabytes and hold it for 400 ms. The memory signal alone holds back.",
        ...possible.length < settings.length ? [`Without a control group (${memoryLimit.obstacle}).`] : []
      ],
      tables: [
        {
          title: "Runs that finish",
          columns: ["limit", "", "finished", "peak in flight", "peak heap, MB"],
          rows: survivals.flatMap(({ rows }) => rows)
        },
        {
          title: `Tasks a second in the second half of ${seconds} s, means of ${rounds} turns`,
          columns: ["limit", "adaptive", "best fixed", "at"],
          rows: rates.map(({ row }) => row)
        }
      ],
      goals: effort === "Quick" ? [] : [...survivals.flatMap(({ goals }) => goals), ...rates.map(({ goal }) => goal)]
    }
  }
}
