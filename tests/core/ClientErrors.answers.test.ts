/**
 * What services say of themselves: refusals and `Retry-After`, from any client, to the signal, the pool, the key and the
 * retry.
 */
import { AutoscaledPool, ClientErrors, KeyedLimits } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Cause, Clock, Duration, Effect } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { after, begin, causeOf, hasEnded, resultOf, test } from "./stage.ts"

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A client that gets these answers, one after the other, and the last one for ever. */
const answering = (...answers: ReadonlyArray<Answer>) => {
  let asked = 0
  return HttpClient.make((request) =>
    Effect.sync(() => {
      const { headers, status } = answers[Math.min(asked++, answers.length - 1)]
      return HttpClientResponse.fromWeb(request, new Response(null, { status, ...(headers ? { headers } : {}) }))
    })
  )
}

/** How long the key of a task that does this is closed afterwards, in milliseconds; and what was counted. */
const closedBy = Effect.fnUntraced(function*(task: Effect.Effect<unknown, unknown>) {
  const keys = yield* KeyedLimits.make({ key: () => "host", adapt: {} })
  const errors = yield* ClientErrors.ClientErrors
  const before = errors.total()
  const pool = yield* AutoscaledPool.forEach([1], () => Effect.ignore(task), { keys }).pipe(begin)
  if (!hasEnded(pool)) yield* after("30 seconds")
  yield* resultOf(pool)
  const [key] = (yield* keys.state).heldBack
  return { millis: key === undefined ? 0 : Duration.toMillis(key.closedFor), refusals: errors.total() - before }
})

describe("ClientErrors: answers", () => {
  test("429 and 503 are refusals, and nothing else is", function*() {
    for (const status of [200, 301, 404, 500, 502, 504]) {
      assert.deepStrictEqual(yield* closedBy(ClientErrors.reportResponse(status, { "retry-after": "9" })), {
        millis: 0,
        refusals: 0
      })
    }
    for (const status of [429, 503]) {
      assert.deepStrictEqual(yield* closedBy(ClientErrors.reportResponse(status, { "retry-after": "9" })), {
        millis: 9_000,
        refusals: 1
      })
    }
  })

  test("Retry-After is read from all kinds of headers, as seconds and as a date", function*() {
    const now = yield* Clock.currentTimeMillis
    const date = new Date(Math.ceil(now / 1000) * 1000 + 12_000).toUTCString()
    const kinds: ReadonlyArray<readonly [Parameters<typeof ClientErrors.reportResponse>[1], number]> = [
      [new Headers({ "Retry-After": "12" }), 12_000],
      [{ "retry-after": ["12"] }, 12_000],
      [{ "Retry-After": "12" }, 12_000],
      [{ date, "RETRY-AFTER": "12" }, 12_000],
      [{ "retry-after": 12 }, 12_000],
      [{ "retry-after": date }, 12_000]
    ]
    for (const [headers, millis] of kinds) {
      const closed = yield* closedBy(ClientErrors.reportResponse(429, headers))
      assert.approximately(closed.millis, millis, 1_000)
    }
  })

  test("without Retry-After, with 0, or with nonsense, the key pauses by itself", function*() {
    for (const headers of [{}, { "retry-after": "0" }, { "retry-after": "soon" }, { "retry-after": "-3" }, undefined]) {
      const closed = yield* closedBy(ClientErrors.reportResponse(429, headers))
      assert.isAtLeast(closed.millis, 500)
      assert.isAtMost(closed.millis, 1_000)
    }
  })

  test("a header that says more than a day is not believed; what the program reports is", function*() {
    const day = 86_400_000
    const now = yield* Clock.currentTimeMillis
    for (const said of ["86401", "1893456000", "9".repeat(30), new Date(now + 400 * day).toUTCString()]) {
      assert.strictEqual((yield* closedBy(ClientErrors.reportResponse(429, { "retry-after": said }))).millis, day)
    }
    const { millis } = yield* closedBy(ClientErrors.reportResponse(429, { "retry-after": "86400" }))
    assert.strictEqual(millis, day)
    assert.strictEqual((yield* closedBy(ClientErrors.reportWith({ retryAfter: "3 days" }))).millis, 3 * day)
  })

  test("a retryAfter that is no duration is refused by name; one that is negative or no number says nothing", function*() {
    const reported = (retryAfter: unknown) => ClientErrors.reportWith({ retryAfter: retryAfter as never })
    const error = Cause.squash(yield* causeOf(yield* begin(reported("soon"))))
    assert.include(String(error), "retryAfter cannot be \"soon\"")
    for (const nothing of [-5, -Infinity, "-3 seconds", NaN, 0, undefined]) {
      const { millis, refusals } = yield* closedBy(reported(nothing))
      assert.isAtLeast(millis, 500)
      assert.isAtMost(millis, 1000)
      assert.strictEqual(refusals, 1)
    }
  })

  test("a client of effect/http is tracked, inside one that retries and around one that fails by status", function*() {
    const refusing: Answer = { status: 429, headers: { "retry-after": "5" } }
    const ok: Answer = { status: 200 }
    const inside = HttpClient.retryTransient(ClientErrors.trackHttpClient(answering(refusing, refusing, ok)), {
      times: 3
    })
    const around = ClientErrors.trackHttpClient(HttpClient.filterStatusOk(answering(refusing)))
    const get = (client: HttpClient.HttpClient) => client.get("http://host.example/page")
    assert.strictEqual((yield* closedBy(get(inside))).refusals, 2)
    assert.deepStrictEqual(yield* closedBy(get(around)), { millis: 5_000, refusals: 1 })
    assert.deepStrictEqual(yield* closedBy(get(ClientErrors.trackHttpClient(answering(ok)))), {
      millis: 0,
      refusals: 0
    })
  })

  test("a tracked client is one that can be transformed, and its user says what a refusal is", function*() {
    const isRefusal = ({ status }: { readonly status: number }) => status === 403
    const client = ClientErrors.trackHttpClient(answering({ status: 403 }), { isRefusal })
    assert.strictEqual((yield* closedBy(client.get("http://host.example/"))).refusals, 1)
    const filtered = HttpClient.filterStatusOk(client)
    assert.strictEqual((yield* closedBy(filtered.post("http://host.example/"))).refusals, 1)
    const other = ClientErrors.trackHttpClient(answering({ status: 429 }), { isRefusal })
    assert.strictEqual((yield* closedBy(other.get("http://host.example/"))).refusals, 0)
  })

  test("an item that is tried again waits as long as its service said", function*() {
    const starts: Array<number> = []
    const task = () =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        starts.push(at)
        return starts.length === 1
          ? Effect.andThen(ClientErrors.reportWith({ retryAfter: "6 seconds" }), Effect.fail("refused"))
          : Effect.void
      })
    const run = yield* begin(AutoscaledPool.forEach([1], task, { retry: { times: 2 } }))
    yield* after("6 seconds")
    yield* resultOf(run)
    assert.deepStrictEqual(starts, [0, 6_000])
  })
})
