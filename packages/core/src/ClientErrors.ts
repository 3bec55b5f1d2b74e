/**
 * The `"client"` signal: rate-limit answers of a service that tasks call. A task reports each such answer; the signal
 * compares their number with the number that is allowed, and a policy learns which tasks met one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as rules from "./internal/options/rules.ts"
import { CurrentTask } from "./internal/run/currentTask.ts"
import type { InvalidOptionsError } from "./InvalidOptionsError.ts"
import * as LoadSignal from "./LoadSignal.ts"

/**
 * The number of rate-limit answers reported so far.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientErrors {
  readonly add: (count: number) => void
  readonly total: () => number
}

const makeUnsafe = (): ClientErrors => {
  let total = 0
  return { add: (count) => void (total += count), total: () => total }
}

/**
 * Where reports are counted: one counter for the whole process, unless a program provides its own with {@link layer}.
 *
 * @category services
 * @since 0.1.0
 */
export const ClientErrors: Context.Reference<ClientErrors> = Context.Reference<ClientErrors>(
  "@autoscaled-pool/core/ClientErrors",
  { defaultValue: makeUnsafe }
)

/**
 * A counter of its own for what is built and run under it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.sync(ClientErrors, makeUnsafe)

/**
 * Reports that the service a task calls has answered with a rate limit (HTTP 429 or the like). Call it inside the task,
 * which usually goes on to wait and retry.
 *
 * **Details**
 *
 * The answer counts for the `"client"` signal, and the task counts as a rejection in what a `ScalingPolicy` observes,
 * once, however often it reports. Outside a task only the signal hears of it.
 *
 * **Example** (Reporting a refusal before a retry)
 *
 * ```ts import.meta.vitest
 * import { ClientErrors } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * let calls = 0
 * const call = Effect.suspend(() => ++calls < 3 ? Effect.fail({ status: 429 }) : Effect.succeed("page"))
 * const task = call.pipe(
 *   Effect.tapError((error) => error.status === 429 ? ClientErrors.report : Effect.void),
 *   Effect.retry({ times: 5 })
 * )
 *
 * await Effect.runPromise(task) // => "page"
 * ```
 *
 * @category reporting
 * @since 0.1.0
 */
export const report: Effect.Effect<void> = Effect.withFiber((fiber) => {
  fiber.getRef(ClientErrors).add(1)
  fiber.getRef(CurrentTask)?.reject()
  return Effect.void
})

/**
 * The signal `"client"`: `load` is the number of new rate-limit answers per interval over the number allowed.
 *
 * **Details**
 *
 * - `allowed`: answers per interval that are no overload, above 0, default 3.
 * - `every`: the interval, default 1 second.
 * - `overloadedRatio`: the share of a window's time that may be overloaded, 0 to 1, default 0.3.
 *
 * Each run of the constructor counts from its own moment on: make one signal per `SystemStatus`. An invalid option is an `InvalidOptionsError`.
 *
 * @category signals
 * @since 0.1.0
 */
export const signal = (options: {
  readonly allowed?: number | undefined
  readonly every?: Duration.Input | undefined
  readonly overloadedRatio?: number | undefined
} = {}): Effect.Effect<LoadSignal.LoadSignal, InvalidOptionsError> =>
  Effect.gen(function*() {
    const { overloadedRatio = 0.3 } = options
    const every = yield* Effect.fromResult(rules.read(rules.interval, "every", options.every ?? "1 second"))
    const allowed = yield* Effect.fromResult(rules.read(rules.positiveFinite, "allowed", options.allowed ?? 3))
    const errors = yield* ClientErrors
    let seen = errors.total()
    let seenAt: number | undefined
    // A sample may cover several intervals, while the signals rest: their mean counts.
    const sample = (due: number) =>
      Effect.sync(() => {
        const total = errors.total()
        const intervals = Math.max(1, Math.round((due - (seenAt ?? due)) / Duration.toMillis(every)))
        const load = (total - seen) / allowed / intervals
        seen = total
        seenAt = due
        return { load }
      })
    return yield* LoadSignal.make({ name: "client", overloadedRatio, target: 1, every, sample })
  })
