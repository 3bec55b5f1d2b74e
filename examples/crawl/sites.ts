/**
 * Three sites to crawl, served on this machine: one that is fast, one that does eight pages at a time and lets the others
 * wait, and one that refuses whoever asks for more than six at once and says when to come back.
 */
import { Effect, type Scope } from "effect"
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export interface Site {
  readonly name: string
  readonly start: URL
  /** The most pages that it had in the works at once. */
  readonly peak: () => number
  readonly refusals: () => number
  /** What someone who knows the site would set. */
  readonly best: number
}

interface Kind {
  readonly name: string
  readonly millis: number
  /** Pages that it works on at once; the others wait. */
  readonly workers: number
  /** Requests that it takes at once before it refuses. */
  readonly accepts: number
  /** How many times as many pages it has as the smallest. */
  readonly size: number
  readonly best: number
}

const kinds: ReadonlyArray<Kind> = [
  { name: "fast", millis: 10, workers: Infinity, accepts: Infinity, size: 3, best: 32 },
  { name: "with a knee", millis: 40, workers: 8, accepts: Infinity, size: 1, best: 8 },
  { name: "refusing", millis: 30, workers: Infinity, accepts: 6, size: 1, best: 6 }
]

/** Starts the sites; the smallest has so many pages, and those of each are linked as a tree with ten links a page. */
export const startSites = (pages: number): Effect.Effect<ReadonlyArray<Site>, never, Scope.Scope> =>
  Effect.forEach(kinds, (kind) => startSite(kind, kind.size * pages))

const startSite = Effect.fnUntraced(function*({ accepts, best, millis, name, workers }: Kind, pages: number) {
  let asked = 0
  let working = 0
  let peak = 0
  let refusals = 0
  const waiting: Array<() => void> = []
  const serve = (number: number, response: ServerResponse) => {
    working++
    setTimeout(() => {
      response.writeHead(200, { "content-type": "text/html" }).end(pageOf(number, pages))
      working--
      asked--
      waiting.shift()?.()
    }, millis)
  }
  const server = createServer((request, response) => {
    const number = Number(request.url?.slice(1))
    if (!Number.isInteger(number) || number >= pages) return void response.writeHead(404).end()
    if (asked >= accepts) {
      refusals++
      return void response.writeHead(429, { "retry-after": "1" }).end()
    }
    asked++
    peak = Math.max(peak, asked)
    if (working < workers) serve(number, response)
    else waiting.push(() => serve(number, response))
  })
  const port = yield* Effect.acquireRelease(listen(server), () => Effect.sync(() => server.closeAllConnections()))
  const site: Site = {
    name,
    start: new URL(`http://127.0.0.1:${port}/0`),
    peak: () => peak,
    refusals: () => refusals,
    best
  }
  return site
})

const listen = (server: Server): Effect.Effect<number> =>
  Effect.callback((resume) => {
    server.unref().listen(0, "127.0.0.1", () => {
      resume(Effect.succeed((server.address() as AddressInfo).port)) // it listens to a port of an address
    })
  })

const pageOf = (number: number, pages: number): string => {
  const links = Array.from({ length: 10 }, (_, n) => 10 * number + n + 1).filter((link) => link < pages)
  return `<html><title>Page ${number}</title>${links.map((link) => `<a href="/${link}">${link}</a>`).join("")}</html>`
}
