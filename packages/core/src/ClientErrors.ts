/**
 * The `"client"` signal: rate-limit answers of a service that tasks call. A task reports each such answer; the signal
 * compares their number with the number that is allowed, and a policy learns which tasks met one.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as rules from "./internal/options/rules.ts"
import { type HeadersLike, isRefusal, retryAfterOf } from "./internal/signals/refusal.ts"
import { CurrentTask } from "./internal/task/currentTask.ts"
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
 * once, however often it reports. Outside a task only the signal hears of it. The key of the task is told too
 * (`KeyedLimits`). See {@link reportWith} where the service says when to come back.
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
export const report: Effect.Effect<void> = Effect.withFiber((fiber) => refuse(fiber, 0))

/**
 * Reports a rate-limit answer that says when to come back.
 *
 * **Details**
 *
 * As {@link report}, and besides: the key of the task is closed for so long (`KeyedLimits`), and a pool with the option
 * `retry` does not try the item again before. `retryAfter` is a duration; 0, less, and `NaN` are the same as none. What is no
 * duration is an `InvalidOptionsError`, as a defect.
 *
 * **Example** (Passing on what the service says)
 *
 * ```ts import.meta.vitest
 * import { ClientErrors } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const task = Effect.andThen(ClientErrors.reportWith({ retryAfter: "30 seconds" }), Effect.fail("rate limit"))
 *
 * await Effect.runPromise(Effect.flip(task)) // => "rate limit"
 * ```
 *
 * @category reporting
 * @since 0.1.0
 */
export const reportWith = (options: { readonly retryAfter?: Duration.Input | undefined }): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const { retryAfter = 0 } = options
    const duration = rules.read(rules.duration, "retryAfter", retryAfter)
    return Result.isFailure(duration)
      ? Effect.die(duration.failure)
      : refuse(fiber, Duration.toMillis(duration.success))
  })

/**
 * Reports what a service has answered, if that is a rate limit: status 429 or 503, with its `Retry-After` header. A header
 * that says more than a day counts as one that says a day.
 *
 * **When to use**
 *
 * With `fetch`, undici, got, or any other client that gives a status and headers. For the client of `effect/http` there is
 * {@link trackHttpClient}.
 *
 * **Example** (With fetch)
 *
 * ```ts import.meta.vitest
 * import { ClientErrors } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const get = (url: string) =>
 *   Effect.tap(
 *     Effect.promise((signal) => fetch(url, { signal })),
 *     ({ headers, status }) => ClientErrors.reportResponse(status, headers)
 *   )
 *
 * const page = await Effect.runPromise(get("data:text/plain,hello"))
 * page.status // => 200
 * ```
 *
 * @category reporting
 * @since 0.1.0
 */
export const reportResponse = (status: number, headers?: HeadersLike | undefined): Effect.Effect<void> =>
  isRefusal(status)
    ? Effect.withFiber((fiber) =>
      refuse(fiber, retryAfterOf(headers, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()))
    )
    : Effect.void

/**
 * A client of `effect/http` that reports the rate-limit answers it gets: status 429 and 503, with their `Retry-After`.
 *
 * **Details**
 *
 * It must be the innermost: around a client that retries by itself it does not see the answers that were retried. A client
 * inside it that turns a status into an error (`HttpClient.filterStatusOk`) is understood. It neither waits nor retries.
 * A `Retry-After` of more than a day counts as one of a day.
 *
 * - `isRefusal`: which answers count, default those with status 429 or 503.
 *
 * **Example** (Tracking inside a client that retries)
 *
 * ```ts import.meta.vitest
 * import { ClientErrors } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 * import { FetchHttpClient, HttpClient } from "effect/http"
 *
 * const program = Effect.gen(function*() {
 *   const client = ClientErrors.trackHttpClient(yield* HttpClient.HttpClient).pipe(HttpClient.retryTransient({ times: 2 }))
 *   return (yield* client.get("data:text/plain,hello")).status
 * }).pipe(Effect.provide(FetchHttpClient.layer))
 *
 * await Effect.runPromise(program) // => 200
 * ```
 *
 * @category reporting
 * @since 0.1.0
 */
export const trackHttpClient = <E, R>(
  client: HttpClient.HttpClient.With<E, R>,
  options: { readonly isRefusal?: ((response: HttpClientResponse.HttpClientResponse) => boolean) | undefined } = {}
): HttpClient.HttpClient.With<E, R> => {
  const { isRefusal: refuses = ({ status }) => isRefusal(status) } = options
  const look = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
    refuses(response)
      ? Effect.withFiber((fiber) =>
        refuse(fiber, retryAfterOf(response.headers, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()))
      )
      : Effect.void
  const postprocess: typeof client.postprocess = (request) =>
    client.postprocess(request).pipe(
      Effect.tap(look),
      Effect.tapError((error) => {
        const response = responseOf(error)
        return response === undefined ? Effect.void : look(response)
      })
    )
  // What a client is made of: the module that makes clients is not loaded for the sake of programs that have none.
  return Object.assign(Object.create(Object.getPrototypeOf(client)), {
    preprocess: client.preprocess,
    postprocess,
    execute: (request: HttpClientRequest.HttpClientRequest) => postprocess(client.preprocess(request))
  })
}

/** The response that an error of a client is about, where it is about one. */
const responseOf = (error: unknown): HttpClientResponse.HttpClientResponse | undefined => {
  if (!Predicate.isTagged(error, "HttpClientError")) return undefined
  // An error with this tag is one of `effect/http`, which has the response or not.
  return (error as HttpClientError.HttpClientError).response
}

const refuse = (fiber: Fiber.Fiber<unknown, unknown>, retryAfter: number): Effect.Effect<void> => {
  fiber.getRef(ClientErrors).add(1)
  fiber.getRef(CurrentTask)?.reject(Math.max(0, retryAfter))
  return Effect.void
}

/**
 * The signal `"client"`: `load` is the number of new rate-limit answers per interval over the number allowed.
 *
 * **Details**
 *
 * - `allowed`: answers per interval that are no overload, above 0, default 3.
 * - `every`: the interval, default 1 second.
 * - `overloadedRatio`: the share of a window's time that may be overloaded, 0 to 1, default 0.3.
 *
 * Each run of the constructor counts from its own moment on: make one signal per `SystemStatus`. An invalid option is an
 * `InvalidOptionsError`.
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
