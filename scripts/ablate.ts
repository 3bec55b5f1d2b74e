/**
 * What each part of the adaptive law is worth: the law without it, on the same workloads and seeds as the whole law.
 *
 *   node scripts/ablate.ts --generated 50000-50099 --seed 71,72,73
 *
 * A part is taken out of the source as it is loaded, so that the law itself has no switches. With `--double` it is each
 * number of `tuning.ts` that is doubled instead. A part whose text is not found any more ends the run.
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

const guard = (name: string): Change => ({
  name: `guard: ${name}`,
  file: "guards.ts",
  from: "[lost, exceeded, unused, blind, collapsed]",
  to: `[lost, exceeded, unused, blind, collapsed].filter((guard) => guard !== ${name})`
})

const shapesBut = (which: string, name: string): Change => ({
  name: `memory: ${name}`,
  file: "model/memory.ts",
  from: "shapes.map((shape, i)",
  to: `shapes.filter(${which}).map((shape, i)`
})

const parts: ReadonlyArray<Change> = [
  ...["lost", "exceeded", "unused", "blind", "collapsed"].map(guard),
  shapesBut("({ growth, lag }) => growth === 0.25 && lag === 0", "one shape"),
  shapesBut("({ lag }) => lag === 0", "no shape for garbage"),
  { name: "memory: rise", file: "admission/foresight.ts", from: "tuning.foresight * model.rise", to: "0" },
  {
    name: "memory: what starts explain",
    file: "model/memory.ts",
    from: "return trust * Math",
    to: "return 0 * trust * Math"
  },
  { name: "memory: peak", file: "admission/memory.ts", from: "|| peak > highest", to: "" },
  {
    name: "memory: dear tasks that grow on",
    file: "admission/foresight.ts",
    from: "excess * shared",
    to: "0 * shared"
  },
  { name: "memory: room to stray", file: "limits/memory.ts", from: "tuning.safety * stray", to: "0 * stray" },
  { name: "memory: spare room", file: "admission/memory.ts", from: "tuning.spare * stray", to: "0 * stray" },
  { name: "memory: late reports", file: "model/memory.ts", from: "? tuning.hidden : 0", to: "? 0 : 0" },
  {
    name: "memory: ample room",
    file: "admission/memory.ts",
    from: "< most) return Infinity",
    to: "< 0) return Infinity"
  },
  { name: "memory: seldom below it", file: "stages/moves.ts", from: "? tuning.firmly : 1", to: "? 1 : 1" },
  { name: "resources: idle event loop", file: "limits/resources.ts", from: "tuning.beyond *", to: "1 *" },
  { name: "resources: used up", file: "limits/resources.ts", from: "load > tuning.exhausted", to: "load > Infinity" },
  { name: "losses: put up with", file: "limits/backoff.ts", from: "share > tuning.worst", to: "share > 0" },
  { name: "losses: Little's law", file: "limits/backoff.ts", from: "served / (served + tuning.few)", to: "0" },
  { name: "losses: cooling slots", file: "model/losses.ts", from: "rejections === 0", to: "rejections >= 0" },
  { name: "losses: longer pauses", file: "limits/backoff.ts", from: "tuning.longer * before", to: "1 * before" },
  { name: "losses: larger probes", file: "limits/backoff.ts", from: "2 * step", to: "1" },
  {
    name: "cold start: memory alone",
    file: "view.ts",
    from: "tasks.areKnown(model.tasks) ? () => true : isUrgent",
    to: "() => true"
  },
  {
    name: "slow start: measures while it comes down",
    file: "guards.ts",
    from: "phase._tag === \"SlowStart\"\n    ?",
    to: "phase === null\n    ?"
  },
  {
    name: "slow start: descends first",
    file: "stages/slowStart.ts",
    from: "lower.length > 1\n    ?",
    to: "lower.length > 0\n    ?"
  },
  {
    name: "measuring: both durations",
    file: "model/reading.ts",
    from: "Math.sqrt((durations / count) * (taskTime / count))",
    to: "taskTime / count + 0 * durations"
  },
  {
    name: "measuring: what ran before ends first",
    file: "stages/measure.ts",
    from: "observation.current <=",
    to: "0 <="
  },
  { name: "descending: what was tried above", file: "stages/descending.ts", from: "above === null", to: "true" },
  { name: "following: check", file: "stages/following.ts", from: "? undefined : here", to: "? here : here" },
  { name: "following: slack", file: "stages/following.ts", from: "slackFor > wait", to: "slackFor > Infinity * wait" },
  { name: "steady: surprises", file: "stages/steady.ts", from: "samples.length < 2", to: "samples.length < Infinity" },
  { name: "steady: a second surprise", file: "stages/steady.ts", from: "if (isSurprised &&", to: "if (" },
  { name: "steady: gently down", file: "tuning.ts", from: "[1.15, 1.3, 1.6]", to: "[1.3]" },
  { name: "steady: follows a limit", file: "stages/steady.ts", from: "if (!isHeld ||", to: "if (isHeld || !isHeld ||" }
]

/** Each number of `tuning.ts` by its line, doubled. */
const doubled = (): ReadonlyArray<Change> => {
  const text = readFileSync(new URL("tuning.ts", sources), "utf8")
  const lines = text.split("\n").filter((line) => /^ {2}\w+: [\d._e-]+,? \/\//.test(line))
  return lines.map((line) => {
    const [, name, value] = /^ {2}(\w+): ([\d._e-]+)/.exec(line) ?? []
    return {
      name: `${name}: ${value}`,
      file: "tuning.ts",
      from: line,
      to: line.replace(value, String(2 * Number(value.replaceAll("_", ""))))
    }
  })
}

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
    return { format: "module-typescript", source: source.replaceAll(change.from, change.to), shortCircuit: true }
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
      only: { type: "string", default: "" },
      double: { type: "boolean", default: false }
    }
  })
  const [from, to = from] = values.generated.split("-").map(Number)
  const chosen = (values.double ? doubled() : parts).filter(({ name }) => name.includes(values.only))
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
