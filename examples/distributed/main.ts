/**
 * One queue and three workers, each a process of its own, one of which is killed and one told to end in the middle of
 * the work; at the end the ledger tells what became of every job. `npm run demo:distributed`, or
 * `npm run demo:distributed -- --help` for what it can be told.
 */
import { PoolProgress } from "@autoscaled-pool/platform-node"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Data, Effect, Option, Schedule, Stdio } from "effect"
import { CliOutput, Command, Flag } from "effect/cli"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as fleet from "./fleet.ts"
import * as ledger from "./ledger.ts"
import { linesOf, verdictOf } from "./verdict.ts"
import { lineOf, snapshotsOf } from "./view.ts"

const flags = {
  jobs: Flag.Int("jobs").pipe(Flag.withDescription("How many jobs there are (default 2000)"), Flag.withDefault(2000)),
  redis: Flag.String("redis").pipe(Flag.withDescription("URL of a Redis to use instead of a file"), Flag.optional),
  postgres: Flag.String("postgres").pipe(
    Flag.withDescription("URL of a Postgres to use instead of a file"),
    Flag.optional
  )
}

class JobsWereLost extends Data.TaggedError("JobsWereLost")<{ readonly message: string }> {}

/** Longer than any run with the default number of jobs. */
const patience = 120_000

const demo = Effect.fn(function*({ jobs, postgres, redis }: Command.Command.Config.Infer<typeof flags>) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-distributed-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  )
  const server = Option.orElse(redis, () => postgres)
  const store = Option.getOrElse(server, () => path.join(folder, "queue.db"))
  yield* Console.log(`${jobs} jobs in ${Option.isSome(server) ? new URL(store).host : "a file"}, three workers`)

  const started = Date.now()
  const workers = yield* Effect.acquireRelease(
    Effect.sync(() => ["a", "b", "c"].map((name) => fleet.startWorker(store, folder, name))),
    (workers) => Effect.sync(() => workers.forEach(({ child }) => child.kill("SIGKILL")))
  )
  const [, killed, terminated] = workers
  yield* Effect.forkScoped(Effect.promise(() => fleet.produce(store, jobs, 30)))

  const isTerminal = yield* Effect.flatMap(Stdio.Stdio, (stdio) => stdio.stdoutIsTerminal)
  const doneSoFar = () =>
    new Set(ledger.read(folder).filter(({ event }) => event === "done").map(({ job }) => job)).size
  const end = (worker: fleet.Worker, signal: "SIGKILL" | "SIGTERM", done: number) => {
    fleet.end(worker, signal)
    return Console.log(`${done} of ${jobs} jobs done, worker ${worker.name} gets ${signal}`)
  }
  const look = Effect.gen(function*() {
    const done = doneSoFar()
    if (done > jobs * 0.3 && killed.ending === undefined) yield* end(killed, "SIGKILL", done)
    if (done > jobs * 0.55 && terminated.ending === undefined) yield* end(terminated, "SIGTERM", done)
    return done
  })
  const working = Effect.repeat(look, {
    schedule: Schedule.spaced("100 millis"),
    until: (done) => done >= jobs || Date.now() - started > patience
  })
  const view = isTerminal
    ? Effect.andThen(PoolProgress.attachSnapshots(() => snapshotsOf(workers)), Effect.never)
    : Effect.repeat(Effect.suspend(() => Console.log(lineOf(workers, doneSoFar(), jobs))), Schedule.spaced("1 second"))
  yield* Effect.scoped(Effect.raceFirst(working, view))

  const took = Date.now() - started
  for (const worker of workers.filter(({ ending }) => ending === undefined)) worker.child.kill("SIGTERM")
  yield* Effect.promise(() => Promise.all(workers.map(({ ended }) => ended)))
  const endings = workers.flatMap(({ ending }) => ending ?? [])
  const verdict = verdictOf(ledger.read(folder), jobs, endings)
  yield* Console.log(linesOf(verdict).join("\n"))
  yield* Console.log(`  all of it took ${(took / 1000).toFixed(1)} s`)
  if (verdict.missing.length + verdict.unexplained.length > 0) {
    return yield* new JobsWereLost({
      message: `${verdict.missing.length} were not done, ${verdict.unexplained.length} done twice for no reason`
    })
  }
}, Effect.scoped)

const printError = (error: { readonly _tag: string; readonly message: string }) =>
  error._tag === "ShowHelp" ? Effect.void : Console.error(`${error._tag}: ${error.message}`)

const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`${event.errors.map((error) => error.message).join("; ")} (--help lists the flags)`)
      : CliOutput.defaultPresenter.present(event)
})

Command.make("demo:distributed", flags, demo).pipe(
  Command.withDescription("Three workers on one queue, two of which end in the middle of the work"),
  Command.run({ version: "0.1.0" }),
  Effect.tapError(printError),
  Effect.tapDefect(Effect.logError),
  Effect.provide([NodeServices.layer, presenter]),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
