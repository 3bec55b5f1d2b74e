import { assert, describe, it } from "@effect/vitest"
import * as access from "../../packages/dashboard/src/internal/access.ts"

const hosts = new Set(["127.0.0.1:4600", "localhost:4600", "[::1]:4600"])

const asked = (changes: Partial<access.Asked> = {}): access.Asked => ({
  method: "GET",
  host: "127.0.0.1:4600",
  origin: undefined,
  fetchSite: undefined,
  ...changes
})

const isRefused = (changes: Partial<access.Asked>) => access.refuseStranger(asked(changes), hosts)?.status === 403

describe("who may ask", () => {
  it("goes by the Host header: names of this machine with the port, and no other", () => {
    for (const host of ["127.0.0.1:4600", "localhost:4600", "LOCALHOST:4600", "[::1]:4600"]) {
      assert.isFalse(isRefused({ host }), host)
    }
    for (const host of [undefined, "", "evil.example", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:4600"]) {
      assert.isTrue(isRefused({ host }), String(host))
    }
  })

  it("goes by where a browser says that it asks from: another port of this machine is another site", () => {
    assert.isFalse(isRefused({ fetchSite: "same-origin" }))
    assert.isFalse(isRefused({ fetchSite: "same-origin", method: "POST" }))
    assert.isFalse(isRefused({ fetchSite: "none" }))
    for (const fetchSite of ["same-site", "cross-site", "nonsense"]) assert.isTrue(isRefused({ fetchSite }), fetchSite)
    assert.isTrue(isRefused({ fetchSite: "none", method: "POST" }))
  })

  it("goes by the Origin header, where there is one", () => {
    assert.isFalse(isRefused({ origin: "http://127.0.0.1:4600", method: "POST" }))
    for (
      const origin of [
        "null",
        "http://localhost:4600",
        "https://127.0.0.1:4600",
        "http://127.0.0.1:4601",
        "http://evil.example"
      ]
    ) {
      assert.isTrue(isRefused({ origin, method: "POST" }), origin)
    }
  })
})

describe("tokens", () => {
  const make = () => {
    const time = { now: 0 }
    return { time, tokens: new access.Tokens("a-token_of-32", () => time.now) }
  }

  it("are right or wrong, and said in the Authorization header", () => {
    const { tokens } = make()
    assert.isUndefined(tokens.refuse("Bearer a-token_of-32"))
    for (
      const wrong of [
        undefined,
        "",
        "a-token_of-32",
        "Basic a-token_of-32",
        "Bearer ",
        "Bearer a-token_of-3",
        "Bearer x"
      ]
    ) {
      assert.strictEqual(tokens.refuse(wrong)?.status, 401, String(wrong))
    }
  })

  it("can be tried ten times a minute, and then not even the right one counts for a while", () => {
    const { time, tokens } = make()
    for (let n = 0; n < 10; n++) assert.strictEqual(tokens.refuse(`Bearer wrong${n}`)?.status, 401)
    assert.strictEqual(tokens.refuse("Bearer wrong")?.status, 429)
    assert.strictEqual(tokens.refuse("Bearer a-token_of-32")?.status, 429)
    time.now += 60_001
    assert.isUndefined(tokens.refuse("Bearer a-token_of-32"))
  })

  it("that are missing do not lock anybody out", () => {
    const { tokens } = make()
    for (let n = 0; n < 100; n++) tokens.refuse(undefined)
    assert.isUndefined(tokens.refuse("Bearer a-token_of-32"))
  })
})
