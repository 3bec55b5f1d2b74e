/**
 * The options that every store has, read and checked against each other once.
 */
import { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LeaseOptions } from "../../QueueStore.ts"

/** All in milliseconds. */
export interface Lease {
  readonly pollInterval: number
  readonly lockRefreshInterval: number
  readonly lockExpiration: number
  readonly commandTimeout: number
  readonly settleTimeout: number
  readonly onUnavailable: "fail" | "wait"
}

/** How many refreshes a lease lasts at least: one may come late and one may fail. */
const refreshesPerLease = 3

const isSome = (millis: number): boolean => millis > 0 && Number.isFinite(millis)

const millisOf = (field: string, value: Duration.Input): Effect.Effect<number, InvalidOptionsError> =>
  Option.match(Duration.fromInput(value).pipe(Option.map(Duration.toMillis), Option.filter(isSome)), {
    onNone: () =>
      Effect.fail(
        new InvalidOptionsError({
          field,
          value,
          remedy: `Use a finite duration longer than 0, such as "10 seconds"; a plain number is milliseconds.`
        })
      ),
    onSome: Effect.succeed
  })

export const read = Effect.fnUntraced(function*(
  options: LeaseOptions
): Effect.fn.Return<Lease, InvalidOptionsError> {
  const pollInterval = yield* millisOf("pollInterval", options.pollInterval ?? "1.2 seconds")
  const lockRefreshInterval = yield* millisOf("lockRefreshInterval", options.lockRefreshInterval ?? "10 seconds")
  const lockExpiration = yield* millisOf("lockExpiration", options.lockExpiration ?? "60 seconds")
  const commandTimeout = yield* millisOf("commandTimeout", options.commandTimeout ?? "5 seconds")
  const settleTimeout = yield* millisOf("settleTimeout", options.settleTimeout ?? "5 seconds")
  const { onUnavailable = "fail" } = options
  if (lockExpiration < refreshesPerLease * lockRefreshInterval) {
    return yield* new InvalidOptionsError({
      field: "lockExpiration",
      value: `${lockExpiration} ms`,
      remedy: `Use at least ${refreshesPerLease} times lockRefreshInterval, which is ${lockRefreshInterval} ms: ` +
        "a lease that runs out before it is refreshed lets two workers have one item."
    })
  }
  if (options.commandTimeout !== undefined && commandTimeout > lockRefreshInterval) {
    return yield* new InvalidOptionsError({
      field: "commandTimeout",
      value: `${commandTimeout} ms`,
      remedy: `Use at most lockRefreshInterval, which is ${lockRefreshInterval} ms: ` +
        "a store that hangs must be noticed while there is time to refresh the leases."
    })
  }
  if (onUnavailable !== "fail" && onUnavailable !== "wait") {
    return yield* new InvalidOptionsError({
      field: "onUnavailable",
      value: onUnavailable,
      remedy: `Use "fail" or "wait".`
    })
  }
  return {
    pollInterval,
    lockRefreshInterval,
    lockExpiration,
    commandTimeout: Math.min(commandTimeout, lockRefreshInterval),
    settleTimeout,
    onUnavailable
  }
})

/** What Effect's stores take of it. */
export const locking = ({ lockExpiration, lockRefreshInterval, pollInterval }: Lease) => ({
  pollInterval,
  lockRefreshInterval,
  lockExpiration
})
