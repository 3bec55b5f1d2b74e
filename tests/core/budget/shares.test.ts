/**
 * Who gets the next permit: what is owed, what is lent, who waits for how long, under random programs.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Share, Shares } from "../../../packages/core/src/internal/budget/shares.ts"
import { randomFrom, World } from "./world.ts"

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

/** Consumers that are always backlogged, with weights, durations and permits of any scale. */
const backlogged = (seed: number, options: { readonly order?: "reversed"; readonly spread?: number } = {}) => {
  const random = randomFrom(seed)
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1))
  const world = new World(between(1, 40))
  const plans = Array.from({ length: between(2, 11) }, (_, index) => {
    const mean = 1 + random() * (options.spread ?? 30)
    const ofDurations = randomFrom(seed * 100 + index)
    return { name: `consumer ${index}`, weight: between(1, 10), durations: () => mean * (0.5 + ofDurations()) }
  })
  for (const plan of options.order === "reversed" ? plans.toReversed() : plans) world.join(plan.name, plan.weight, plan)
  return world
}

/** How far each is, over a long time, from what it is owed. */
const deviations = (world: World): ReadonlyMap<string, number> => {
  world.run(500)
  world.resetFigures()
  const since = world.now
  world.run(since + 6_000)
  const owed = world.owed()
  return new Map(
    world.consumers.map((consumer) => [
      consumer.name,
      consumer.had / (world.now - since) - (owed.get(consumer) ?? NaN)
    ])
  )
}

describe("Shares", () => {
  it("over time each has what it is owed, however long its tasks are, and in whatever order they joined", () => {
    for (const seed of seeds(12)) {
      for (const order of [undefined, "reversed"] as const) {
        for (const [name, deviation] of deviations(backlogged(seed, order === undefined ? {} : { order }))) {
          assert.isBelow(Math.abs(deviation), 0.15, `seed ${seed}, ${name}, ${order ?? "in order"}`)
        }
      }
    }
  })

  it("where something else keeps starts few, consumers of equal weight start as often", () => {
    const shares = new Shares(14)
    const consumers = Array.from({ length: 4 }, () => ({ share: shares.join(1, 0), starts: 0 }))
    for (const { share } of consumers) shares.want(share, 1, 0)
    const running: Array<Share> = []
    for (let now = 0; now < 2000; now++) {
      // What ends is looked for again at once, and no more than ten may start, as a policy does that foresees memory.
      for (const share of running.splice(0, now % 3)) {
        shares.release(share, 1, now)
        shares.pass(share, "Content", now)
        shares.want(share, 1, now)
      }
      while (running.length < 10) {
        const share = shares.next(now) ?? assert.fail("nobody is next")
        shares.book(share, 1, now)
        running.push(share)
        for (const consumer of consumers) if (consumer.share === share) consumer.starts++
      }
    }
    const starts = consumers.map((consumer) => consumer.starts)
    assert.isBelow(Math.max(...starts) / Math.min(...starts), 1.02, `${starts}`)
  })

  it("once settled nobody is a whole permit from what it is owed", () => {
    for (const seed of seeds(20)) {
      const world = backlogged(seed)
      world.run(300)
      for (let step = 0; step < 100; step++) {
        world.step()
        for (const [consumer, owed] of world.owed()) {
          assert.isBelow(Math.abs(consumer.share.permits - owed), 1 + 1e-6, `seed ${seed}, ${consumer.name}`)
        }
      }
    }
  })

  it("nobody starves: the longest wait is bounded by what the others' tasks take", () => {
    for (const seed of seeds(30)) {
      const world = backlogged(seed, { spread: 0 })
      world.run(200)
      world.resetFigures()
      world.run(2_000)
      const weights = world.consumers.reduce((sum, { share }) => sum + share.weight, 0)
      for (const { longestWait, name, share } of world.consumers) {
        const most = 8 * Math.max(1, weights / share.weight / world.desired) * 1.5
        assert.isBelow(longestWait, most, `seed ${seed}, ${name}`)
      }
    }
  })

  it("joining, leaving, resting and resizing at any moment leaks and idles no permit", () => {
    for (const seed of seeds(60)) {
      const random = randomFrom(seed)
      const below = (count: number) => Math.floor(random() * count)
      const world = new World(1 + below(12))
      world.join("first", 1)
      for (let step = 0; step < 150; step++) {
        const consumer = world.consumers[below(world.consumers.length)]
        const action = below(9)
        if (action === 0 && world.consumers.length < 8) {
          world.join(`joined at ${step}`, 1 + below(5), { minimum: below(4) === 0 ? below(4) : 0, durations: random })
        } else if (action === 1 && world.consumers.length > 1) world.leave(consumer)
        else if (action === 2 && consumer.isBacklogged) world.rest(consumer)
        else if (action === 3 && !consumer.isBacklogged) world.want(consumer)
        else if (action === 4) world.resize(1 + below(16))
        else if (action === 5) world.shares.adjust(consumer.share, 1 + below(7), below(3), world.now)
        else if (world.shares.inUse > 0) world.step()
      }
      world.drain()
      assert.strictEqual(world.shares.inUse, 0, `seed ${seed}`)
    }
  })

  it("a late joiner has its whole share as soon as enough tasks have ended, and no more than it", () => {
    const world = new World(8)
    for (const name of ["a", "b", "c"]) world.join(name, 1)
    world.run(20.5)
    const late = world.join("late", 1)
    world.run(22.5)
    assert.strictEqual(late.share.permits, 2)
    for (const { share } of world.consumers) assert.strictEqual(share.permits, 2)
  })

  it("who rested for long has saved nothing up, and who was alone owes nothing", () => {
    const world = new World(3)
    const rested = world.join("rested", 1)
    world.rest(rested)
    const busy = world.join("busy", 1)
    world.run(1_000)
    world.want(rested)
    world.run(1_010)
    world.resetFigures()
    world.run(1_110)
    assert.approximately(rested.had, 150, 3)
    assert.approximately(busy.had, 150, 3)
  })

  it("who has no task to start lends what it is owed, and gets it back by what ends", () => {
    const world = new World(4)
    const a = world.join("a", 1)
    const b = world.join("b", 1)
    world.rest(a)
    world.run(5.5)
    assert.strictEqual(b.share.permits, 4)
    world.want(a)
    world.run(6.5)
    assert.strictEqual(a.share.permits, 2)
  })

  it("a minimum is served first, and the rest by weight", () => {
    const world = new World(9)
    const a = world.join("a", 1, { minimum: 5 })
    const b = world.join("b", 1)
    const c = world.join("c", 3)
    world.run(50)
    assert.strictEqual(a.share.permits, 5)
    world.resetFigures()
    world.run(1_050)
    assert.approximately(b.had / 1_000, 1, 0.05)
    assert.approximately(c.had / 1_000, 3, 0.05)
  })

  it("minimums that are more than there is are served in turn", () => {
    const world = new World(2)
    for (const name of ["a", "b", "c"]) world.join(name, 1, { minimum: 2 })
    world.run(10)
    world.resetFigures()
    world.run(310)
    for (const { had } of world.consumers) assert.approximately(had, 200, 6)
  })

  it("a heavy request is not overtaken for ever, and little is idle for its sake", () => {
    for (const [desired, request, least] of [[20, 12, 3.5], [10, 8, 4], [10, 3, 3]] as const) {
      for (const seed of seeds(3)) {
        const world = new World(desired)
        const random = randomFrom(seed)
        const durations = () => 0.5 + random()
        const heavy = world.join("heavy", 1, { request, durations })
        const light = Array.from(
          { length: desired === 20 ? 4 : 1 },
          (_, n) => world.join(`light ${n}`, 1, { durations })
        )
        world.run(100)
        world.resetFigures()
        world.run(1_100)
        assert.isAbove(heavy.had / 1_000, least, `heavy ${request} of ${desired}, seed ${seed}`)
        const used = [heavy, ...light].reduce((sum, { had }) => sum + had, 0)
        assert.isAbove(used / 1_000, 0.8 * desired, `used, ${request} of ${desired}, seed ${seed}`)
      }
    }
  })

  it("a request for more than there is runs alone and books what it is", () => {
    const world = new World(3)
    const heavy = world.join("heavy", 1, { request: 5 })
    world.join("light", 1)
    for (let step = 0; step < 40; step++) {
      world.step()
      if (heavy.share.permits > 0) assert.strictEqual(world.shares.inUse, 5)
    }
    assert.isAbove(heavy.had, 0)
    world.drain()
    assert.strictEqual(world.shares.inUse, 0)
  })

  it("weights of any scale come and go without a trace", () => {
    const world = new World(10)
    const small = world.join("small", 1e-9)
    const other = world.join("other", 1e-9)
    const large = world.join("large", 1e9)
    world.run(2)
    world.leave(large)
    world.run(10)
    assert.strictEqual(small.share.permits, 5)
    assert.strictEqual(other.share.permits, 5)
  })
})
