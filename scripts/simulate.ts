/**
 * Tries policies on workloads in virtual time: prints the table, writes the page.
 *
 *   npm run simulate -- --policy adaptive,stepRatio --workload cpu4,knee --seed 1,2
 */
import {
  Comparison,
  Contestants,
  GeneratedWorkloads,
  ReferenceWorkloads,
  Report,
  type SensorFaults,
  type Workload
} from "@autoscaled-pool/simulator"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Data, Duration, Effect, Option, Stream } from "effect"
import { mkdir, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { parseArgs } from "node:util"

const usage = `npm run simulate -- [options]

  --policy NAME,...    ${Contestants.all.map(({ policy }) => policy.name).join(", ")}, fixedN;
                       default: stepRatio and adaptive
  --workload NAME,...  ${ReferenceWorkloads.all.map(({ name }) => name).join(", ")};
                       all (default), generated:N for the first N of the generator, generated-N for one of them
  --seed N,...         default 1
  --start N            concurrency to start with
  --duration TIME      virtual time of every run, such as "1 hour"; default the workload's own
  --fault NAME         noise, delay, unsplit, lowCpu, missing:SIGNAL
  --out FILE           the page; default reports/simulation.html`

class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

const wrong = (message: string) => new UsageError({ message: `${message}\n\n${usage}` })

const readArguments = Effect.try({
  try: () =>
    parseArgs({
      options: {
        policy: { type: "string" },
        workload: { type: "string", default: "all" },
        seed: { type: "string", default: "1" },
        start: { type: "string" },
        duration: { type: "string" },
        fault: { type: "string" },
        out: { type: "string", default: "reports/simulation.html" },
        help: { type: "boolean", default: false }
      }
    }).values,
  catch: (error) => wrong(error instanceof Error ? error.message : String(error))
})

const listOf = (text: string) => text.split(",").map((name) => name.trim()).filter((name) => name !== "")

const contestantOf = (name: string) =>
  Effect.mapError(Effect.fromOption(Contestants.byName(name)), () => wrong(`There is no policy "${name}".`))

const workloadsOf = (name: string): Effect.Effect<ReadonlyArray<Workload.Workload>, UsageError> => {
  if (name === "all") return Effect.succeed(ReferenceWorkloads.all)
  const [, many, one] = /^generated(?::(\d+)|-(\d+))$/.exec(name) ?? []
  if (many !== undefined) {
    return Effect.succeed(Array.from({ length: Number(many) }, (_, seed) => GeneratedWorkloads.make(seed)))
  }
  if (one !== undefined) return Effect.succeed([GeneratedWorkloads.make(Number(one))])
  const known = ReferenceWorkloads.all.find((workload) => workload.name === name)
  return known === undefined ? Effect.fail(wrong(`There is no workload "${name}".`)) : Effect.succeed([known])
}

const wholeNumber = (option: string, text: string) => {
  const value = Number(text)
  return Number.isInteger(value) && value >= 0
    ? Effect.succeed(value)
    : Effect.fail(wrong(`--${option} cannot be "${text}": give a whole number.`))
}

const durationOf = (text: string) =>
  Option.match(Duration.fromInput(text as Duration.Input), { // it judges any text
    onNone: () => Effect.fail(wrong(`--duration cannot be "${text}": give a time such as "1 hour".`)),
    onSome: Effect.succeed
  })

const faults: Readonly<Record<string, SensorFaults.SensorFaults>> = {
  noise: { noise: { cpu: 0.15, memory: 0.05, eventLoop: 0.15 } },
  delay: { delay: "2 seconds" },
  unsplit: { withoutOwn: true },
  lowCpu: { gain: { cpu: 0.75 } },
  ...Object.fromEntries(
    (["cpu", "memory", "eventLoop", "client"] as const).map((name) => [`missing:${name}`, { missing: [name] }])
  )
}

const faultOf = (name: string) =>
  Effect.mapError(Effect.fromNullishOr(faults[name]), () => wrong(`There is no fault "${name}".`))

const program = Effect.gen(function*() {
  const args = yield* readArguments
  if (args.help) return yield* Console.log(usage)
  const contestants = args.policy === undefined
    ? Contestants.policies.filter(({ policy }) => ["stepRatio", "adaptive"].includes(policy.name))
    : yield* Effect.forEach(listOf(args.policy), contestantOf)
  const runs = yield* Comparison.run({
    contestants,
    workloads: (yield* Effect.forEach(listOf(args.workload), workloadsOf)).flat(),
    seeds: yield* Effect.forEach(listOf(args.seed), (text) => wholeNumber("seed", text)),
    settings: args.start === undefined ? {} : { desiredConcurrency: yield* wholeNumber("start", args.start) },
    duration: args.duration === undefined ? undefined : yield* durationOf(args.duration),
    sensorFaults: args.fault === undefined ? undefined : yield* faultOf(args.fault)
  }).pipe(
    Stream.tap(({ result, score }) =>
      Effect.sync(() =>
        process.stderr.write(
          `${result.workload.name} ${result.policy} seed ${result.seed}: ${score.score.toFixed(2)}\n`
        )
      )
    ),
    Stream.runCollect
  )
  yield* Console.log(`\n${Report.table(runs)}\n`)
  const page = Report.html(runs, { chosen: "adaptive" })
  yield* Effect.promise(async () => {
    await mkdir(dirname(args.out), { recursive: true })
    await writeFile(args.out, page)
  })
  yield* Console.log(`The page is in ${args.out}`)
})

NodeRuntime.runMain(
  Effect.catchTag(
    program,
    "UsageError",
    ({ message }) => Effect.andThen(Console.error(message), Effect.sync(() => void (process.exitCode = 2)))
  )
)
