/**
 * Gzips and hashes every file of a folder at the concurrency that this machine can bear: `npm run demo`, or
 * `npm run demo -- --help` for what it can be told.
 */
import { AutoscaledPool, ScalingPolicy, TaskSource } from "@autoscaled-pool/core"
import { PoolDashboard } from "@autoscaled-pool/dashboard"
import { NodeSystemStatus, PoolProgress } from "@autoscaled-pool/platform-node"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Data, Effect, Fiber, Option, Schema, Stream } from "effect"
import { CliOutput, Command, Flag } from "effect/cli"
import { compress } from "./demo/compress.ts"
import { filesBelow, type SourceFile } from "./demo/files.ts"
import { failureOf, reportOf } from "./demo/report.ts"
import { Tally } from "./demo/tally.ts"

class DeliberateFailure extends Data.TaggedError("DeliberateFailure")<{
  readonly task: number
  readonly path: string
}> {
  override get message(): string {
    return `task ${this.task} (${this.path}) failed on purpose`
  }
}

const positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1, { message: "an integer of at least 1" }))

const policies = {
  adaptive: ScalingPolicy.adaptive(),
  stepRatio: ScalingPolicy.stepRatio({ every: "500 millis", scaleUpStepRatio: 0.2 }), // its own pace outlasts a demo
  aimd: ScalingPolicy.aimd(),
  vegas: ScalingPolicy.vegas(),
  gradient: ScalingPolicy.gradient()
}

const flags = {
  dir: Flag.Directory("dir", { mustExist: true }).pipe(
    Flag.withDescription("The folder whose files are gzipped and hashed; nothing is written (default node_modules)"),
    Flag.withDefault("node_modules")
  ),
  min: Flag.Int("min").pipe(Flag.withDescription("Tasks that may always run (default 1)"), Flag.withDefault(1)),
  max: Flag.Int("max").pipe(Flag.withDescription("Tasks that may run at most (default 64)"), Flag.withDefault(64)),
  desired: Flag.Int("desired").pipe(Flag.withDescription("Tasks to start with (default 2)"), Flag.withDefault(2)),
  policy: Flag.Literals("policy", ["adaptive", "stepRatio", "aimd", "vegas", "gradient"]).pipe(
    Flag.withDescription("The law that decides how many tasks run (default adaptive)"),
    Flag.withDefault("adaptive")
  ),
  dashboard: Flag.Boolean("dashboard").pipe(
    Flag.withDescription("Show the run on a page in the browser too; the link is printed"),
    Flag.withDefault(false)
  ),
  failAt: Flag.Int("fail-at").pipe(
    Flag.withDescription("Let this task fail on purpose"),
    Flag.withSchema(positive),
    Flag.optional
  )
}

type Options = Command.Command.Config.Infer<typeof flags>

const demo = Effect.fn(function*(options: Options) {
  if (!options.dashboard) return yield* compressAll(options)
  const stay = Effect.andThen(Console.log("The dashboard stays until Ctrl-C."), Effect.never)
  // The layer logs its link.
  yield* Effect.provide(Effect.andThen(compressAll(options), stay), PoolDashboard.layer())
})

const compressAll = Effect.fn(
  function*({ desired, dir, failAt, max, min, policy }: Options) {
    const tally = new Tally()
    // All are found first, so that the view can tell how much is left.
    const files = yield* Stream.runCollect(filesBelow(dir))
    const pool = yield* AutoscaledPool.fromSource(
      TaskSource.fromIterable(files),
      failingAt(failAt, (file) => compress(file, tally)),
      {
        name: "gzip",
        concurrencySettings: { minConcurrency: min, maxConcurrency: max, desiredConcurrency: desired },
        policy: policies[policy],
        loggingInterval: null
      }
    )
    const run = yield* Effect.forkScoped(Effect.provide(pool.run, PoolProgress.layer))
    const showReport = (report: AutoscaledPool.RunReport) => Console.log(reportOf(report, tally, files.length))

    // For Ctrl-C: `abort` waits until every task's finalizers have run, and the run ends with a report all the same.
    const abortAndReport = pool.abort.pipe(Effect.andThen(Fiber.join(run)), Effect.flatMap(showReport))

    yield* Fiber.join(run).pipe(
      Effect.tapError(() => Console.log(failureOf(tally))),
      Effect.onInterrupt(() => Effect.ignore(abortAndReport)),
      Effect.flatMap(showReport)
    )
  },
  Effect.scoped
)

const failingAt = <E, R>(failAt: Option.Option<number>, task: (file: SourceFile) => Effect.Effect<void, E, R>) => {
  let started = 0
  return (file: SourceFile): Effect.Effect<void, E | DeliberateFailure, R> =>
    ++started === Option.getOrUndefined(failAt)
      ? Effect.fail(new DeliberateFailure({ task: started, path: file.path }))
      : task(file)
}

const printError = (error: { readonly _tag: string; readonly message: string }) =>
  error._tag === "ShowHelp" ? Effect.void : Console.error(`${error._tag}: ${error.message}`)

/** A wrong flag gets one line, not the whole help. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`${event.errors.map((error) => error.message).join("; ")} (--help lists the flags)`)
      : CliOutput.defaultPresenter.present(event)
})

Command.make("demo", flags, demo).pipe(
  Command.withDescription("Gzips and hashes every file of a folder at the concurrency that this machine can bear"),
  Command.run({ version: "0.1.0" }),
  Effect.tapError(printError),
  Effect.tapDefect(Effect.logError),
  Effect.provide([NodeSystemStatus.layer(), NodeServices.layer, presenter]),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
