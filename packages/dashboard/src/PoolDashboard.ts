/**
 * A page that shows what all pools of the process do, and why, served by the process itself.
 *
 * @since 0.1.0
 */
import { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import { PoolRegistry } from "@autoscaled-pool/core/PoolRegistry"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import * as access from "./internal/access.ts"
import * as recorder from "./internal/recorder.ts"
import * as site from "./internal/site.ts"

/**
 * Options of {@link layer}.
 *
 * **Details**
 *
 * - `port`: where the page is, 0 to 65535, default 0: any port that is free.
 * - `host`: the address to listen at, default `"127.0.0.1"`, which only this machine reaches. Any other is warned of: the
 *   page is not encrypted.
 * - `allowedHosts`: names besides those of this machine by which browsers may call the page, such as
 *   `"build.example:8080"`, default none.
 * - `readOnly`: whether the page only shows and can change nothing, default `false`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly port?: number | undefined
  readonly host?: string | undefined
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  readonly readOnly?: boolean | undefined
}

/**
 * Where the page is.
 *
 * **Details**
 *
 * - `url`: the link to open, with a token that is made anew at each start. Whoever has it can see and steer the pools.
 *
 * @category services
 * @since 0.1.0
 */
export class PoolDashboard extends Context.Service<PoolDashboard, {
  readonly url: string
}>()("@autoscaled-pool/dashboard/PoolDashboard") {}

/**
 * Serves the page for as long as the layer lasts, and logs its link.
 *
 * **Details**
 *
 * The page shows all pools of the process; its history begins with the layer and is kept for a day in bounded memory. It
 * needs no network but the way to this process. An option that is invalid is an `InvalidOptionsError`; a port that is
 * taken is a `ServeError`.
 *
 * **Example** (Watching a program in the browser)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus } from "@autoscaled-pool/core"
 * import { PoolDashboard } from "@autoscaled-pool/dashboard"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { url } = yield* PoolDashboard.PoolDashboard
 *   yield* AutoscaledPool.forEach([1, 2, 3], (n) => Effect.succeed(n * 2))
 *   return url
 * }).pipe(Effect.provide(Layer.merge(PoolDashboard.layer(), SystemStatus.layerTest)))
 *
 * const url = await Effect.runPromise(program)
 * url.startsWith("http://127.0.0.1:") // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<PoolDashboard, InvalidOptionsError | ServeError> => {
  const { host = "127.0.0.1", port = 0 } = options
  const server = NodeHttpServer.layerServer(createServer, { port, host, gracefulShutdownTimeout: 0 })
  return Layer.effect(PoolDashboard, serve(options, host)).pipe(
    Layer.provide(Layer.unwrap(Effect.as(check(options), server)))
  )
}

const check = (
  { allowedHosts = [], host = "127.0.0.1", port = 0 }: Options
): Effect.Effect<void, InvalidOptionsError> => {
  const isPort = Number.isInteger(port) && port >= 0 && port <= 65_535
  if (!isPort) return refuse("port", port, "Use an integer from 0 to 65535; 0 takes any free port.")
  if (!isText(host)) return refuse("host", host, `Use the name or address to listen at, such as "127.0.0.1".`)
  if (Array.isArray(allowedHosts) && allowedHosts.every(isText)) return Effect.void
  return refuse("allowedHosts", allowedHosts, `Use an array of names, such as ["build.example:8080"].`)
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== ""

const refuse = (field: string, value: unknown, remedy: string): Effect.Effect<never, InvalidOptionsError> =>
  Effect.fail(new InvalidOptionsError({ field, value, remedy }))

const serve = Effect.fnUntraced(function*({ allowedHosts = [], readOnly = false }: Options, host: string) {
  const { address } = yield* HttpServer.HttpServer
  const registry = yield* PoolRegistry
  const clock = yield* Clock.Clock
  const port = "port" in address ? address.port : 0
  const token = randomBytes(32).toString("base64url")
  const isLocal = host === "127.0.0.1" || host === "localhost" || host === "::1"
  const names = isLocal ? access.localNames : [...access.localNames, host]
  const url = `http://${host === "::1" ? "[::1]" : host}:${port}/#token=${token}`
  const recorded = yield* recorder.make(registry, { isReadOnly: readOnly })
  const app = site.make({
    registry,
    recorder: recorded,
    tokens: new access.Tokens(token, () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6),
    hosts: new Set([...names.map((name) => `${name}:${port}`), ...allowedHosts].map((name) => name.toLowerCase())),
    isReadOnly: readOnly
  })
  yield* HttpServer.serveEffect(app)
  yield* Effect.addFinalizer(() => recorded.close)
  if (!isLocal) {
    yield* Effect.logWarning(
      `The dashboard listens at ${host}, which other machines may reach. What it sends is not encrypted: put it behind a ` +
        `proxy that does, or listen at 127.0.0.1.`
    )
  }
  yield* Effect.logInfo(`Dashboard: ${url}`)
  return { url }
})
