import { type Oracle, Score, type Simulation, Workload } from "@autoscaled-pool/simulator"
import { assert, describe, it } from "@effect/vitest"

const minutes = (count: number) => count * 60_000

const closed = Workload.make({
  name: "closed",
  duration: minutes(4),
  phases: [{}, { startsAt: minutes(2) }],
  task: () => ({ stages: [] })
})

const open = Workload.make({
  name: "open",
  duration: minutes(4),
  arrivals: [{ perSecond: 1, lasting: "1 minute" }],
  task: () => ({ stages: [] })
})

const oracle: Oracle.Oracle = {
  phases: [
    { best: 12, throughput: 10, knee: 10, kneeDuration: 1000 },
    { best: 5, throughput: 4, knee: 4, kneeDuration: 1000 }
  ]
}

const every = (millis: number, from: number, to: number) =>
  Array.from({ length: Math.floor((to - from) / millis) }, (_, index) => from + (index + 1) * millis)

const result = (change: {
  readonly inFlight?: (at: number) => number
  readonly succeeded?: ReadonlyArray<number>
  readonly workload?: Workload.Workload
  readonly lost?: number
  readonly kills?: ReadonlyArray<number>
  readonly waits?: ReadonlyArray<number>
}): Simulation.SimulationResult => ({
  workload: change.workload ?? closed,
  policy: "any",
  seed: 1,
  trace: every(500, 0, minutes(4)).map((at) => ({
    at,
    inFlight: (change.inFlight ?? (() => 4))(at),
    desired: 4,
    waiting: 0,
    succeeded: 0,
    memory: 0,
    loads: {}
  })),
  decisions: [],
  succeeded: change.succeeded ?? [...every(100, 0, minutes(2)), ...every(250, minutes(2), minutes(4))],
  meanDuration: 1100,
  rejected: change.lost ?? 0,
  timedOut: 0,
  killed: 0,
  lost: change.lost ?? 0,
  unfinished: 0,
  kills: change.kills ?? [],
  peakMemory: 0.5,
  waits: change.waits ?? []
})

describe("Score", () => {
  it("is 1 for what the best fixed concurrency does", () => {
    const score = Score.of(result({}), oracle)
    assert.strictEqual(score.efficiency, 1)
    assert.strictEqual(score.score, 1)
    assert.deepStrictEqual(score.settling, [5, 5])
    assert.approximately(score.inflation, 1.1, 1e-9)
    assert.strictEqual(score.oscillation, 0)
    assert.isUndefined(score.waits)
  })

  it("is the share of the successes that were possible", () => {
    const score = Score.of(result({ succeeded: every(200, 0, minutes(2)) }), oracle)
    assert.approximately(score.efficiency ?? NaN, 600 / 1680, 1e-9)
    assert.deepStrictEqual(score.settling, [undefined, undefined])
  })

  it("does not count more than the best as more than perfect", () => {
    const score = Score.of(result({ succeeded: every(50, 0, minutes(4)) }), oracle)
    assert.isAbove(score.efficiency ?? NaN, 2)
    assert.strictEqual(score.score, 1)
  })

  it("loses the time beyond one and a half times the knee, and one more", () => {
    // 16 is not over a knee of 10, and over a knee of 4.
    const score = Score.of(result({ inFlight: () => 16 }), oracle)
    assert.strictEqual(score.overTime, 0.5)
    assert.strictEqual(score.score, 0.5)
    assert.strictEqual(Score.of(result({ inFlight: () => 7 }), oracle).overTime, 0)
  })

  it("loses what was lost, and a tenth for each kill", () => {
    const score = Score.of(result({ lost: 1680, kills: [1, 2] }), oracle)
    assert.strictEqual(score.lost, 0.5)
    assert.strictEqual(score.kills, 2)
    assert.approximately(score.score, 0.5 * 0.81, 1e-9)
  })

  it("settles when a window reaches nine tenths", () => {
    const climbing = [...every(400, 0, minutes(1)), ...every(100, minutes(1), minutes(2))]
    const [first] = Score.of(result({ succeeded: climbing }), oracle).settling
    assert.isAtLeast(first ?? NaN, 55)
    assert.isAtMost(first ?? NaN, 65)
  })

  it("swings as much as what is in flight in the second half of a phase", () => {
    const wild = Score.of(result({ inFlight: (at) => Math.floor(at / 500) % 2 === 0 ? 2 : 6 }), oracle)
    assert.approximately(wild.oscillation, 0.5, 1e-9)
    const early = Score.of(
      result({ inFlight: (at) => (at - 1) % minutes(2) < minutes(0.9) ? (at / 500) % 7 : 4 }),
      oracle
    )
    assert.strictEqual(early.oscillation, 0)
  })

  it("is about waits where tasks arrive by themselves", () => {
    const waits = Array.from({ length: 100 }, (_, index) => index * 100)
    const score = Score.of(result({ workload: open, waits }), { phases: [oracle.phases[0]] })
    assert.isUndefined(score.efficiency)
    assert.deepStrictEqual(score.waits, { mean: 4.95, p95: 9.5 })
    assert.strictEqual(score.score, 1)
  })
})
