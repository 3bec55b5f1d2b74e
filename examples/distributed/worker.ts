/**
 * A worker, a process of its own: takes from the queue as many jobs as this machine can bear, until it is told to end.
 * `worker.ts STORE LEDGER-FOLDER NAME [MAXIMUM [MINIMUM]]`
 */
import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Exit, Schedule } from "effect"
import { writerTo } from "./ledger.ts"
import { type Job, jobs, layer } from "./queue.ts"

const [, , store, folder, name, maximum = "20", minimum = "1"] = process.argv
const write = writerTo(folder, name)

type Jobs = Effect.Success<typeof jobs>

/** A queue that notes in the ledger what it has been told. */
const noting = (queue: Jobs): Jobs => ({
  ...queue,
  take: (work) =>
    Effect.suspend(() => {
      let note = () => {}
      const taken = queue.take((job, delivery) => {
        note = () => write(job.number, delivery.attempts, "acknowledged")
        return work(job, delivery)
      })
      return Effect.tap(taken, () => Effect.sync(note))
    })
})

const program = Effect.gen(function*() {
  const source = TaskSource.fromPersistedQueue(noting(yield* jobs))
  const work = Effect.fn(function*({ attempts, value: { millis, number } }: TaskSource.Delivery<typeof Job.Type>) {
    yield* Effect.sync(() => write(number, attempts, "started"))
    yield* Effect.sleep(millis).pipe(
      Effect.onExit((exit) => Effect.sync(() => write(number, attempts, Exit.isSuccess(exit) ? "done" : "interrupted")))
    )
  })
  const pool = yield* AutoscaledPool.fromSource(source, work, {
    name: `worker ${name}`,
    concurrencySettings: {
      minConcurrency: Number(minimum),
      maxConcurrency: Number(maximum),
      desiredConcurrency: Math.ceil(Number(maximum) / 2)
    },
    autoscaleInterval: "500 millis",
    scaleUpStepRatio: 0.2,
    loggingInterval: null
  })
  // For the demo, which shows what its workers are doing.
  const tell = Effect.flatMap(pool.snapshot, (snapshot) => Console.log(JSON.stringify(snapshot)))
  yield* Effect.forkScoped(Effect.repeat(tell, Schedule.spaced("200 millis")))
  yield* pool.run
})

// SIGTERM interrupts the program: what runs is interrupted and given back to the queue, then the store is closed.
program.pipe(Effect.scoped, Effect.provide([NodeSystemStatus.layer(), layer(store)]), NodeRuntime.runMain)
