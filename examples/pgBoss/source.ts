/**
 * A pg-boss queue as the source of a pool: jobs are fetched by hand, as tasks can start.
 */
import type { TaskSource } from "@autoscaled-pool/core"
import { Cause, Data, Effect, Exit, Schedule } from "effect"
import type { JobWithMetadata, PgBoss } from "pg-boss"

export class PgBossError extends Data.TaggedError("PgBossError")<{ readonly cause: unknown }> {}

const ask = <A>(question: () => Promise<A>) =>
  Effect.tryPromise({ try: question, catch: (cause) => new PgBossError({ cause }) })

/**
 * Failed jobs go through `fail`, so retries, delays and dead letters are as the queue's options say. Where those set
 * `heartbeatSeconds`, the job of a worker that died comes back after so long, else after `expireInSeconds`.
 */
export const make = <A>(
  boss: PgBoss,
  queue: string
): TaskSource.TaskSource<JobWithMetadata<A>, PgBossError, never, true> => {
  const settle = async (job: JobWithMetadata<A>, exit: Exit.Exit<unknown, unknown>): Promise<unknown> => {
    if (Exit.isSuccess(exit)) return boss.complete(queue, job)
    if (!Cause.hasInterruptsOnly(exit.cause)) return boss.fail(queue, job, { message: Cause.pretty(exit.cause) })
    await boss.cancel(queue, job) // given back
    return boss.resume(queue, job.id)
  }
  const alive = (job: JobWithMetadata<A>) =>
    job.heartbeatSeconds === null ? Effect.never : ask(() => boss.touch(queue, job)).pipe(
      Effect.ignore,
      Effect.schedule(Schedule.spaced(`${job.heartbeatSeconds / 3} seconds`)),
      Effect.andThen(Effect.never)
    )
  return {
    settlesFailures: true,
    take: (handle) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const [job] = yield* ask(() => boss.fetch<A>(queue, { batchSize: 1, includeMetadata: true }))
          if (job === undefined) return "Empty" as const
          const exit = yield* Effect.exit(restore(Effect.raceFirst(handle(job), alive(job))))
          yield* ask(() => settle(job, exit))
          return yield* Effect.as(exit, "Taken" as const)
        })
      )
  }
}
