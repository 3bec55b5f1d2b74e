/**
 * Who may ask: the checks that every request passes, in their order. Pure, but for the count of wrong tokens.
 *
 * A page on this machine is asked from a browser that also shows other people's pages, so a local address is no protection:
 * names that resolve to it (DNS rebinding), other ports of it, and forms of strange pages all reach it.
 */
import { createHash, timingSafeEqual } from "node:crypto"

/** What a check looks at. Header values are as the server gives them. */
export interface Asked {
  readonly method: string
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
}

/** Why a request is refused, as its answer says it. */
export interface Refusal {
  readonly status: 401 | 403 | 429
  readonly sentence: string
}

const forbidden = (sentence: string): Refusal => ({ status: 403, sentence })

/** The names by which this machine may be called. */
export const localNames: ReadonlyArray<string> = ["127.0.0.1", "localhost", "[::1]"]

/** Whether a request comes from this page, or from something that is no browser. */
export const refuseStranger = (asked: Asked, hosts: ReadonlySet<string>): Refusal | undefined => {
  if (asked.host === undefined || !hosts.has(asked.host.toLowerCase())) {
    return forbidden(
      `The Host header ${
        asked.host ?? "(none)"
      } is not one that this dashboard answers to. Add it to allowedHosts if it should.`
    )
  }
  if (asked.fetchSite !== undefined && !isOwnSite(asked.fetchSite, asked.method)) {
    return forbidden("The request comes from another site. Open the dashboard by the link that the program printed.")
  }
  if (asked.origin !== undefined && asked.origin.toLowerCase() !== `http://${asked.host.toLowerCase()}`) {
    return forbidden(`The request comes from a page of ${asked.origin}, which may not use this dashboard.`)
  }
  return undefined
}

// Another port of the same machine counts as the same site for a browser: it is somebody else's page all the same.
const isOwnSite = (fetchSite: string, method: string): boolean =>
  fetchSite === "same-origin" || (fetchSite === "none" && (method === "GET" || method === "HEAD"))

const wrongTokensPerMinute = 10

/** Checks tokens, and stops doing so for a while where too many were wrong. */
export class Tokens {
  private readonly digest: Buffer
  private readonly now: () => number
  private readonly wrongAt: Array<number> = []

  constructor(token: string, now: () => number) {
    this.digest = digestOf(token)
    this.now = now
  }

  refuse(authorization: string | undefined): Refusal | undefined {
    this.forget()
    if (this.wrongAt.length >= wrongTokensPerMinute) {
      return {
        status: 429,
        sentence: "Too many wrong tokens were given in the last minute. Wait a minute and try again."
      }
    }
    const given = /^Bearer ([\w-]+)$/.exec(authorization ?? "")?.[1]
    // Digests have one length, so that the comparison takes the same time for every token.
    if (given !== undefined && timingSafeEqual(digestOf(given), this.digest)) return undefined
    if (given !== undefined) this.wrongAt.push(this.now())
    return {
      status: 401,
      sentence: given === undefined
        ? "The request has no token. Open the dashboard by the link that the program printed."
        : "The token is wrong: it is made anew at each start. Open the dashboard by the link that the program printed last."
    }
  }

  private forget(): void {
    while (this.wrongAt.length > 0 && this.now() - this.wrongAt[0] > 60_000) this.wrongAt.shift()
  }
}

const digestOf = (token: string): Buffer => createHash("sha256").update(token).digest()

/** What every answer carries: nothing is kept, nothing is framed, nothing comes from elsewhere. */
export const headers: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin"
}
