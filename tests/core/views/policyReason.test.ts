import { ScalingPolicy, type SystemStatus } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import * as reason from "../../../packages/core/src/internal/views/reason.ts"

const settings = { minConcurrency: 1, maxConcurrency: 20, desiredConcurrency: 10, maxTasksPerMinute: Infinity }

const signal = {
  limitRatio: 0.2,
  actualRatio: 0,
  isOverloaded: false,
  isStale: false,
  load: 0.5,
  own: 0.5,
  target: 0.9
}

const info = (signals: SystemStatus.SystemInfo["signals"]): SystemStatus.SystemInfo => ({
  signals,
  isSystemIdle: Object.values(signals).every(({ isOverloaded }) => !isOverloaded),
  isStale: Object.values(signals).some(({ isStale }) => isStale),
  createdAt: 0
})

const nothing = { count: 0, failures: 0, timeouts: 0, rejections: 0, meanDuration: 0, varianceDuration: 0 }

const ended = (count: number, meanDuration: number, failures = 0) => ({ ...nothing, count, meanDuration, failures })

const observation: ScalingPolicy.Observation = {
  now: 0,
  settings,
  desired: 10,
  current: 10,
  meanConcurrency: 10,
  saturatedShare: 1,
  currentInfo: info({ memory: signal }),
  historicalInfo: info({ memory: signal }),
  completions: nothing,
  fresh: nothing,
  inFlightAges: []
}

type Seen = Partial<ScalingPolicy.Observation>

const historical = (signals: SystemStatus.SystemInfo["signals"]): Seen => ({ historicalInfo: info(signals) })

/** What the policy says of the last of these observations, as a line of the log. */
const said = (policy: ScalingPolicy.ScalingPolicy, ...observations: ReadonlyArray<Seen>): string => {
  const first = { ...observation, ...observations[0] }
  let state = policy.initial({ ...first.settings, desiredConcurrency: first.desired })
  let from = first.desired
  let line = ""
  for (const seen of observations) {
    const [decision, next] = policy.decide(state, { ...observation, desired: from, ...seen })
    const to = Math.floor(decision.desired)
    line = reason.decision({ ...decision, at: 0, policy: policy.name, from, to, loads: {} })
    state = next
    from = to
  }
  return line
}

const overloaded = { ...signal, isOverloaded: true, actualRatio: 0.45 }
const stale = { ...signal, isStale: true }

describe("what policies say of their decisions", () => {
  it("stepRatio", () => {
    const policy = ScalingPolicy.stepRatio()
    assert.deepStrictEqual([
      said(policy, {}),
      said(policy, { current: 3 }),
      said(policy, historical({ memory: overloaded })),
      said(policy, historical({ cpu: { ...overloaded, limitRatio: 0.4, actualRatio: 0.9 }, memory: overloaded })),
      said(policy, historical({ memory: stale })),
      said(policy, historical({ cpu: stale, memory: stale })),
      said(policy, { desired: 20, current: 20 }),
      said(policy, { ...historical({ memory: overloaded }), desired: 1, current: 1 })
    ], [
      "11 tasks are desired in place of 10: no signal was overloaded and 10 of 10 were in flight, which asked for more",
      "10 tasks stay desired: only 3 of 10 were in flight; it grows with at least 9",
      "9 tasks are desired in place of 10: memory was overloaded for 45 % of the recent time (20 % is allowed), which asked for fewer",
      "9 tasks are desired in place of 10: cpu was overloaded for 90 % of the recent time (40 % is allowed) and memory was overloaded for 45 % of the recent time (20 % is allowed), which asked for fewer",
      "10 tasks stay desired: memory does not report, and nothing grows until it does",
      "10 tasks stay desired: cpu and memory do not report, and nothing grows until they do",
      "20 tasks stay desired: no signal was overloaded and 20 of 20 were in flight, which asked for more; maxConcurrency (20) allows no more",
      "1 task stays desired: memory was overloaded for 45 % of the recent time (20 % is allowed), which asked for fewer; minConcurrency (1) allows no fewer"
    ])
  })

  it("aimd", () => {
    const policy = ScalingPolicy.aimd()
    assert.deepStrictEqual([
      said(policy, { completions: ended(40, 100) }),
      said(policy, { completions: ended(40, 100, 2) }),
      said(policy, { completions: ended(40, 100, 1), desired: 1 }),
      said(policy, { meanConcurrency: 3.25 })
    ], [
      "11 tasks are desired in place of 10: no task failed, timed out or met a rate limit, which asked for more",
      "9 tasks are desired in place of 10: 2 tasks failed, timed out or met a rate limit, which asked for fewer",
      "1 task stays desired: 1 task failed, timed out or met a rate limit, which asked for fewer; minConcurrency (1) allows no fewer",
      "10 tasks stay desired: on average 3.3 of 10 were in flight; it grows with at least half of them in use"
    ])
  })

  it("vegas", () => {
    const policy = ScalingPolicy.vegas()
    const baseline = { completions: ended(20, 100) }
    const then = (mean: number) =>
      said(policy, { ...baseline, desired: 4, meanConcurrency: 4 }, { completions: ended(20, mean) })
    assert.deepStrictEqual([
      said(policy, { completions: ended(4, 100) }),
      said(policy, baseline),
      then(130),
      then(120),
      then(300),
      said(policy, { completions: ended(40, 100, 1) }),
      said(policy, { ...baseline, meanConcurrency: 3.25 })
    ], [
      "10 tasks stay desired: it compares durations when 10 tasks have ended, and 4 have so far",
      "16 tasks are desired in place of 10: tasks take 100 ms and at best 100 ms, as if 0 of 10 stood in a queue; it grows fast with up to 1 in it",
      "10 tasks stay desired: tasks take 130 ms and at best 100 ms, as if 3 of 10 stood in a queue; it stays with 3 to 6 in it",
      "11 tasks are desired in place of 10: tasks take 120 ms and at best 100 ms, as if 2 of 10 stood in a queue; it grows with fewer than 3 in it",
      "9 tasks are desired in place of 10: tasks take 300 ms and at best 100 ms, as if 7 of 10 stood in a queue; it shrinks with more than 6 in it",
      "9 tasks are desired in place of 10: 1 task failed, timed out or met a rate limit, which asked for fewer",
      "10 tasks stay desired: on average 3.3 of 10 were in flight; it grows with at least half of them in use"
    ])
  })

  it("gradient", () => {
    const policy = ScalingPolicy.gradient()
    const then = (mean: number) =>
      said(
        policy,
        ...Array.from({ length: 12 }, () => ({ completions: ended(20, 100), desired: 20, meanConcurrency: 20 })),
        {
          completions: ended(20, mean),
          desired: 20,
          meanConcurrency: 20
        }
      )
    assert.deepStrictEqual([
      said(policy, { completions: ended(4, 100) }),
      said(policy, { completions: ended(20, 100) }),
      then(400),
      said(policy, { completions: ended(20, 100), meanConcurrency: 3.25 })
    ], [
      "10 tasks stay desired: it compares durations when 10 tasks have ended, and 4 have so far",
      "10 tasks stay desired: tasks take 100 ms, 1.0 times their long-term mean, where 1.5 times is tolerated, which asked for more",
      "18 tasks are desired in place of 20: tasks take 400 ms, 4.0 times their long-term mean, where 1.5 times is tolerated, which asked for fewer",
      "10 tasks stay desired: on average 3.3 of 10 were in flight; it grows with at least half of them in use"
    ])
  })
})
