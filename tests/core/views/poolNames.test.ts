import { assert, describe, it } from "@effect/vitest"
import { PoolNames } from "../../../packages/core/src/internal/views/poolNames.ts"

describe("names of pools", () => {
  it("are unique while they are in use, with the lowest number that is free", () => {
    const names = new PoolNames()
    const [first, second, third] = ["crawl", "crawl", "crawl"].map((wanted) => names.enter(wanted))
    assert.deepStrictEqual([first, second, third].map(({ name }) => name), ["crawl", "crawl#2", "crawl#3"])
    second.leave()
    first.leave()
    first.leave() // a second time, as whoever leaves twice does
    assert.strictEqual(names.enter("crawl").name, "crawl")
    assert.strictEqual(names.enter("crawl").name, "crawl#2")
    const fourth = names.enter("crawl")
    assert.strictEqual(fourth.name, "crawl#4")
    third.leave()
    fourth.leave() // the lowest that is free is not the last that was left
    assert.strictEqual(names.enter("crawl").name, "crawl#3")
  })

  it("pass over those that programs give themselves", () => {
    const names = new PoolNames()
    const given = names.enter("crawl#2")
    assert.deepStrictEqual([names.enter("crawl").name, names.enter("crawl").name], ["crawl", "crawl#3"])
    given.leave()
    assert.strictEqual(names.enter("crawl#2").name, "crawl#2")
    assert.strictEqual(names.enter("crawl#2").name, "crawl#2#2")
    assert.strictEqual(names.enter("__proto__").name, "__proto__")
  })

  it("of twenty thousand pools at once are found without a search", () => {
    const names = new PoolNames()
    const all = Array.from({ length: 20_000 }, () => names.enter("pool"))
    assert.strictEqual(new Set(all.map(({ name }) => name)).size, 20_000)
    for (const { leave } of all) leave()
    assert.strictEqual(names.enter("pool").name, "pool")
  })
})
