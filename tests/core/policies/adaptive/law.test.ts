/**
 * The adaptive law as a whole, driven by a fluid in place of tasks.
 */
import { ConcurrencySettings, InvalidOptionsError, type LoadSignal, ScalingPolicy } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as law from "../../../../packages/core/src/internal/adaptive/law.ts"
import { begin } from "../../../../packages/core/src/internal/adaptive/model/reading.ts"
import { slowStart } from "../../../../packages/core/src/internal/adaptive/stages/phases.ts"
import { initial, type State } from "../../../../packages/core/src/internal/adaptive/state.ts"
import {
  between,
  type Conditions,
  desiredAt,
  drive,
  known,
  meanDesired,
  observation,
  readingAt,
  signal,
  stats
} from "../support.ts"

const policy = ScalingPolicy.adaptive()

describe("ScalingPolicy.adaptive", () => {
  describe("finds", () => {
    it("the knee of a service, from any start, and stays there", () => {
      for (const desiredConcurrency of [1, 5, 20, 200]) {
        const steps = drive(policy, 300, () => ({ duration: 300, knee: 48 }), { settings: { desiredConcurrency } })
        const mean = meanDesired(steps, 100, 300)
        assert.isTrue(mean > 40 && mean < 62, `${mean} from ${desiredConcurrency}`)
        assert.isAbove(desiredAt(steps, 15), 32)
      }
    })

    it("the knee within 10 % over an hour", () => {
      const steps = drive(policy, 3600, () => ({ duration: 300, knee: 48 }))
      assert.approximately(meanDesired(steps, 3000, 3600), 48, 4.8)
    })

    it("the concurrency that brings a resource of any name to its target", () => {
      for (const name of ["cpu", "eventLoop", "disk"]) {
        const steps = drive(policy, 120, () => ({ duration: 400, knee: 25, uses: { [name]: [0.04, 0] } }))
        assert.approximately(meanDesired(steps, 60, 120), 22.5, 2.5, name)
      }
    })

    it("the maximum where nothing limits", () => {
      const steps = drive(policy, 60, () => ({ duration: 100 }))
      assert.isAbove(meanDesired(steps, 30, 60), 180)
    })

    it("what a service accepts, and leaves it by no more than it must", () => {
      const steps = drive(policy, 300, () => ({ duration: 300, accepted: 30 }))
      const mean = meanDesired(steps, 60, 300)
      assert.isTrue(mean > 25 && mean < 33, String(mean))
      // What a loss has shown need not be asked for by running fewer.
      const fewer = steps.filter(({ at, decision }) => at > 60 && decision.desired < 27)
      assert.isBelow(fewer.length / steps.length, 0.06)
    })
  })

  it("keeps memory below its limit all the way", () => {
    const uses = { memory: [0.03, 0.1] } as const
    const steps = drive(policy, 200, () => ({ duration: 2000, uses }), { settings: { desiredConcurrency: 200 } })
    assert.isTrue(steps.every(({ inFlight }) => 0.1 + 0.03 * inFlight < 0.95))
    assert.isAbove(meanDesired(steps, 100, 200), 18)
  })

  it("gives way to a neighbour, but not everything", () => {
    const conditions = (second: number): Conditions => ({
      duration: 500,
      uses: { cpu: [0.03, second < 100 ? 0 : 0.6] }
    })
    const steps = drive(policy, 200, conditions)
    assert.approximately(meanDesired(steps, 60, 100), 30, 3)
    const beside = meanDesired(steps, 160, 200)
    assert.isTrue(beside > 8 && beside < 20, String(beside))
  })

  it("does not decay while there is too little to do, and serves a burst at once", () => {
    const conditions = (second: number): Conditions => ({
      duration: 400,
      knee: 40,
      demand: second > 60 && second < 300 ? 1 : 1000
    })
    const steps = drive(policy, 320, conditions)
    const before = desiredAt(steps, 60)
    assert.isAbove(before, 30)
    assert.isTrue(
      steps.filter(({ at }) => at > 61 && at < 300).every(({ decision }) => decision.desired >= 0.8 * before)
    )
  })

  it("does not cut where tasks only take longer", () => {
    const conditions = (second: number): Conditions => ({ duration: second < 100 ? 300 : 1200, knee: 60 })
    const steps = drive(policy, 200, conditions)
    assert.isAbove(meanDesired(steps, 180, 200), 48)
  })

  it("follows a knee down and up again", () => {
    const conditions = (second: number): Conditions => ({
      duration: 300,
      knee: second < 100 || second > 200 ? 60 : 15
    })
    const steps = drive(policy, 300, conditions)
    assert.isBelow(meanDesired(steps, 135, 200), 24)
    assert.isAbove(meanDesired(steps, 250, 300), 48)
  })

  describe("where throughput collapses", () => {
    /** A service that gets less done the more it is asked beyond its knee. */
    const collapsing = (from: number, knee: number) => (second: number): Conditions => ({
      duration: second < from ? 500 : 500 * knee,
      knee: second < from ? Infinity : knee
    })

    it("goes back to where more was served, within a few windows", () => {
      const steps = drive(policy, 310, collapsing(100, 8), { settings: { maxConcurrency: 40 } })
      assert.isAbove(desiredAt(steps, 99), 35)
      assert.isBelow(desiredAt(steps, 165), 30)
      assert.isBelow(desiredAt(steps, 310), 11)
    })
  })

  it("does not heed at its first steps what resources say, but for memory", () => {
    const first = (name: string) => {
      const uses = { [name]: [0.2, 0] } as const
      return drive(policy, 4, () => ({ duration: 5000, uses })).map(({ decision }) => decision)
    }
    const highest = (decisions: ReadonlyArray<ScalingPolicy.ScalingDecision>) =>
      Math.max(...decisions.map(({ desired }) => desired))
    const [cpu, memory] = [first("cpu"), first("memory")]
    assert.isAtLeast(highest(cpu), 8)
    assert.isAtMost(highest(memory), 5)
    assert.isTrue(cpu.every(({ reason }) => reason.bindingSignal === undefined))
    assert.strictEqual(memory[memory.length - 1].reason.bindingSignal, "memory")
  })

  it("begins to measure a new level only once it has settled, for which blocked time does not count", () => {
    const { model, ...rest } = initial(ConcurrencySettings.defaults)
    const before: State = {
      ...rest,
      level: 20,
      phase: slowStart([readingAt(10, 40)]),
      model: { ...model, tasks: known(500, 100) }
    }
    const after = (at: number, settled: number, current = 20) => {
      const now = observation({ now: 100_000, current })
      return law.decide({ every: 250, memoryHeadroom: 0 }, { ...before, at, settled }, now)[1]
    }
    const measurement = (state: State) => "measurement" in state.phase ? state.phase.measurement : assert.fail()
    assert.strictEqual(after(99_750, 100).settled, 350)
    assert.strictEqual(after(99_000, 100).settled, 350)
    assert.isNull(measurement(after(99_750, 100)))
    assert.deepStrictEqual(measurement(after(99_750, 250)), begin)
    // What runs above the level has to end first.
    assert.deepInclude(after(99_750, 250, 30), { settled: 0 })
  })

  it("learns of each limit of memory by itself what a task costs, for they are of different scales", () => {
    const at = (state: State, now: number, of: string, own: number) => {
      const measure = { used: own, limit: 1, unit: "By", of }
      const memory = signal(own, { at: now, measure })
      const seen = observation({
        now,
        current: 4,
        meanConcurrency: 4,
        inFlightAges: [900, 800, 700, 600],
        signals: { memory }
      })
      return law.decide({ every: 250, memoryHeadroom: 0 }, state, seen)[1]
    }
    const machine = at(at(initial(ConcurrencySettings.defaults), 250, "machine", 0.003), 500, "machine", 0.004)
    const heap = at(machine, 750, "V8 heap", 0.47)
    assert.deepStrictEqual(Object.keys(heap.model.memories), ["machine", "V8 heap"])
    assert.deepStrictEqual(heap.model.memories["machine"], machine.model.memories["machine"])
    assert.strictEqual(heap.model.memories["V8 heap"].own, 0.47)
  })

  it("stays at its first steps where a first guess at what tasks use lowers the level", () => {
    const inFlightAges = [150, 150]
    const seen = (load: number, now: number) =>
      observation({ now, current: 2, meanConcurrency: 2, inFlightAges, signals: { memory: signal(load) } })
    const parameters = { every: 250, memoryHeadroom: 0 }
    const idle = observation({ current: 0, meanConcurrency: 0, signals: { memory: signal(0.1) } })
    const known = law.decide(parameters, initial(ConcurrencySettings.defaults), idle)[1]
    const lowered = law.decide(parameters, known, seen(0.28, 250))[1]
    assert.isBelow(lowered.level, 2)
    assert.strictEqual(lowered.phase._tag, "ColdStart")
  })

  describe("a stale signal", () => {
    const conditions = (second: number): Conditions => ({
      duration: 300,
      uses: { cpu: [0.001, 0] },
      isStale: second >= 3
    })

    it("forbids growth", () => {
      const steps = drive(policy, 60, conditions)
      const at = desiredAt(steps, 3)
      assert.isTrue(steps.filter((step) => step.at >= 3).every(({ decision }) => decision.desired <= at))
      assert.include(steps[steps.length - 1].decision.reason.summary, "cpu does not report")
    })

    it("does not stand in the way once it reports again", () => {
      const steps = drive(policy, 60, (second) => ({ ...conditions(second), isStale: second >= 3 && second < 20 }))
      assert.isAbove(desiredAt(steps, 59), 2 * desiredAt(steps, 19))
    })
  })

  it("starts gently, whatever it is told to start with", () => {
    const [decision] = policy.decide(
      policy.initial({ ...ConcurrencySettings.defaults, desiredConcurrency: 200 }),
      observation({ current: 0, meanConcurrency: 0, saturatedShare: 0, desired: 200 })
    )
    assert.strictEqual(decision.desired, 2)
    assert.strictEqual(policy.decidesAtStart, true)
    assert.strictEqual(policy.boundsStarts, true)
  })

  it("gives a reason that a person understands", () => {
    const uses = { cpu: [0.04, 0] } as const
    const steps = drive(policy, 120, () => ({ duration: 400, knee: 25, uses }))
    const { reason } = steps[steps.length - 1].decision
    assert.strictEqual(reason.bindingSignal, "cpu")
    assert.strictEqual(reason.phase, "following a ceiling")
    assert.strictEqual(reason.summary, "as many as bring cpu to its target")
    assert.approximately(reason.ceilings?.cpu ?? 0, 22.5, 3)
    const phases = new Set(steps.map(({ decision }) => decision.reason.phase))
    assert.isTrue(phases.has("cold start") && phases.has("slow start"))
    const idle = drive(policy, 60, (second) => ({ duration: 400, knee: 20, demand: second > 40 ? 1 : 100 }))
    assert.match(idle[idle.length - 1].decision.reason.summary, /^only 1 of \d+ are in use/)
    const lossy = drive(policy, 30, () => ({ duration: 300, accepted: 20 }))
    assert.isTrue(lossy.some(({ decision }) => decision.reason.phase === "backing off"))
  })

  it("is a pure step over plain data: replayed from JSON, it decides the same", () => {
    const conditions = (second: number): Conditions => ({
      duration: 300 + 20 * (second % 7),
      knee: second < 40 ? 40 : 20,
      accepted: 60,
      uses: { cpu: [0.01, 0.1], memory: [0.01, 0.2] },
      demand: second > 60 && second < 70 ? 2 : 1000
    })
    const frozen = <A>(value: A): A => {
      if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
        Object.freeze(value)
        Object.values(value).forEach(frozen)
      }
      return value
    }
    const once = drive(policy, 100, conditions, { copy: frozen })
    const replayed = drive(policy, 100, conditions, { copy: (state) => JSON.parse(JSON.stringify(state)) })
    assert.deepStrictEqual(replayed, once)
  })

  it.prop(
    "decides on a number within the bounds, whatever it observes",
    [between(1, 20), between(0, 180), between(0, 1_000_000)],
    ([minConcurrency, more, seed]) => {
      const settings = {
        ...ConcurrencySettings.defaults,
        minConcurrency,
        maxConcurrency: minConcurrency + more,
        desiredConcurrency: minConcurrency
      }
      let random = seed
      const next = (below: number) => {
        random = (random * 1103515245 + 12345) % 2147483648
        return random / 2147483648 * below
      }
      const whole = (below: number) => Math.floor(next(below))
      const anySignal = (): LoadSignal.SignalInfo => {
        const load = next(1.3)
        return signal(load, {
          own: next(1) < 0.2 ? next(2) : next(load),
          isStale: next(1) < 0.1,
          target: 0.1 + next(1)
        })
      }
      let state = policy.initial(settings)
      let desired = minConcurrency
      let now = 0
      for (let i = 0; i < 60; i++) {
        now += next(1) < 0.1 ? 0 : next(3000)
        const current = whole(250)
        const served = whole(40)
        const lost = next(1) < 0.3 ? whole(30) : 0
        const seen = observation({
          now,
          settings,
          desired,
          current,
          meanConcurrency: next(250),
          saturatedShare: next(1) < 0.3 ? next(1) : 1,
          signals: { cpu: anySignal(), memory: anySignal(), client: anySignal(), ["a b"]: anySignal() },
          completions: stats(served + lost, {
            rejections: lost,
            meanDuration: served > 0 ? next(20_000) : 0,
            varianceDuration: next(1e8)
          }),
          inFlightAges: Array.from({ length: current }, () => next(30_000)).toSorted((a, b) => b - a)
        })
        const [decision, after] = policy.decide(state, seen)
        state = after
        assert.isTrue(Number.isInteger(decision.desired))
        assert.isTrue(decision.desired >= minConcurrency && decision.desired <= settings.maxConcurrency)
        assert.isTrue((decision.startAllowance ?? 0) >= 0)
        assert.deepStrictEqual(JSON.parse(JSON.stringify(state)), state)
        if (seen.currentInfo.isStale) assert.isAtMost(decision.desired, Math.max(desired, minConcurrency))
        desired = decision.desired
      }
    }
  )

  it("refuses options that cannot be", () => {
    const fieldOf = (options: ScalingPolicy.AdaptiveOptions) => {
      try {
        ScalingPolicy.adaptive(options).initial(ConcurrencySettings.defaults)
      } catch (error) {
        return error instanceof InvalidOptionsError.InvalidOptionsError ? error.field : error
      }
      return undefined
    }
    assert.strictEqual(fieldOf({ every: 0 }), "every")
    assert.strictEqual(fieldOf({ every: "Infinity" }), "every")
    assert.strictEqual(fieldOf({ memoryHeadroom: 1.5 }), "memoryHeadroom")
    assert.isUndefined(fieldOf({ every: "1 second", memoryHeadroom: 0.2 }))
    assert.strictEqual(Duration.toMillis(policy.every), 250)
  })

  it("leaves as much memory free as it is told to", () => {
    const uses = { memory: [0.01, 0.1] } as const
    const [usual, careful] = [0.05, 0.4].map((memoryHeadroom) =>
      meanDesired(drive(ScalingPolicy.adaptive({ memoryHeadroom }), 120, () => ({ duration: 500, uses })), 80, 120)
    )
    assert.isBelow(careful, 0.75 * usual)
  })
})
