/**
 * The schedule of an option `retry`: what `Effect.retry` makes of the same options.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { RetryOptions } from "../../PoolOptions.ts"
import type { RetrySchedule } from "../feeds/retryFeed.ts"
import * as rules from "../options/rules.ts"

export const read = (
  options: RetryOptions<never, unknown, unknown> | undefined
): Result.Result<RetrySchedule | undefined, InvalidOptionsError> =>
  Result.gen(function*() {
    if (options === undefined) return undefined
    if (Schedule.isSchedule(options)) return yield* refuseBare(options)
    const { schedule, times, until, while: holds } = options
    yield* rules.read(rules.nonNegativeNumber, "retry.times", times ?? 0)
    yield* rules.read(rules.aFunction, "retry.while", holds ?? always)
    yield* rules.read(rules.aFunction, "retry.until", until ?? always)
    if (schedule !== undefined && !Schedule.isSchedule(schedule)) return yield* refuseSchedule(schedule)
    return scheduleOf(options)
  })

const always = () => true

/** It has none of the options, all of which may be left out: taken for them, it would mean to retry at once and for ever. */
const refuseBare = (value: unknown) =>
  Result.fail(new InvalidOptionsError({ field: "retry", value, remedy: "Give a schedule as { schedule }." }))

const refuseSchedule = (value: unknown) =>
  Result.fail(
    new InvalidOptionsError({
      field: "retry.schedule",
      value,
      remedy: "Use a Schedule, such as Schedule.exponential(\"1 second\")."
    })
  )

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
