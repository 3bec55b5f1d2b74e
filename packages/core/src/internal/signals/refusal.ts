/**
 * What the answer of a service says about coming back.
 */
import * as Duration from "effect/Duration"
import * as HttpHeaders from "effect/http/Headers"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** Headers as `fetch`, undici, got and Effect's client have them. */
export type HeadersLike =
  | { readonly get: (name: string) => string | null | undefined }
  | Readonly<Record<string, string | number | ReadonlyArray<string> | null | undefined>>

/** Whether a status says that the service is asked too much: 429, and 503, which services say that are overloaded. */
export const isRefusal = (status: number): boolean => status === 429 || status === 503

/** The milliseconds after which a service may be asked again; 0 where it does not say, or says nothing that can be read. */
export const retryAfterOf = (headers: HeadersLike | undefined, wallNow: number): number => {
  const value = valueOf(headers)
  if (value === undefined) return 0
  const parsed = HttpHeaders.parseRetryAfter(value)
  if (Result.isFailure(parsed)) return 0
  return Math.min(longest, Duration.toMillis(HttpHeaders.retryAfterDelay(parsed.success, wallNow)))
}

/** A header that says more than a day is more likely wrong, as where it gives a date as seconds: to ask once a day costs little. */
const longest = 86_400_000

const name = "retry-after"

const valueOf = (headers: HeadersLike | undefined): string | undefined => {
  if (Predicate.isNullish(headers)) return undefined
  if (isGetter(headers)) return headers.get(name) ?? undefined
  const [, value] = Object.entries(headers).find(([key]) => key.toLowerCase() === name) ?? []
  const first = Array.isArray(value) ? value[0] : value
  return Predicate.isNullish(first) ? undefined : String(first)
}

const isGetter = (headers: HeadersLike): headers is Extract<HeadersLike, { readonly get: unknown }> =>
  typeof headers.get === "function"
