/**
 * The step arithmetic of `stepRatio`, against the numbers that are computed from its formulas.
 */
import { ConcurrencySettings, InvalidOptionsError, ScalingPolicy, type SystemStatus } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"

const info = (isSystemIdle: boolean, isStale = false): SystemStatus.SystemInfo => ({
  signals: {
    cpu: {
      limitRatio: 0.4,
      actualRatio: isSystemIdle ? 0 : 1,
      isOverloaded: !isSystemIdle,
      isStale,
      load: 0,
      own: 0,
      target: 1
    },
    memory: { limitRatio: 0.2, actualRatio: 0, isOverloaded: false, isStale: false, load: 0, own: 0, target: 1 }
  },
  isSystemIdle,
  isStale,
  createdAt: 0
})

const idle = info(true)
const overloaded = info(false)

const none: ScalingPolicy.CompletionStats = {
  count: 0,
  failures: 0,
  timeouts: 0,
  rejections: 0,
  meanDuration: 0,
  varianceDuration: 0
}

interface Case {
  readonly desired: number
  readonly current?: number
  readonly historical?: SystemStatus.SystemInfo
  readonly now?: SystemStatus.SystemInfo
  readonly min?: number
  readonly max?: number
}

const decide = (
  { current, desired, historical = idle, max = 200, min = 1, now = idle }: Case,
  options?: ScalingPolicy.StepRatioOptions
) => {
  const settings = { ...ConcurrencySettings.defaults, minConcurrency: min, maxConcurrency: max }
  const policy = ScalingPolicy.stepRatio(options)
  const [decision] = policy.decide(policy.initial(settings), {
    now: 0,
    settings,
    desired,
    current: current ?? desired,
    meanConcurrency: 0,
    saturatedShare: 0,
    currentInfo: now,
    historicalInfo: historical,
    completions: none,
    fresh: none,
    inFlightAges: []
  })
  return decision
}

const next = (step: Case, options?: ScalingPolicy.StepRatioOptions) => decide(step, options).desired

/** How many decisions it takes from one concurrency to another, always in full use. */
const decisions = (from: number, to: number, historical: SystemStatus.SystemInfo): number => {
  let desired = from
  for (let count = 0; count < 1000; count++) {
    if (historical === idle ? desired >= to : desired <= to) return count
    desired = next({ desired, historical })
  }
  return Infinity
}

describe("ScalingPolicy.stepRatio", () => {
  it("steps up by ceil(0.05 * desired): 1 up to 20, 2 up to 40, 3 from 41", () => {
    for (
      const [desired, expected] of [
        [1, 2],
        [2, 3],
        [10, 11],
        [19, 20],
        [20, 21],
        [21, 23],
        [40, 42],
        [41, 44],
        [50, 53],
        [53, 56],
        [60, 63],
        [61, 65],
        [100, 105]
      ]
    ) {
      assert.strictEqual(next({ desired }), expected, `from ${desired}`)
    }
  })

  it("steps down by ceil(0.05 * desired)", () => {
    for (
      const [desired, expected] of [[2, 1], [10, 9], [20, 19], [21, 19], [40, 38], [41, 38], [80, 76], [100, 95], [
        200,
        190
      ]]
    ) {
      assert.strictEqual(next({ desired, historical: overloaded }), expected, `from ${desired}`)
    }
  })

  it("needs floor(0.9 * desired) in flight to step up: none at 1, and one less than desired up to 10", () => {
    for (const [desired, needed] of [[1, 0], [2, 1], [3, 2], [5, 4], [9, 8], [10, 9], [11, 9], [20, 18]]) {
      if (needed > 0) assert.strictEqual(next({ desired, current: needed - 1 }), desired, `${needed - 1} of ${desired}`)
      assert.isAbove(next({ desired, current: needed }), desired, `${needed} of ${desired}`)
    }
  })

  it("the ratio is no ornament: each of its values asks for another use", () => {
    const atRatio = (desiredConcurrencyRatio: number, current: number) =>
      next({ desired: 20, current }, { desiredConcurrencyRatio })
    assert.strictEqual(atRatio(1, 19), 20)
    assert.strictEqual(atRatio(1, 20), 21)
    assert.strictEqual(atRatio(0.5, 9), 20)
    assert.strictEqual(atRatio(0.5, 10), 21)
    assert.strictEqual(atRatio(0.01, 0), 21)
  })

  it("steps down whether it is in use or not", () => {
    assert.strictEqual(next({ desired: 10, current: 0, historical: overloaded }), 9)
  })

  it("is clamped into the bounds, at either end and from beyond it", () => {
    assert.strictEqual(next({ desired: 100, max: 102 }), 102)
    assert.strictEqual(next({ desired: 102, max: 102 }), 102)
    assert.strictEqual(next({ desired: 10, min: 9, max: 12, historical: overloaded }), 9)
    assert.strictEqual(next({ desired: 9, min: 9, max: 12, historical: overloaded }), 9)
    assert.strictEqual(next({ desired: 100, min: 98, historical: overloaded }), 98)
    assert.strictEqual(next({ desired: 1, historical: overloaded }), 1)
    assert.strictEqual(next({ desired: 50, max: 20 }), 20)
    assert.strictEqual(next({ desired: 2, min: 5, historical: overloaded }), 5)
  })

  it("takes as long as the formulas say, up and down", () => {
    for (
      const [from, to, count] of [
        [1, 10, 9],
        [1, 20, 19],
        [1, 50, 33],
        [1, 100, 46],
        [1, 200, 59],
        [10, 20, 10],
        [10, 50, 24],
        [10, 100, 37],
        [10, 200, 50]
      ]
    ) {
      assert.strictEqual(decisions(from, to, idle), count, `${from} to ${to}`)
    }
    for (
      const [from, to, count] of [
        [200, 100, 13],
        [200, 10, 48],
        [200, 1, 57],
        [100, 50, 13],
        [100, 10, 35],
        [100, 1, 44],
        [20, 10, 10],
        [10, 1, 9]
      ]
    ) {
      assert.strictEqual(decisions(from, to, overloaded), count, `${from} to ${to}`)
    }
  })

  it("follows the historical verdict, not the current one", () => {
    assert.strictEqual(next({ desired: 10, now: overloaded }), 11)
    assert.strictEqual(next({ desired: 10, historical: overloaded, now: idle }), 9)
  })

  it("a stale signal forbids a step up, and no step down", () => {
    assert.strictEqual(next({ desired: 10, historical: info(true, true) }), 10)
    assert.strictEqual(next({ desired: 10, historical: info(false, true) }), 9)
  })

  it("ratios of one step to the double and to the minimum", () => {
    assert.strictEqual(next({ desired: 10 }, { scaleUpStepRatio: 1 }), 20)
    assert.strictEqual(next({ desired: 10, historical: overloaded }, { scaleDownStepRatio: 1 }), 1)
    assert.strictEqual(next({ desired: 10 }, { scaleUpStepRatio: 0.25 }), 13)
    assert.strictEqual(next({ desired: 10, historical: overloaded }, { scaleDownStepRatio: 0.25 }), 7)
  })

  it("a step is a whole number of tasks where the product is not exact", () => {
    for (let desired = 1; desired <= 200; desired++) {
      for (const ratio of [0.05, 0.1, 0.15, 0.2, 0.3, 0.35, 0.7]) {
        const up = next({ desired, max: 1000 }, { scaleUpStepRatio: ratio }) - desired
        const exact = Math.ceil(Math.round(ratio * 100) * desired / 100)
        assert.isTrue(up === exact || up === exact + 1, `${ratio} of ${desired} is ${up}`)
        assert.isTrue(Number.isInteger(up) && up >= 1)
      }
    }
  })

  it("says why, and names the signal that limits", () => {
    assert.include(decide({ desired: 10 }).reason.summary, "no signal was overloaded")
    assert.include(decide({ desired: 10, current: 3 }).reason.summary, "3 of 10")
    const down = decide({ desired: 10, historical: overloaded }).reason
    assert.include(down.summary, "cpu")
    assert.notInclude(down.summary, "memory")
    assert.strictEqual(down.bindingSignal, "cpu")
    assert.include(decide({ desired: 10, historical: info(true, true) }).reason.summary, "not report")
  })

  it("bounds no starts, keeps no state, and decides every ten seconds unless it is told otherwise", () => {
    const policy = ScalingPolicy.stepRatio()
    assert.strictEqual(policy.name, "stepRatio")
    assert.strictEqual(Duration.toMillis(policy.every), 10_000)
    assert.strictEqual(policy.desiredConcurrencyRatio, 0.9)
    assert.isNotTrue(policy.decidesAtStart)
    assert.isUndefined(policy.initial(ConcurrencySettings.defaults))
    assert.isUndefined(decide({ desired: 10 }).startAllowance)
    assert.strictEqual(Duration.toMillis(ScalingPolicy.stepRatio({ every: "3 seconds" }).every), 3000)
  })

  it("an invalid option is an InvalidOptionsError of whoever asks the policy, and names field, value and remedy", () => {
    const wrong: ReadonlyArray<ScalingPolicy.StepRatioOptions> = [
      { every: 0 },
      { every: -1 },
      { every: Infinity },
      { desiredConcurrencyRatio: 0 },
      { desiredConcurrencyRatio: 1.01 },
      { scaleUpStepRatio: 0 },
      { scaleUpStepRatio: NaN },
      { scaleDownStepRatio: -0.05 },
      { scaleDownStepRatio: 2 }
    ]
    for (const options of wrong) {
      const [[field, value]] = Object.entries(options)
      try {
        ScalingPolicy.stepRatio(options).initial(ConcurrencySettings.defaults)
        assert.fail(`${field} ${value} was accepted`)
      } catch (error) {
        assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
        assert.deepInclude(error, { field, value })
        assert.match((error as InvalidOptionsError.InvalidOptionsError).remedy, /^Use .+\.$/)
      }
    }
  })
})
