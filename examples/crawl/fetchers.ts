/**
 * Two ways to get a page: by the HTTP client of Effect, and by a real browser.
 */
import { ClientErrors } from "@autoscaled-pool/core"
import { Effect, type Scope } from "effect"
import { FetchHttpClient, HttpClient, type HttpClientError } from "effect/http"

export type Fetcher = (url: URL) => Effect.Effect<string, HttpClientError.HttpClientError | Refused>

/** The site has refused the page that a browser asked for. */
export interface Refused {
  readonly _tag: "Refused"
}

/** Tells the pool of every refusal, and fails with it, so that the page is tried again. */
export const byHttp: Effect.Effect<Fetcher> = Effect.gen(function*() {
  const client = HttpClient.filterStatusOk(ClientErrors.trackHttpClient(yield* HttpClient.HttpClient))
  return (url: URL) => Effect.flatMap(client.get(url), (response) => response.text)
}).pipe(Effect.provide(FetchHttpClient.layer))

const flags = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]

/** Opens pages in Chromium; fails where there is none. */
export const byBrowser: Effect.Effect<Fetcher, string, Scope.Scope> = Effect.gen(function*() {
  const { chromium } = yield* Effect.tryPromise({
    try: () => import("playwright-core"),
    catch: () => "Pages cannot be opened in a browser: the package playwright-core is not installed."
  })
  const browser = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () =>
        chromium.launch({
          executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
          handleSIGINT: false,
          args: [...flags, "disable-component-update", "disable-sync"].map((flag) => `--${flag}`)
        }),
      catch: () =>
        "Pages cannot be opened in a browser: there is no Chromium at /usr/bin/chromium. Set CHROMIUM to its path."
    }),
    (browser) => Effect.promise(() => browser.close())
  )
  const context = yield* Effect.promise(() => browser.newContext())
  return (url: URL) =>
    Effect.acquireUseRelease(
      Effect.promise(() => context.newPage()),
      (page) =>
        Effect.gen(function*() {
          const response = yield* Effect.promise(() => page.goto(url.href))
          const status = response?.status() ?? 200
          yield* ClientErrors.reportResponse(status, response?.headers() ?? {})
          if (status !== 200) return yield* Effect.fail<Refused>({ _tag: "Refused" })
          return yield* Effect.promise(() => page.content())
        }),
      (page) => Effect.promise(() => page.close())
    )
})
