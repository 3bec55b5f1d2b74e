/**
 * The option `rateLimit`: how a token of the shared rate is got, whatever the store of the rate does.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { RateLimitOptions } from "../../PoolOptions.ts"
import type { Reserve } from "../feeds/rateFeed.ts"
import * as rules from "../options/rules.ts"

/** How long the store of a rate may take to answer, and how long after a failure it is asked again. */
const answerLimit = "5 seconds"
const retryInterval = "1 second"

export const read = (
  options: RateLimitOptions | undefined
): Result.Result<Reserve | undefined, InvalidOptionsError> =>
  Result.gen(function*() {
    if (options === undefined) return undefined
    const { limiter } = options
    if (!Predicate.hasProperty(limiter, "consume")) {
      return yield* Result.fail(
        new InvalidOptionsError({
          field: "rateLimit.limiter",
          value: limiter,
          remedy: "Use the RateLimiter of effect/persistence: yield* RateLimiter.RateLimiter."
        })
      )
    }
    const key = yield* rules.read(rules.name, "rateLimit.key", options.key)
    const limit = yield* rules.read(rules.positiveFinite, "rateLimit.limit", options.limit)
    const window = yield* rules.read(rules.interval, "rateLimit.window", options.window)
    return reserve(Effect.map(
      limiter.consume({ key, limit, window, algorithm: "token-bucket", onExceeded: "delay" }),
      ({ delay }) => delay
    ))
  })

/** Waits where the store is away: without it nobody knows how much the others have used. */
const reserve = (consume: Effect.Effect<Duration.Duration, unknown>): Reserve =>
  Effect.suspend(() => {
    let failures = 0
    return consume.pipe(
      Effect.timeout(answerLimit),
      Effect.tapError((error) =>
        failures++ > 0
          ? Effect.void
          : Effect.logWarning(`The shared rate is not known (${messageOf(error)}). No task starts until it is.`)
      ),
      Effect.retry(Schedule.spaced(retryInterval)),
      Effect.orDie, // the schedule has no end
      Effect.tap(() => failures === 0 ? Effect.void : Effect.logInfo("The shared rate is known again."))
    )
  })

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
