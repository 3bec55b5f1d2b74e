/**
 * A BullMQ queue as the source of a pool: jobs are fetched by hand, as tasks can start, under BullMQ's own locks.
 */
import type { TaskSource } from "@autoscaled-pool/core"
import { type ConnectionOptions, type Job, Worker } from "bullmq"
import { Cause, Data, Effect, Exit, Schedule, type Scope } from "effect"
import { randomUUID } from "node:crypto"

export class BullMQError extends Data.TaggedError("BullMQError")<{ readonly cause: unknown }> {}

const ask = <A>(question: () => Promise<A>) =>
  Effect.tryPromise({ try: question, catch: (cause) => new BullMQError({ cause }) })

export interface BullMQOptions {
  readonly queue: string
  readonly connection: ConnectionOptions
  /** Milliseconds that a job stays locked by a worker that says nothing; a lock is extended twice in that time. */
  readonly lockDuration?: number
}

/** Failed jobs go through `moveToFailed`, so attempts, backoff and the failed set are as BullMQ's options say. */
export const make = Effect.fn(function*<A>(
  { connection, lockDuration = 30_000, queue }: BullMQOptions
): Effect.fn.Return<TaskSource.TaskSource<Job<A>, BullMQError, never, true>, BullMQError, Scope.Scope> {
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker<A>(queue, undefined, { connection, lockDuration }).on("error", () => {})),
    (worker) => Effect.promise(() => worker.close())
  )
  yield* ask(() => worker.waitUntilReady())
  yield* ask(() => worker.startStalledCheckTimer()) // frees the jobs of workers that died

  const settle = (job: Job<A>, token: string, exit: Exit.Exit<unknown, unknown>): Promise<unknown> => {
    if (Exit.isSuccess(exit)) return job.moveToCompleted(exit.value as never, token, false)
    if (Cause.hasInterruptsOnly(exit.cause)) return job.moveToWait(token) // given back: counts as no attempt
    const error = Cause.squash(exit.cause)
    return job.moveToFailed(error instanceof Error ? error : new Error(String(error)), token, false)
  }
  const locked = (job: Job<A>, token: string) =>
    ask(() => job.extendLock(token, lockDuration)).pipe(
      Effect.ignore,
      Effect.schedule(Schedule.spaced(lockDuration / 2))
    )

  return {
    settlesFailures: true,
    take: (handle) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const token = randomUUID()
          const job = yield* ask(() => worker.getNextJob(token, { block: false }))
          if (job === undefined) return "Empty" as const
          const exit = yield* Effect.exit(
            restore(Effect.raceFirst(handle(job), Effect.andThen(locked(job, token), Effect.never)))
          )
          yield* ask(() => settle(job, token, exit))
          return yield* Effect.as(exit, "Taken" as const)
        })
      )
  }
})
