/**
 * What rejections, timeouts and failures do to the limit.
 */
import { assert, describe, it } from "@effect/vitest"
import * as backoff from "../../../../packages/core/src/internal/adaptive/limits/backoff.ts"
import * as losses from "../../../../packages/core/src/internal/adaptive/model/losses.ts"
import { between, observation, stats } from "../support.ts"

interface Round {
  readonly served?: number
  readonly rejected?: number
  readonly timedOut?: number
  readonly level?: number
  readonly inFlight?: number
}

type Change = "None" | "Cut" | "Raised" | "Over"

const changeOf = (before: losses.Backoff | null, after: losses.Backoff | null): Change => {
  if (after === before) return "None"
  if (after === null) return "Over"
  return after.movedAt === after.cutAt ? "Cut" : "Raised"
}

/** What is known after a judgement, and what became of the limit. */
const judged = (known: losses.Losses, at: backoff.Circumstances): readonly [Change, losses.Losses] => {
  const next = backoff.judge(known, at)
  return [changeOf(known.backoff, next.backoff), next]
}

/** Rounds of half a second, of tasks that take 300 ms. */
const run = (rounds: ReadonlyArray<Round>, from = losses.initial, start = 0) => {
  let state = from
  const verdicts: Array<Change> = []
  rounds.forEach(({ inFlight = 30, level = 30, rejected = 0, served = 50, timedOut = 0 }, i) => {
    const now = start + 500 * (i + 1)
    const count = served + rejected + timedOut
    const completions = stats(count, { rejections: rejected, timeouts: timedOut, meanDuration: served > 0 ? 300 : 0 })
    const counted = losses.observe(state, completions, now, 300)
    const [verdict, next] = judged(counted, {
      ...observation({ now, meanConcurrency: inFlight, current: inFlight }),
      time: 300,
      level
    })
    state = next
    verdicts.push(verdict)
  })
  return { state, verdicts }
}

describe("losses", () => {
  it("puts up with one in a hundred, and with chance", () => {
    assert.notInclude(run(Array.from({ length: 40 }, (_, i) => ({ rejected: i % 8 === 0 ? 1 : 0 }))).verdicts, "Cut")
  })

  it("cuts to what is being served", () => {
    const { state, verdicts } = run([{ served: 40, rejected: 30, inFlight: 32, level: 32 }])
    assert.deepStrictEqual(verdicts, ["Cut"])
    // 40 tasks of 300 ms in half a second: 24 were being served, by Little's law. Of 32 that are still in flight right after
    // rejections, all were. The more tasks were served, the more the first counts.
    assert.approximately(state.backoff?.cap ?? 0, 0.97 * (2 * 24 + 32) / 3, 1e-9)
    const late = run([{ served: 40, timedOut: 30, inFlight: 35, level: 35 }]).state
    assert.approximately(late.backoff?.cap ?? 0, 0.97 * (2 * 24 + 35 * 40 / 70) / 3, 1e-9)
    assert.strictEqual(state.backoff?.lostAt, 32)
  })

  it("takes timeouts for losses as well", () => {
    assert.deepStrictEqual(run([{ served: 40, timedOut: 10 }]).verdicts, ["Cut"])
  })

  it("puts up with a share of losses that a cut has not lessened, and with no more than that", () => {
    const lossy = { served: 190, timedOut: 10 }
    const first = run([lossy])
    assert.deepStrictEqual(first.verdicts, ["Cut"])
    // A fifth fewer tasks, and as many of them are lost.
    const fewer = run([{ ...lossy, inFlight: 24 }, { ...lossy, inFlight: 24 }], first.state, 1500)
    assert.deepStrictEqual(fewer.verdicts, ["None", "None"])
    assert.approximately(fewer.state.accepted, 0.06, 1e-9)
    assert.deepStrictEqual(run([{ served: 160, timedOut: 40, inFlight: 24 }], fewer.state, 3000).verdicts, ["Cut"])
  })

  it("never puts up with more than a tenth", () => {
    const first = run([{ served: 160, timedOut: 40 }])
    assert.deepStrictEqual(run([{ served: 160, timedOut: 40, inFlight: 24 }], first.state, 1500).verdicts, ["Cut"])
  })

  it("cuts again where the first cut has helped", () => {
    const first = run([{ served: 180, timedOut: 20 }])
    assert.deepStrictEqual(run([{ served: 194, timedOut: 6, inFlight: 29 }], first.state, 1500).verdicts, ["Cut"])
  })

  it("does not hold what ends right after a cut against the level that was cut to", () => {
    const first = run([{ served: 40, rejected: 30, inFlight: 32, level: 32 }])
    const ended = (known: losses.Losses, count: number, rejections: number, now: number) =>
      losses.observe(known, stats(count, { rejections, meanDuration: 300 }), now, 300)
    let state = ended(first.state, 10, 6, 750)
    for (const now of [750, 1000, 1250, 1500]) {
      if (now > 750) state = ended(state, 20, 0, now)
      const at = { ...observation({ now, meanConcurrency: 23, current: 23 }), time: 300, level: 23 }
      const [verdict, next] = judged(state, at)
      assert.notStrictEqual(verdict, "Cut")
      state = next
    }
    assert.isAtLeast(state.backoff?.cap ?? 0, first.state.backoff?.cap ?? 100)
    assert.strictEqual(state.backoff?.lostAt, 32)
  })

  it("never cuts below half at once, nor below the minimum", () => {
    assert.approximately(run([{ served: 0, rejected: 50, inFlight: 30 }]).state.backoff?.cap ?? 0, 0.97 * 30, 1e-9)
    assert.strictEqual(run([{ served: 0, timedOut: 50, inFlight: 30 }]).state.backoff?.cap, 15)
    assert.strictEqual(run([{ served: 0, timedOut: 50, inFlight: 1, level: 1 }]).state.backoff?.cap, 1)
  })

  it("returns to below the loss, then probes with growing pauses after each that failed", () => {
    let state = run([{ served: 30, timedOut: 20 }]).state
    const pauses: Array<number> = []
    let now = 500
    let cutAt = now
    for (let i = 0; i < 800; i++) {
      const level = state.backoff?.cap ?? 30
      const isOver = level > 30
      const round = run(
        [{ level, inFlight: level, served: 50, rejected: isOver ? 10 : 0 }],
        state,
        now
      )
      now += 500
      state = round.state
      if (round.verdicts[0] === "Cut") {
        pauses.push(now - cutAt)
        cutAt = now
      }
    }
    assert.isAbove(pauses.length, 3)
    assert.isAbove(pauses[pauses.length - 1], 3 * pauses[1])
    assert.isAtMost(Math.max(...pauses), 90_000)
  })

  /** What becomes of the cap over time, at a service that rejects whatever is more than it accepts at once. */
  const capsAt = (accepted: number, rounds: number) => {
    let { state } = run([{ served: 10, rejected: 10, level: accepted + 1, inFlight: accepted + 0.4 }])
    const caps: Array<number> = []
    for (let i = 1; i <= rounds; i++) {
      const level = state.backoff?.cap ?? accepted + 1
      const isOver = Math.round(level) > accepted
      const inFlight = isOver ? accepted + 0.4 : Math.round(level)
      state = run([{ served: 10, rejected: isOver ? 5 : 0, level, inFlight }], state, 500 * i).state
      caps.push(state.backoff?.cap ?? Infinity)
    }
    return caps
  }

  it("does not take a return to just below a loss for one, where one task more is a task too many", () => {
    const caps = capsAt(3, 240)
    const over = caps.filter((cap) => Math.round(cap) > 3).length
    assert.isBelow(over, 0.1 * caps.length)
    // And does not lose what is served, either.
    assert.isBelow(caps.filter((cap) => Math.round(cap) < 3).length, 0.2 * caps.length)
  })

  it("goes on beyond a loss one by one where tasks are few", () => {
    let { state } = run([{ served: 10, rejected: 10, level: 8, inFlight: 8 }])
    const steps: Array<number> = []
    for (let i = 1; i <= 60 && state.backoff !== null; i++) {
      const level: number = state.backoff.cap
      state = run([{ served: 20, level, inFlight: level }], state, 500 * i).state
      if (level > 8 && state.backoff !== null && state.backoff.cap > level) steps.push(state.backoff.cap - level)
    }
    assert.isAtLeast(steps.length, 3)
    for (const step of steps.slice(0, 2)) assert.approximately(step, 1, 1e-9)
  })

  it("does not raise a cap that nothing presses against", () => {
    const { state } = run([{ served: 40, rejected: 30 }])
    const calm = run(Array.from({ length: 100 }, () => ({ inFlight: 2, level: 25 })), state, 500)
    assert.deepStrictEqual([...new Set(calm.verdicts)], ["None"])
  })

  it("forgets a loss that has not come back at twice the concurrency", () => {
    let { state } = run([{ served: 40, rejected: 30 }])
    let now = 500
    const verdicts: Array<Change> = []
    for (let i = 0; i < 400 && state.backoff !== null; i++) {
      const level: number = state.backoff.cap
      const round = run([{ level, inFlight: level }], state, now)
      now += 500
      state = round.state
      verdicts.push(...round.verdicts)
    }
    assert.include(verdicts, "Over")
    assert.isNull(state.backoff)
  })

  it("cools the slots of rejected tasks for about a task's duration", () => {
    const { state } = run([{ rejected: 7 }])
    assert.strictEqual(losses.coolingSlots(state), 7)
    assert.strictEqual(losses.coolingSlots(losses.observe(state, stats(0), 900, 300)), 0)
    // However long a task is, a slot is tried again.
    const long = losses.observe(losses.initial, stats(3, { rejections: 3 }), 0, 600_000)
    assert.strictEqual(losses.coolingSlots(losses.observe(long, stats(0), 60_000, 600_000)), 0)
  })

  it.prop("keeps the cap between the minimum and what was in flight", [
    between(0, 100),
    between(2, 100),
    between(1, 200)
  ], ([served, rejected, inFlight]) => {
    const { backoff } = run([{ served, rejected, inFlight, level: inFlight }]).state
    if (backoff !== null) assert.isTrue(backoff.cap >= 1 && backoff.cap <= Math.max(1, inFlight))
  })
})
