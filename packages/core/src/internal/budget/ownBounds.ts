/**
 * Bounds and a rate that a consumer of a shared budget has of its own.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Closed } from "../../ConcurrencyGovernor.ts"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import * as rules from "../options/rules.ts"
import { StartPace } from "./startPace.ts"

/** What a consumer may set for itself. */
export interface OwnSettings {
  readonly minConcurrency: number
  readonly maxConcurrency: number
  readonly maxTasksPerMinute: number
}

export class OwnBounds {
  settings: OwnSettings
  private readonly pace: StartPace

  constructor(settings: OwnSettings) {
    this.settings = settings
    this.pace = new StartPace(settings.maxTasksPerMinute)
  }

  get nextToken(): number {
    return this.pace.nextToken
  }

  configure(settings: OwnSettings): void {
    this.settings = settings
    this.pace.limit(settings.maxTasksPerMinute)
  }

  /**
   * Why a task that takes so many permits may not start beside those that are held, or `undefined` where it may. One that
   * takes none starts on those of another.
   */
  closedBy(now: number, held: number, permits: number): Closed | undefined {
    const { maxConcurrency } = this.settings
    if (permits > 0 && held + Math.min(permits, maxConcurrency) > maxConcurrency) return "AtOwnMaximum"
    return this.pace.nextToken > now ? "RateLimited" : undefined
  }

  take(now: number): void {
    this.pace.take(now)
  }
}

/** Reads bounds; what is left out is no bound. */
export const readOwn = (input: {
  readonly minConcurrency?: number | undefined
  readonly maxConcurrency?: number | undefined
  readonly maxTasksPerMinute?: number | undefined
  readonly desiredConcurrency?: number | undefined
}): Effect.Effect<OwnSettings, InvalidOptionsError> => Effect.fromResult(parse(input))

const parse = (input: Parameters<typeof readOwn>[0]): Result.Result<OwnSettings, InvalidOptionsError> =>
  Result.gen(function*() {
    const { desiredConcurrency, maxConcurrency = Infinity, maxTasksPerMinute = Infinity, minConcurrency = 0 } = input
    if (desiredConcurrency !== undefined) {
      return yield* Result.fail(
        new InvalidOptionsError({
          field: "desiredConcurrency",
          value: desiredConcurrency,
          remedy: "Leave it out: the governor decides how many permits there are. Change it by governor.configure."
        })
      )
    }
    yield* rules.read(rules.nonNegativeInteger, "minConcurrency", minConcurrency)
    if (maxConcurrency !== Infinity) yield* rules.read(rules.positiveInteger, "maxConcurrency", maxConcurrency)
    yield* rules.read(rules.positiveNumber, "maxTasksPerMinute", maxTasksPerMinute)
    if (minConcurrency <= maxConcurrency) return { minConcurrency, maxConcurrency, maxTasksPerMinute }
    return yield* Result.fail(
      new InvalidOptionsError({
        field: "minConcurrency",
        value: minConcurrency,
        remedy: `Use a value of at most maxConcurrency, which is ${maxConcurrency}, or raise maxConcurrency.`
      })
    )
  })
