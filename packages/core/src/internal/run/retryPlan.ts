/**
 * The schedule of an option `retry`: what `Effect.retry` makes of the same options.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { RetryOptions } from "../../PoolOptions.ts"
import type { RetrySchedule } from "../feeds/retryFeed.ts"

export const read = (
  options: RetryOptions<never, unknown, unknown> | undefined
): Result.Result<RetrySchedule | undefined, InvalidOptionsError> => {
  if (options === undefined) return Result.succeed(undefined)
  const { schedule, times } = options
  if (times !== undefined && !(times >= 0)) return refuse("times", times, "Use a number of at least 0.")
  if (schedule !== undefined && !Schedule.isSchedule(schedule)) {
    return refuse("schedule", schedule, "Use a Schedule, such as Schedule.exponential(\"1 second\").")
  }
  return Result.succeed(scheduleOf(options))
}

const refuse = (field: string, value: unknown, remedy: string) =>
  Result.fail(new InvalidOptionsError({ field: `retry.${field}`, value, remedy }))

const scheduleOf = (options: RetryOptions<never, unknown, unknown>): RetrySchedule => {
  const { schedule = Schedule.forever, times, until, while: holds } = options as RetryOptions<unknown, unknown, unknown>
  const limits = [
    holds && ((error: unknown) => holds(error)),
    until && ((error: unknown) => not(until(error)))
  ].filter((limit) => limit !== undefined)
  const limited = limits.reduce(
    (schedule: RetrySchedule, limit) => Schedule.while(schedule, ({ input }) => limit(input)),
    schedule as RetrySchedule // which failures it is given, the types of the pool see to
  )
  return times === undefined ? limited : Schedule.while(limited, ({ attempt }) => attempt <= times)
}

const not = (answer: boolean | Effect.Effect<boolean, unknown, unknown>) =>
  Effect.isEffect(answer) ? Effect.map(answer, (answer) => !answer) : !answer
