/**
 * The page's server, asked over real HTTP by something that is no browser.
 */
import { AutoscaledPool, PoolRegistry, SystemStatus } from "@autoscaled-pool/core"
import { PoolDashboard } from "@autoscaled-pool/dashboard"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import * as http from "node:http"
import * as net from "node:net"
import { collectGarbage } from "../core/stage.ts"

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

interface Dashboard {
  readonly port: number
  readonly token: string
  readonly get: (path: string, headers?: http.OutgoingHttpHeaders) => Effect.Effect<Answer>
  readonly order: (body: unknown, headers?: http.OutgoingHttpHeaders) => Effect.Effect<Answer>
  readonly ask: (options: http.RequestOptions, body?: string) => Effect.Effect<Answer>
  /** Opens the stream of what happens and reads until `enough`. */
  readonly watch: (enough: (text: string) => boolean) => Effect.Effect<string>
}

const ask = (options: http.RequestOptions, body?: string): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const request = http.request({ host: "127.0.0.1", ...options }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => text += part)
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text })))
    })
    request.on("error", (error) =>
      resume(Effect.die(error)))
    request.end(body)
  })

const watch = (port: number, token: string) => (enough: (text: string) => boolean): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let text = ""
    const request = http.get(
      { host: "127.0.0.1", port, path: "/api/events", headers: { authorization: `Bearer ${token}` } },
      (response) => {
        response.setEncoding("utf8")
        response.on("data", (part: string) => {
          text += part
          if (!enough(text)) return
          request.destroy()
          resume(Effect.succeed(text))
        })
        response.on("close", () => resume(Effect.succeed(text)))
      }
    )
    request.on("error", () => resume(Effect.succeed(text)))
    return Effect.sync(() => request.destroy())
  })

const test = (
  name: string,
  body: (
    dashboard: Dashboard
  ) => Generator<Effect.Effect<unknown, unknown, SystemStatus.SystemStatus | PoolDashboard.PoolDashboard>, void, never>,
  options: PoolDashboard.Options = {}
) =>
  it.live(name, () =>
    Effect.gen(function*() {
      const { url } = yield* PoolDashboard.PoolDashboard
      const port = Number(new URL(url).port)
      const token = url.split("#token=")[1]
      const authorization = `Bearer ${token}`
      yield* Effect.gen(() =>
        body({
          port,
          token,
          ask: (options, body) => ask({ port, ...options }, body),
          get: (path, headers = {}) => ask({ port, path, headers }),
          order: (order, headers = {}) =>
            ask({
              port,
              path: "/api/orders",
              method: "POST",
              headers: { authorization, "content-type": "application/json", ...headers }
            }, typeof order === "string" ? order : JSON.stringify(order)),
          watch: watch(port, token)
        })
      )
    }).pipe(
      Effect.provide(Layer.mergeAll(PoolDashboard.layer(options), SystemStatus.layerTest, Logger.layer([]))),
      Effect.provideService(PoolRegistry.PoolRegistry, PoolRegistry.makeUnsafe())
    ))

/** A pool with tasks that never end by themselves. */
const busy = (name: string) =>
  Effect.flatMap(
    AutoscaledPool.make({
      name,
      runTask: Effect.never,
      isTaskReady: Effect.succeed(true),
      isFinished: Effect.succeed(false),
      concurrencySettings: { maxConcurrency: 3, desiredConcurrency: 3 },
      loggingInterval: null
    }),
    (pool) => Effect.map(Effect.forkChild(pool.run, { startImmediately: true }), (run) => ({ pool, run }))
  )

describe("PoolDashboard", () => {
  test(
    "serves the page and its files to whoever has no token, with headers that let nothing else in",
    function*({ get }) {
      for (
        const path of [
          "/",
          "/index.html",
          "/app.js",
          "/pool.js",
          "/charts.js",
          "/stream.js",
          "/format.js",
          "/style.css",
          "/uplot.js",
          "/uplot.css",
          "/favicon.svg"
        ]
      ) {
        const { headers, status, text } = yield* get(path)
        assert.strictEqual(status, 200, path)
        assert.isAbove(text.length, 100, path)
        assert.include(headers["content-security-policy"], "default-src 'none'")
        assert.include(headers["content-security-policy"], "frame-ancestors 'none'")
        assert.notInclude(headers["content-security-policy"], "unsafe")
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.strictEqual(headers["referrer-policy"], "no-referrer")
        assert.strictEqual(headers["cache-control"], "no-store")
        assert.strictEqual(headers["cross-origin-resource-policy"], "same-origin")
        assert.isUndefined(headers["access-control-allow-origin"])
        assert.isUndefined(headers["set-cookie"])
        const again = yield* get(path, { "if-none-match": headers.etag })
        assert.deepStrictEqual([again.status, again.text], [304, ""])
      }
    }
  )

  test("has nothing at other addresses, whatever they climb to", function*({ ask, get }) {
    for (
      const path of [
        "/x",
        "/../package.json",
        "/%2e%2e/package.json",
        "//etc/passwd",
        "/api",
        "/api/orders",
        "/page/app.js",
        "/constructor"
      ]
    ) {
      assert.strictEqual((yield* get(path)).status, 404, path)
    }
    assert.strictEqual((yield* ask({ path: "/", method: "DELETE" })).status, 405)
  })

  test("refuses other hosts, sites and origins, each with a sentence", function*({ get, port }) {
    const refused = [
      { host: "evil.example" },
      { host: `evil.example:${port}` },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "cross-site" },
      { origin: "http://evil.example" }
    ]
    for (const headers of refused) {
      const { status, text } = yield* get("/", headers)
      assert.strictEqual(status, 403, JSON.stringify(headers))
      assert.match(text, /^The .*\.\n$/)
    }
    assert.strictEqual((yield* get("/", { host: `localhost:${port}`, "sec-fetch-site": "same-origin" })).status, 200)
  })

  test("refuses a request whose first line names another host, and one without a host", function*({ port }) {
    const raw = (head: string) =>
      Effect.callback<string>((resume) => {
        const socket = net.connect(port, "127.0.0.1", () => socket.end(head))
        let text = ""
        socket.on("data", (part) => text += part.toString())
        socket.on("close", () => resume(Effect.succeed(text)))
      })
    assert.match(
      yield* raw(`GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`),
      /^HTTP\/1.1 403/
    )
    assert.match(yield* raw("GET / HTTP/1.0\r\n\r\n"), /^HTTP\/1.1 (400|403)/)
  })

  test("gives the stream to the holder of the token alone", function*({ get, watch }) {
    assert.strictEqual((yield* get("/api/events")).status, 401)
    assert.strictEqual((yield* get("/api/events", { authorization: "Bearer wrong" })).status, 401)
    assert.strictEqual((yield* get("/api/events?token=x")).status, 401)
    assert.match(yield* watch((text) => text.includes("\n\n")), /^event: hello\ndata: \{/)
  })

  test("answers nobody's token for a while where ten were wrong", function*({ get, token }) {
    for (let n = 0; n < 10; n++) yield* get("/api/events", { authorization: `Bearer wrong-${n}` })
    const { status, text } = yield* get("/api/events", { authorization: `Bearer ${token}` })
    assert.strictEqual(status, 429)
    assert.include(text, "Wait a minute")
  })

  test("tells all pools, what they do, and every decision", function*({ watch }) {
    const { pool, run } = yield* busy("crawl")
    const reading = yield* Effect.forkChild(
      watch((text) => /event: tick\n/.test(text) && text.includes("event: decision"))
    )
    yield* Effect.sleep(200)
    yield* pool.configure({ maxConcurrency: 2 })
    const text = yield* Fiber.join(reading)
    const hello = JSON.parse(/^event: hello\ndata: (.*)$/m.exec(text)?.[1] ?? "")
    assert.deepInclude(hello.pools[0].snapshot, { name: "crawl", current: 3, desired: 3 })
    assert.isNull(hello.pools[0].snapshot.settings.maxTasksPerMinute)
    const decision = JSON.parse(/^event: decision\ndata: (.*)$/m.exec(text)?.[1] ?? "")
    assert.deepInclude(decision.decision, { from: 3, to: 2 })
    yield* Fiber.interrupt(run)
  })

  test("lets the page steer a pool", function*({ order }) {
    const { pool, run } = yield* busy("crawl")
    assert.strictEqual((yield* order({ action: "pause", pool: "crawl" })).status, 200)
    assert.isTrue((yield* pool.state).isPaused)
    yield* order({ action: "resume", pool: "crawl" })
    assert.isFalse((yield* pool.state).isPaused)
    assert.strictEqual(
      (yield* order({ action: "configure", pool: "crawl", change: { maxConcurrency: 2 } })).status,
      200
    )
    assert.strictEqual((yield* pool.settings).maxConcurrency, 2)
    for (const [told, maxTasksPerMinute] of [[6_000, 6_000], [null, Infinity]] as const) {
      yield* order({ action: "configure", pool: "crawl", change: { maxTasksPerMinute: told } })
      assert.strictEqual((yield* pool.settings).maxTasksPerMinute, maxTasksPerMinute)
    }
    const refused = yield* order({ action: "configure", pool: "crawl", change: { maxConcurrency: 0 } })
    assert.strictEqual(refused.status, 422)
    assert.include(refused.text, "maxConcurrency")
    assert.strictEqual((yield* order({ action: "abort", pool: "crawl", confirm: "crawk" })).status, 400)
    assert.strictEqual((yield* order({ action: "abort", pool: "crawl", confirm: "crawl" })).status, 200)
    assert.strictEqual((yield* Fiber.join(run)).outcome, "Aborted")
    assert.strictEqual((yield* order({ action: "pause", pool: "crawl" })).status, 409)
  })

  test("lets the page drain a pool", function*({ order }) {
    const pool = yield* AutoscaledPool.make({
      runTask: Effect.sleep(200),
      isTaskReady: Effect.succeed(true),
      isFinished: Effect.succeed(false),
      loggingInterval: null
    })
    const run = yield* Effect.forkChild(pool.run, { startImmediately: true })
    yield* Effect.sleep(50)
    assert.strictEqual((yield* order({ action: "drain", pool: "pool" })).status, 200)
    assert.strictEqual((yield* Fiber.join(run)).outcome, "Drained")
  })

  test("refuses an order that is none, and says why", function*({ ask, order }) {
    const cases: ReadonlyArray<readonly [unknown, number]> = [
      ["no json", 400],
      [{}, 400],
      [{ action: "explode", pool: "crawl" }, 400],
      [{ action: "pause", pool: "crawl", also: "this" }, 400],
      [{ action: "configure", pool: "crawl", change: { maxConcurrency: "many" } }, 400],
      [{ action: "pause", pool: "x".repeat(5000) }, 400],
      [{ action: "pause", pool: "nobody" }, 409]
    ]
    for (const [body, status] of cases) {
      assert.strictEqual((yield* order(body)).status, status, JSON.stringify(body).slice(0, 60))
    }
    assert.strictEqual((yield* order({ action: "pause", pool: "x" }, { "content-type": "text/plain" })).status, 415)
    assert.strictEqual((yield* order({ action: "pause", pool: "x" }, { authorization: "" })).status, 401)
    assert.strictEqual((yield* order({ action: "pause", pool: "x" }, { origin: "http://evil.example" })).status, 403)
    assert.strictEqual((yield* order({ action: "pause", pool: "x" }, { "sec-fetch-site": "same-site" })).status, 403)
    assert.strictEqual((yield* ask({ path: "/api/orders" })).status, 404)
  })

  test("knows no orders where it only shows", function*({ order, watch }) {
    const { run } = yield* busy("crawl")
    assert.strictEqual((yield* order({ action: "pause", pool: "crawl" })).status, 404)
    assert.include(yield* watch((text) => text.includes("\n\n")), "\"isReadOnly\":true")
    yield* Fiber.interrupt(run)
  }, { readOnly: true })

  test("answers to other names where it is told to", function*({ get }) {
    assert.strictEqual((yield* get("/", { host: "build.example:8080" })).status, 200)
  }, { allowedHosts: ["Build.example:8080"] })

  test("serves sixteen pages and no more, and one again when one is closed", function*({ get, token, watch }) {
    const pages = yield* Effect.forEach(
      Array.from({ length: 16 }),
      () => Effect.forkChild(watch(() => false), { startImmediately: true })
    )
    yield* Effect.sleep(500)
    assert.strictEqual((yield* get("/api/events", { authorization: `Bearer ${token}` })).status, 503)
    yield* Fiber.interrupt(pages[0])
    yield* Effect.sleep(500)
    assert.match(yield* watch((text) => text.includes("\n\n")), /^event: hello/)
    yield* Effect.forEach(pages, Fiber.interrupt)
  })

  test("holds little for pages that do not read, however much happens", function*({ port, token }) {
    const { pool, run } = yield* busy("crawl")
    const deaf = Array.from({ length: 10 }, () => {
      const socket = net.connect(port, "127.0.0.1")
      socket.write(`GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`)
      return socket.pause()
    })
    yield* Effect.sleep(300)
    const tell = (times: number) =>
      Effect.forEach(
        Array.from({ length: times }, (_, n) => n),
        (n) => Effect.andThen(pool.configure({ maxConcurrency: 1 + n % 3 }), Effect.yieldNow),
        { discard: true }
      )
    yield* tell(2000) // fills what the operating system holds for the sockets
    yield* collectGarbage
    const before = process.memoryUsage().heapUsed
    yield* tell(20_000)
    yield* collectGarbage
    const megabytes = (process.memoryUsage().heapUsed - before) / 2 ** 20
    assert.isBelow(megabytes, 8)
    for (const socket of deaf) socket.destroy()
    yield* Fiber.interrupt(run)
  })

  it.live("ends at once with its layer, and tells its pages goodbye", () =>
    Effect.gen(function*() {
      const begin = performance.now()
      const reading = yield* Effect.scoped(Effect.gen(function*() {
        const { url } = (yield* Layer.build(PoolDashboard.layer())).pipe((context) =>
          context.mapUnsafe.get(PoolDashboard.PoolDashboard.key) as PoolDashboard.PoolDashboard["Service"]
        )
        const reading = yield* Effect.forkDetach(
          watch(Number(new URL(url).port), url.split("#token=")[1])((text) => text.includes("event: bye")),
          { startImmediately: true }
        )
        yield* Effect.sleep(300)
        return reading
      }))
      assert.isBelow(performance.now() - begin, 10_000)
      assert.match(yield* Fiber.join(reading), /^event: hello[^]*event: bye/)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("refuses a host that is none, and allowed hosts that are no list, with a typed error", () =>
    Effect.gen(function*() {
      // The compiler refuses most of them.
      for (const options of [{ host: 8080 as never }, { host: "" }, { allowedHosts: "build.example" as never }]) {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(PoolDashboard.layer(options))))
        assert.deepInclude(error, { _tag: "InvalidOptionsError", field: Object.keys(options)[0] })
      }
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("refuses a port that is none with a typed error, and one that is taken", () =>
    Effect.gen(function*() {
      const build = (port: number) => Effect.flip(Effect.scoped(Layer.build(PoolDashboard.layer({ port }))))
      assert.strictEqual((yield* build(70_000))._tag, "InvalidOptionsError")
      const taken = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const server = net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      assert.strictEqual((yield* build((taken.address() as net.AddressInfo).port))._tag, "ServeError")
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))))
})
