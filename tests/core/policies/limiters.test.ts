/**
 * `aimd`, `vegas` and `gradient` against the numbers that are computed from their formulas.
 */
import {
  AutoscaledPool,
  ConcurrencySettings,
  InvalidOptionsError,
  ScalingPolicy,
  SystemStatus
} from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { between, drive, meanDesired, observation, stats } from "./support.ts"

/** Decides once for each of these ends; `used`: the share of the limit in use. */
const run = <S>(
  policy: ScalingPolicy.ScalingPolicy<S>,
  start: number,
  ends: ReadonlyArray<ScalingPolicy.CompletionStats>,
  used = 1
): ReadonlyArray<number> => {
  const settings = { ...ConcurrencySettings.defaults, maxConcurrency: 1000, desiredConcurrency: start }
  let state = policy.initial(settings)
  let desired = start
  return ends.map((completions) => {
    const [decision, next] = policy.decide(
      state,
      observation({ settings, desired, completions, meanConcurrency: used * desired, saturatedShare: 1 })
    )
    state = next
    desired = decision.desired
    assert.isAbove(decision.reason.summary.length, 5)
    return desired
  })
}

const took = (meanDuration: number, count = 20) => stats(count, { meanDuration })

describe("ScalingPolicy.aimd", () => {
  it("adds one while nothing is lost, and takes a tenth where something is", () => {
    assert.deepStrictEqual(run(ScalingPolicy.aimd(), 20, [took(10), took(10)]), [21, 22])
    assert.deepStrictEqual(run(ScalingPolicy.aimd(), 20, [stats(3, { rejections: 1 })]), [18])
    assert.deepStrictEqual(run(ScalingPolicy.aimd(), 20, [stats(3, { timeouts: 1 })]), [18])
    assert.deepStrictEqual(run(ScalingPolicy.aimd({ decreaseRatio: 0.5 }), 20, [stats(1, { failures: 1 })]), [10])
  })

  it("holds while less than half is in use", () => {
    assert.deepStrictEqual(run(ScalingPolicy.aimd(), 20, [took(10)], 0.4), [20])
    assert.deepStrictEqual(run(ScalingPolicy.aimd(), 20, [took(10)], 0.5), [21])
  })

  it("settles around what a service accepts", () => {
    const steps = drive(ScalingPolicy.aimd(), 300, () => ({ duration: 300, accepted: 30 }))
    const mean = meanDesired(steps, 100, 300)
    assert.isTrue(mean > 24 && mean < 33)
  })
})

describe("ScalingPolicy.vegas", () => {
  it("grows by six steps without a queue, by one with a short one, and shrinks with a long one", () => {
    const step = Math.log10(100)
    const answer = (duration: number) => run(ScalingPolicy.vegas(), 100, [took(100), took(duration)])
    const [grown] = answer(100)
    assert.approximately(grown, 100 + 6 * step, 1e-9)
    const from = (duration: number) => answer(duration)[1] - grown
    const then = Math.log10(grown)
    assert.approximately(from(101), 6 * then, 1e-9) // 2 of 112
    assert.approximately(from(104), then, 1e-9) // 5
    assert.strictEqual(from(108), 0) // 9
    assert.approximately(from(200), -then, 1e-9) // 56
  })

  it("shrinks after a loss at once, and waits for ten tasks otherwise", () => {
    assert.deepStrictEqual(run(ScalingPolicy.vegas(), 10, [stats(1, { rejections: 1 })]), [9])
    assert.deepStrictEqual(run(ScalingPolicy.vegas(), 10, [took(100, 9), took(100, 1)]), [10, 16])
  })

  it("holds while less than half is in use", () => {
    assert.deepStrictEqual(run(ScalingPolicy.vegas(), 10, [took(100)], 0.4), [10])
  })

  it("measures its baseline anew after a while", () => {
    const slow = Array.from({ length: 400 }, () => took(200))
    const limits = run(ScalingPolicy.vegas(), 10, [took(100), ...slow])
    assert.isBelow(Math.min(...limits.slice(1, 30)), limits[0])
    assert.isAbove(limits[limits.length - 1], limits[0])
  })
})

describe("ScalingPolicy.vegas, at the edges of a queue", () => {
  it("stays with three steps in the queue, as with six", () => {
    // 2 grows to 8, of which 8 * (1 - 62.5 / 100) = 3 stand in a queue, and then 8 * (1 - 25 / 100) = 6.
    assert.deepStrictEqual(run(ScalingPolicy.vegas(), 2, [took(62.5), took(100)]), [8, 8])
    assert.deepStrictEqual(run(ScalingPolicy.vegas(), 2, [took(25), took(100)]), [8, 8])
  })
})

describe("ScalingPolicy.gradient", () => {
  it("adds its queue while durations are as usual", () => {
    const [first] = run(ScalingPolicy.gradient(), 20, [took(100)])
    assert.approximately(first, 0.8 * 20 + 0.2 * (20 + 4), 1e-9)
    const [wider] = run(ScalingPolicy.gradient({ queueSize: 10 }), 20, [took(100)])
    assert.approximately(wider, 22, 1e-9)
  })

  it("shrinks by the ratio of durations beyond the tolerance, by half at most", () => {
    const long = Array.from({ length: 10 }, () => took(100))
    const limits = run(ScalingPolicy.gradient(), 20, [...long, took(300)])
    const before = limits[9]
    const average = 100 + 2 / 601 * 200
    assert.approximately(limits[10], 0.8 * before + 0.2 * (1.5 * average / 300 * before + 4), 1e-9)
    const worse = run(ScalingPolicy.gradient(), 20, [...long, took(10_000)])
    assert.approximately(worse[10], 0.8 * before + 0.2 * (0.5 * before + 4), 1e-9)
  })

  it("waits for ten tasks, and holds while less than half is in use", () => {
    assert.deepStrictEqual(run(ScalingPolicy.gradient(), 20, [took(100, 9)]), [20])
    assert.deepStrictEqual(run(ScalingPolicy.gradient(), 20, [took(100)], 0.4), [20])
  })

  it("forgets durations far above what is usual now within some tens of samples, so that they count when they are back", () => {
    const ends = [[10, 1000], [20, 100], [1, 1000]].flatMap(([times, mean]) =>
      Array.from({ length: times }, () => took(mean))
    )
    const limits = run(ScalingPolicy.gradient(), 20, ends)
    assert.isBelow(limits[30], limits[29])
  })

  it("recovers when durations fall for good", () => {
    const limits = run(ScalingPolicy.gradient(), 20, [
      ...Array.from({ length: 20 }, () => took(1000)),
      ...Array.from({ length: 40 }, () => took(100))
    ])
    assert.isAbove(limits[59], limits[19])
  })
})

describe("the limiters", () => {
  const policies: ReadonlyArray<ScalingPolicy.ScalingPolicy> = [
    ScalingPolicy.aimd(),
    ScalingPolicy.vegas(),
    ScalingPolicy.gradient()
  ]

  it.prop("stay within the bounds and survive JSON", [between(1, 200), between(1, 2000), between(0, 60)], (
    [start, duration, lost]
  ) => {
    for (const policy of policies) {
      const ends = Array.from(
        { length: 30 },
        (_, i) =>
          i % 3 === 0 ? stats(20 + lost, { rejections: lost, meanDuration: duration * (1 + i % 5) }) : took(duration)
      )
      const settings = { ...ConcurrencySettings.defaults, desiredConcurrency: start }
      let state = policy.initial(settings)
      for (const completions of ends) {
        const [{ desired }, next] = policy.decide(state, observation({ settings, completions, meanConcurrency: 200 }))
        assert.isTrue(desired >= 1 && desired <= 200)
        state = JSON.parse(JSON.stringify(next))
        assert.deepStrictEqual(state, next)
      }
    }
  })

  it.effect("an invalid option is an InvalidOptionsError of the pool, and of whoever asks the policy", () =>
    Effect.gen(function*() {
      const policies: Record<string, ScalingPolicy.ScalingPolicy> = {
        "policy.decreaseRatio": ScalingPolicy.aimd({ decreaseRatio: 0 }),
        "policy.every": ScalingPolicy.vegas({ every: 0 }),
        "policy.tolerance": ScalingPolicy.gradient({ tolerance: 0 }),
        "policy.queueSize": ScalingPolicy.gradient({ queueSize: Infinity }),
        "policy.scaleUpStepRatio": ScalingPolicy.stepRatio({ scaleUpStepRatio: 2 }),
        "policy.memoryHeadroom": ScalingPolicy.adaptive({ memoryHeadroom: -1 })
      }
      for (const [field, policy] of Object.entries(policies)) {
        const error = yield* Effect.flip(AutoscaledPool.forEach([1], Effect.succeed, { policy }))
        assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
        assert.strictEqual(error.field, field)
        assert.throws(() => policy.initial(ConcurrencySettings.defaults), InvalidOptionsError.InvalidOptionsError)
      }
    }).pipe(Effect.provide(SystemStatus.layerTest)))

  it.effect("a policy of one's own is checked: make fails and makeUnsafe throws", () =>
    Effect.gen(function*() {
      const own = {
        name: "own",
        every: "1 second",
        initial: () => 0,
        decide: (n: number) => [{ desired: n, reason: { summary: "counted" } }, n + 1] as const
      } as const
      const policy: ScalingPolicy.ScalingPolicy<number> = yield* ScalingPolicy.make(own)
      assert.strictEqual(Duration.toMillis(policy.every), 1000)
      for (const [field, value] of [["name", ""], ["every", 0], ["desiredConcurrencyRatio", 1.5]] as const) {
        const error = yield* Effect.flip(ScalingPolicy.make({ ...own, [field]: value }))
        assert.strictEqual(error.field, field)
        assert.throws(
          () => ScalingPolicy.makeUnsafe({ ...own, [field]: value }),
          InvalidOptionsError.InvalidOptionsError
        )
      }
    }))
})
