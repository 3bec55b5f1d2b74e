/**
 * The answers to requests: the files of the page, the stream of what happens, and orders.
 */
import type { PoolRegistry } from "@autoscaled-pool/core/PoolRegistry"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import * as access from "./access.ts"
import { carryOut, Refused } from "./controls.ts"
import * as pages from "./pages.ts"
import type { Recorder } from "./recorder.ts"

export interface Site {
  readonly registry: PoolRegistry
  readonly recorder: Recorder
  readonly tokens: access.Tokens
  /** What the Host header may say. */
  readonly hosts: ReadonlySet<string>
  readonly isReadOnly: boolean
}

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, Refused, HttpServerRequest.HttpServerRequest>

/** Pages that may watch at once: a page uses one stream. */
const mostStreams = 16
/** An order is far shorter. */
const longestBody = ByteSize.bytes(4096)

/** The answer to each request, whoever asks. */
export const make = (site: Site): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  HttpServerRequest.HttpServerRequest
> => {
  const files = pages.read()
  let streams = 0

  const events: Answer = Effect.suspend(() => {
    if (streams >= mostStreams) {
      return Effect.fail(
        new Refused({ status: 503, sentence: `${mostStreams} pages are watching already. Close one of them.` })
      )
    }
    streams++
    const body = Stream.ensuring(site.recorder.messages, Effect.sync(() => void streams--))
    return Effect.succeed(HttpServerResponse.stream(body, { contentType: "text/event-stream" }))
  })

  const order: Answer = Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (!request.headers["content-type"]?.startsWith("application/json")) {
      return yield* new Refused({ status: 415, sentence: "An order is JSON: set the content type application/json." })
    }
    const body = yield* request.json.pipe(
      Effect.mapError(() =>
        new Refused({ status: 400, sentence: `The body is no JSON, or is longer than ${longestBody} bytes.` })
      ),
      Effect.provideService(HttpIncomingMessage.MaxBodySize, longestBody)
    )
    yield* carryOut(site.registry, body)
    return HttpServerResponse.jsonUnsafe({ done: true })
  })

  /** What only the holder of the token may ask for. Where nothing may be changed, orders do not exist. */
  const guarded = new Map<string, Answer>([
    ["GET /api/events", events],
    ...site.isReadOnly ? [] : [["POST /api/orders", order] as const]
  ])

  const file = (
    { headers, method }: HttpServerRequest.HttpServerRequest,
    path: string
  ): HttpServerResponse.HttpServerResponse => {
    const found = files.get(path)
    if (found === undefined) return sentence(404, "There is nothing at this address.")
    if (method !== "GET" && method !== "HEAD") return sentence(405, "This address can only be read.")
    const { body, etag, type } = found
    if (headers["if-none-match"] === etag) return HttpServerResponse.empty({ status: 304, headers: { etag } })
    return HttpServerResponse.uint8Array(body, { contentType: type, headers: { etag } })
  }

  return Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { headers, method } = request
    const stranger = access.refuseStranger({
      method,
      host: headers["host"],
      origin: headers["origin"],
      fetchSite: headers["sec-fetch-site"]
    }, site.hosts)
    if (stranger !== undefined) return sentence(stranger.status, stranger.sentence)
    const path = request.url.split("?", 1)[0]
    const answer = guarded.get(`${method} ${path}`)
    if (answer === undefined) return file(request, path)
    const refusal = site.tokens.refuse(headers["authorization"])
    if (refusal !== undefined) return sentence(refusal.status, refusal.sentence)
    return yield* Effect.catchTag(
      answer,
      "Refused",
      (refused) => Effect.succeed(sentence(refused.status, refused.sentence))
    )
  }).pipe(Effect.map(HttpServerResponse.setHeaders(access.headers)))
}

const sentence = (status: number, text: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(`${text}\n`, { status })
