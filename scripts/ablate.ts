/**
 * What each part of the adaptive law is worth: the law without it, on the same workloads and seeds as the whole law.
 *
 *   node scripts/ablate.ts --generated 50000-50099 --seed 71,72,73
 *
 * A part is taken out of the source as it is loaded, so that the law itself has no switches. A part whose text is not
 * found any more ends the run.
 */
import { Comparison, type Contestants, GeneratedWorkloads, ReferenceWorkloads } from "@autoscaled-pool/simulator"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Result, Stream } from "effect"
import { readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { parseArgs } from "node:util"
import type * as adaptive from "../packages/core/src/internal/policies/adaptive.ts"

/** One change of one file of `internal/adaptive`. */
interface Change {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

const shapesBut = (which: string, name: string): Change => ({
  name: `memory: ${name}`,
  file: "memory.ts",
  from: "shapes.map((shape, i)",
  to: `shapes.filter(${which}).map((shape, i)`
})

const parts: ReadonlyArray<Change> = [
  shapesBut("({ growth, lag }) => growth === 0.25 && lag === 0", "one shape"),
  shapesBut("({ lag }) => lag === 0", "no shape for garbage"),
  { name: "memory: rise", file: "foresight.ts", from: "foresight * model.rise", to: "0" },
  {
    name: "memory: what starts explain",
    file: "memory.ts",
    from: "return trust * Math",
    to: "return 0 * trust * Math"
  },
  { name: "memory: peak", file: "allowance.ts", from: "|| peak > highest", to: "" },
  { name: "memory: dear tasks that grow on", file: "foresight.ts", from: "excess * shared", to: "0 * shared" },
  { name: "memory: room to stray", file: "memory.ts", from: "safety * stray", to: "0 * stray" },
  { name: "memory: spare room", file: "allowance.ts", from: "const margin = 1.2", to: "const margin = 0" },
  { name: "memory: ample room", file: "allowance.ts", from: "< most) return Infinity", to: "< 0) return Infinity" },
  { name: "memory: late reports (unseenFor)", file: "memory.ts", from: "? lateness : 0", to: "? 0 : 0" },
  { name: "memory: seldom below it", file: "probing.ts", from: "const firmly = 4", to: "const firmly = 1" },
  { name: "ceilings: idle event loop", file: "ceilings.ts", from: "const beyond = 1.06", to: "const beyond = 1" },
  { name: "ceilings: used up", file: "ceilings.ts", from: "load > exhausted", to: "load > Infinity" },
  { name: "losses: put up with", file: "losses.ts", from: "share > worst", to: "share > 0" },
  {
    name: "losses: cooling slots",
    file: "losses.ts",
    from: "completions.rejections > 0",
    to: "completions.rejections > Infinity"
  },
  { name: "losses: longer pauses", file: "losses.ts", from: "1.8 * before.interval", to: "before.interval" },
  { name: "losses: larger probes", file: "losses.ts", from: "Math.min(16, 2 * step)", to: "1" },
  { name: "cold start: memory alone", file: "view.ts", from: "\"ColdStart\" ? urgent", to: "\"ColdStart\" ? lowest" },
  {
    name: "cold start: no tasks that outlast",
    file: "coldStart.ts",
    from: "doOutlast ? null",
    to: "doOutlast && false ? null"
  },
  { name: "slow start: measures again", file: "slowStart.ts", from: "mostUnsure = 4", to: "mostUnsure = 1" },
  {
    name: "slow start: descends first",
    file: "slowStart.ts",
    from: "return lower.length > 1",
    to: "return lower.length > 0"
  },
  {
    name: "measuring: both durations",
    file: "measurement.ts",
    from: "(durations / count) * (taskTime / count)",
    to: "(taskTime / count) ** 2 + 0 * durations"
  },
  { name: "tracking: check", file: "tracking.ts", from: "\"Refuted\" : here", to: "here : here" },
  { name: "probing: surprises", file: "probing.ts", from: "samples.length < 2", to: "samples.length < Infinity" },
  {
    name: "probing: follows a bound",
    file: "probing.ts",
    from: "if (!wantsMore ||",
    to: "if (wantsMore || !wantsMore ||"
  },
  { name: "probing: doubles anew", file: "probing.ts", from: "probing.ups >= 2 &&", to: "probing.ups >= Infinity &&" },
  { name: "collapse", file: "collapse.ts", from: "count < collapsedShare *", to: "count < 0 *" }
]

const sources = new URL("../packages/core/src/internal/adaptive/", import.meta.url)
const changes = new Map<string, Change>()

// A changed law is loaded beside the others under an address of its own, which the modules it imports inherit.
registerHooks({
  resolve: (specifier, context, next) => {
    const resolved = next(specifier, context)
    const [, change] = /\?without=(.*)$/.exec(context.parentURL ?? "") ?? []
    return change !== undefined && /internal\/(adaptive|policies)\//.test(resolved.url)
      ? { ...resolved, url: `${resolved.url}?without=${change}` }
      : resolved
  },
  load: (url, context, next) => {
    const [, file, name] = /^(.*)\?without=(.*)$/.exec(url) ?? []
    if (file === undefined) return next(url, context)
    const change = changes.get(decodeURIComponent(name))
    const source = readFileSync(new URL(file), "utf8")
    if (change === undefined || file !== new URL(change.file, sources).href) {
      return { format: "module-typescript", source, shortCircuit: true }
    }
    if (!source.includes(change.from)) throw new Error(`${change.name}: "${change.from}" is not in ${change.file}`)
    return { format: "module-typescript", source: source.replace(change.from, change.to), shortCircuit: true }
  }
})

const lawWith = async (change: Change): Promise<Contestants.Contestant> => {
  changes.set(change.name, change)
  const address = new URL(`../policies/adaptive.ts?without=${encodeURIComponent(change.name)}`, sources)
  const { make }: typeof adaptive = await import(address.href)
  return { policy: { ...Result.getOrThrow(make({})), name: change.name } }
}

const whole: Change = { name: "the whole law", file: "law.ts", from: "", to: "" }

/** The difference to the whole law, run by run; how far chance alone would make it stray. */
const row = (name: string, runs: ReadonlyArray<Comparison.ScoredRun>): string => {
  const of = (name: string) => runs.filter(({ result }) => result.policy === name)
  const [those, full] = [of(name), of(whole.name)]
  const differences = those.map(({ score }, i) => score.score - full[i].score.score)
  const mean = differences.reduce((sum, each) => sum + each, 0) / differences.length
  const square = differences.reduce((sum, each) => sum + (each - mean) ** 2, 0)
  const error = Math.sqrt(square) / differences.length
  const [ours, all] = [Comparison.summarize(those), Comparison.summarize(full)]
  const cells = [
    name,
    mean.toFixed(4),
    error.toFixed(4),
    (ours.lowDecile - all.lowDecile).toFixed(3),
    ours.kills - all.kills
  ]
  return `| ${cells.join(" | ")} |`
}

const program = Effect.gen(function*() {
  const { values } = parseArgs({
    options: {
      generated: { type: "string", default: "50000-50019" },
      seed: { type: "string", default: "71" },
      only: { type: "string", default: "" }
    }
  })
  const [from, to = from] = values.generated.split("-").map(Number)
  const chosen = parts.filter(({ name }) => name.includes(values.only))
  const contestants = yield* Effect.promise(() => Promise.all([whole, ...chosen].map(lawWith)))
  const generated = Array.from({ length: to - from + 1 }, (_, i) => GeneratedWorkloads.make(from + i))
  const closed = ReferenceWorkloads.all.filter(({ arrivals }) => arrivals.length === 0)
  const runs = [
    ...yield* Stream.runCollect(Comparison.run({ contestants, workloads: generated })),
    ...yield* Stream.runCollect(
      Comparison.run({ contestants, workloads: closed, seeds: values.seed.split(",").map(Number) })
    )
  ]
  const { kills, lowDecile, score } = Comparison.summarize(runs.filter(({ result }) => result.policy === whole.name))
  yield* Console.log(
    `The whole law: mean ${score.toFixed(4)}, a tenth below ${lowDecile.toFixed(3)}, ${kills} kills.\n`
  )
  yield* Console.log("| without | mean | error | tenth percentile | kills |\n| --- | --- | --- | --- | --- |")
  for (const { name } of chosen) yield* Console.log(row(name, runs))
})

NodeRuntime.runMain(program)
