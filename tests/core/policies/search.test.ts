/**
 * Measuring a level of concurrency, and what slow start, the steady state and the following of a ceiling make of it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fitting from "../../../packages/core/src/internal/adaptive/elasticityFit.ts"
import * as measuring from "../../../packages/core/src/internal/adaptive/measurement.ts"
import * as probing from "../../../packages/core/src/internal/adaptive/probing.ts"
import * as slowStart from "../../../packages/core/src/internal/adaptive/slowStart.ts"
import * as tracking from "../../../packages/core/src/internal/adaptive/tracking.ts"
import { between, observation, stats } from "./support.ts"

/** What a service with a knee answers at a level. */
const readingAt = (concurrency: number, knee: number, count = 100, duration = 300): measuring.Reading => ({
  concurrency,
  duration: duration * Math.max(1, concurrency / knee),
  count
})

describe("measurement", () => {
  const plan: measuring.Plan = {
    settle: 0,
    least: 1000,
    most: 3000,
    enough: 30,
    durationOf: ({ count, durations }) => durations / count
  }
  const seen = observation({ meanConcurrency: 10, completions: stats(10, { meanDuration: 400 }) })
  const after = (times: number, from = measuring.begin) =>
    Array.from({ length: times }).reduce<measuring.Measurement>((sum) => measuring.add(sum, seen, 500), from)

  it("ends when it is long enough and rests on enough tasks", () => {
    assert.isUndefined(measuring.finish(after(1), plan))
    assert.isUndefined(measuring.finish(after(2), plan))
    assert.deepStrictEqual(measuring.finish(after(3), plan), { concurrency: 10, duration: 400, count: 30 })
  })

  it("ends with few tasks when it lasts too long, but not with next to none", () => {
    const idle = observation({ meanConcurrency: 10, completions: stats(1, { meanDuration: 400 }) })
    const slow = Array.from({ length: 6 }).reduce<measuring.Measurement>(
      (sum) => measuring.add(sum, idle, 500),
      measuring.begin
    )
    assert.strictEqual(measuring.finish(slow, plan)?.count, 6)
    assert.isUndefined(measuring.finish({ ...slow, count: 5 }, plan))
  })

  it("does not count tasks that were not served", () => {
    const lost = observation({ completions: stats(10, { rejections: 10 }) })
    assert.strictEqual(measuring.add(measuring.begin, lost, 500).count, 0)
  })

  it("is void where the limit was not binding", () => {
    const unused = observation({ ...seen, saturatedShare: 0 })
    assert.isFalse(measuring.isVoid(after(4)))
    assert.isTrue(measuring.isVoid(measuring.add(measuring.add(measuring.begin, unused, 1000), unused, 1000)))
    assert.isFalse(measuring.isVoid(measuring.add(after(10), unused, 1000)))
  })

  it("waits in units of a task's duration", () => {
    const [short, long] = [100, 20_000].map((time) => measuring.planOfGrowth(time, 0.5, false))
    assert.isAtMost(short.settle + short.least, 1000)
    assert.isAtLeast(long.settle + long.least, 20_000)
    assert.deepStrictEqual(measuring.planOfGrowth(100, 0.5, false, 2000), { ...short, settle: 2000 })
    assert.deepStrictEqual(measuring.planOfGrowth(20_000, 0.5, false, 2000), long)
    // Tasks that end together are as many in a whole task time as in any other, but not in half of one.
    for (const [time, least] of [[100, 1000], [1600, 1600], [20_000, 20_000]]) {
      assert.strictEqual(measuring.planOfGrowth(time, 0.5, false, 0, true).least, least)
    }
    assert.isAtLeast(measuring.planOfProbe(300, 2).enough, measuring.planOfProbe(300, 0.5).enough)
  })

  it("knows how duration answers to concurrency", () => {
    assert.approximately(measuring.elasticity(readingAt(10, 40), readingAt(20, 40), 1).value, 0, 1e-9)
    assert.approximately(measuring.elasticity(readingAt(40, 40), readingAt(80, 40), 1).value, 1, 1e-9)
    const [few, many] = [5, 500].map((count) =>
      measuring.elasticity(readingAt(10, 40, count), readingAt(20, 40, count), 1).error
    )
    assert.isAbove(few, 9 * many)
  })
})

describe("elasticity fit", () => {
  const fitAt = (level: number, knee: number, levels: ReadonlyArray<number>) =>
    fitting.fit(levels.map((each) => fitting.sampleOf(readingAt(each, knee))), level, 0.5)

  it("finds the slope around a level, and how sure it is", () => {
    assert.isBelow(Math.abs(fitAt(20, 40, [17, 20, 24]).slope), 0.01)
    assert.isAbove(fitAt(60, 40, [50, 60, 72]).slope, 0.8)
    assert.isBelow(fitAt(60, 40, [50, 60, 72]).error, fitAt(60, 40, [50, 60]).error)
  })

  it("takes one sample for no slope", () => {
    assert.strictEqual(fitAt(60, 40, [60]).slope, 0)
  })

  it("hardly minds what is far away, and forgets", () => {
    const [near, far] = [
      [30, 36],
      [30, 36, 200]
    ].map((levels) => fitAt(33, 40, levels).slope)
    assert.approximately(near, far, 0.05)
    let samples: ReadonlyArray<fitting.Sample> = []
    for (let i = 0; i < 100; i++) samples = fitting.remember(samples, fitting.sampleOf(readingAt(10, 40)), 0.8)
    assert.isAtMost(samples.length, 24)
    assert.isBelow(samples[0].weight, 1)
  })

  it("tells what it did not foresee", () => {
    const fit = fitAt(20, 40, [17, 20, 24])
    assert.approximately(fitting.residual(fit, fitting.sampleOf(readingAt(20, 40, 100, 900))), Math.log(3), 0.01)
  })
})

describe("slow start", () => {
  const run = (knee: number, from: number, count = 100, variation = 0.5) => {
    let state = slowStart.initial
    for (let level = from; level < 10_000; level *= 2) {
      const outcome = slowStart.step(state, readingAt(level, knee, count), variation)
      if (outcome._tag === "Grow") state = outcome.next
      else return outcome
    }
    return undefined
  }

  it.prop("lands on the knee, with a little to spare", [between(20, 400)], ([knee]) => {
    const outcome = run(knee, 8)
    assert.strictEqual(outcome?._tag, knee > 16 ? "Land" : "Descend")
    if (outcome?._tag === "Land") assert.isTrue(outcome.level >= knee && outcome.level <= 1.35 * knee)
  })

  it("seeks below where the first doubling was one too many", () => {
    assert.strictEqual(run(5, 10)?._tag, "Descend")
  })

  it("goes by the last doubling too, which shows a knee before all of them together do", () => {
    const readings = [readingAt(10, 90), readingAt(20, 90), readingAt(40, 90), readingAt(80, 90)]
    const state = slowStart.resume(readings, null)
    // Of the last doubling seven tenths are lost to duration, of all together less than half.
    const latest = { concurrency: 160, duration: 300 * 2 ** 0.7, count: 100 }
    const outcome = slowStart.step(state, latest, 0.3)
    if (outcome._tag !== "Land") return assert.fail(outcome._tag)
    assert.isTrue(outcome.level >= 95 && outcome.level <= 125, `${outcome.level}`)
    const slight = { ...latest, duration: 300 * 2 ** 0.4 }
    assert.strictEqual(slowStart.step(state, slight, 0.3)._tag, "Grow")
  })

  it("is not misled by a level that was read before any of the long tasks had ended", () => {
    const [seven, ten] = [{ concurrency: 7, duration: 900, count: 40 }, { concurrency: 10, duration: 400, count: 13 }]
    const twenty = { concurrency: 20, duration: 800, count: 70 }
    assert.strictEqual(slowStart.step(slowStart.resume([seven, ten], null), twenty, 1)._tag, "Grow")
    assert.strictEqual(slowStart.step(slowStart.resume([ten], null), twenty, 0.3)._tag, "Descend")
  })

  it("does not take chance for congestion", () => {
    const first = slowStart.step(slowStart.initial, readingAt(10, 1000, 6), 2)
    assert.strictEqual(first._tag, "Grow")
    if (first._tag !== "Grow") return
    const unlucky = { concurrency: 20, duration: 480, count: 6 }
    const second = slowStart.step(first.next, unlucky, 2)
    assert.strictEqual(second._tag, "Wait")
    if (second._tag !== "Wait") return
    assert.strictEqual(slowStart.step(second.next, readingAt(20, 1000, 60), 2)._tag, "Grow")
  })

  describe("while the event loop is shaken", () => {
    const state = slowStart.resume([readingAt(10, 90), readingAt(20, 90)], null)
    const slow = { concurrency: 40, duration: 600, count: 60 }
    const wait = (outcome: slowStart.Outcome) => outcome._tag === "Wait" ? outcome.next : assert.fail(outcome._tag)

    it("does not believe a reading that looks congested, and forgets it", () => {
      assert.strictEqual(slowStart.step(state, slow, 0.3)._tag, "Land")
      const doubting = wait(slowStart.step(state, slow, 0.3, true))
      assert.deepStrictEqual(doubting, { ...state, doubted: 1 })
      const outcome = slowStart.step(doubting, readingAt(40, 90), 0.3)
      if (outcome._tag !== "Grow") return assert.fail(outcome._tag)
      assert.deepStrictEqual(outcome.next, slowStart.resume([...state.readings, readingAt(40, 90)], null))
    })

    it("lands all the same where it looks so for the fourth time", () => {
      const doubting = [1, 2, 3].reduce((before) => wait(slowStart.step(before, slow, 0.3, true)), state)
      assert.deepStrictEqual(slowStart.step(doubting, slow, 0.3, true), slowStart.step(state, slow, 0.3))
    })

    it("grows where nothing looks congested", () => {
      assert.strictEqual(slowStart.step(state, readingAt(40, 90), 0.3, true)._tag, "Grow")
    })
  })
})

describe("steady state", () => {
  const bounds: probing.Bounds = { least: 1, most: 200, isFirm: false, variation: 0.5, time: 300 }

  /** Answers each level as a service with a knee would, for so many readings. */
  const run = (
    from: probing.Probing,
    knee: (reading: number) => number,
    readings: number,
    options: { readonly duration?: (reading: number) => number; readonly bounds?: Partial<probing.Bounds> } = {}
  ) => {
    const within = { ...bounds, ...options.bounds }
    let state = from
    let level = from.center
    const levels: Array<number> = []
    for (let i = 0; i < readings; i++) {
      const outcome = probing.step(state, readingAt(level, knee(i), 100, options.duration?.(i) ?? 300), within)
      if (outcome._tag === "Restart") return { restartedAt: i, center: outcome.level, levels }
      state = outcome.next
      level = outcome.level
      levels.push(level)
    }
    return { restartedAt: undefined, center: state.center, levels }
  }

  it("stays near the knee", () => {
    const { center, levels, restartedAt } = run(probing.initial(48), () => 48, 300)
    assert.isUndefined(restartedAt)
    assert.isTrue(center > 40 && center < 60)
    assert.isTrue(levels.every((level) => level > 28 && level < 80))
  })

  describe("where fewer did not help after a first doubling that seemed too much", () => {
    const retried = (() => {
      const [ten, twenty] = [readingAt(10, 10), readingAt(20, 10)]
      const first = slowStart.step(slowStart.initial, ten, 0.5)
      const second = first._tag === "Grow" ? slowStart.step(first.next, twenty, 0.5) : assert.fail("ten is no knee")
      if (second._tag !== "Descend") return assert.fail("twenty is too much")
      const outcome = probing.step(probing.descendFrom(second.from, false, [second.above]), readingAt(6.7, 10), bounds)
      return outcome._tag === "Restart" ? outcome : assert.fail("fewer are no better")
    })()
    const resumed = slowStart.resume(retried.known, retried.tried)

    it("tries that again, with all that was read", () => {
      assert.approximately(retried.level, 20, 1e-9)
      assert.deepStrictEqual(retried.known.map(({ concurrency }) => Math.round(concurrency)), [7, 10])
      assert.approximately(retried.tried?.concurrency ?? 0, 20, 1e-9)
    })

    it("lands where it is too much indeed", () => {
      const outcome = slowStart.step(resumed, readingAt(20, 10), 0.5)
      if (outcome._tag !== "Land") return assert.fail(outcome._tag)
      assert.isTrue(outcome.level >= 10 && outcome.level <= 13)
    })

    it("goes on where that was chance", () => {
      const unlucky = { concurrency: 20, duration: 600, count: 8 }
      const outcome = slowStart.step(slowStart.resume(retried.known, unlucky), readingAt(20, 1000, 100), 0.5)
      assert.strictEqual(outcome._tag, "Grow")
    })
  })

  it("finds the way back from above, and from below", () => {
    const above = run(probing.initial(120), () => 48, 60)
    assert.isBelow(above.center, 66)
    const below = run(probing.initial(20), () => 48, 60)
    assert.isTrue(below.restartedAt !== undefined || below.center > 38)
  })

  it("probes less and less often while nothing changes", () => {
    const { levels } = run(probing.initial(48), () => 48, 200)
    const moves = (from: number, to: number) =>
      levels.slice(from, to).filter((level, i, those) => i > 0 && level !== those[i - 1]).length
    assert.isBelow(moves(150, 200), moves(0, 50))
  })

  it("tries less below a bound the more rarely the more often that was no better, most rarely if it is memory", () => {
    const holds = (isFirm: boolean) =>
      [0, 1, 2, 3, 9].map((ups) => probing.prove({ ...probing.initial(36), ups }, { ...bounds, isFirm }).hold)
    assert.deepStrictEqual(holds(false), [12, 12, 24, 36, 48])
    assert.deepStrictEqual(holds(true), [48, 48, 96, 144, 192])
    const triesBelow = (isFirm: boolean) => {
      const { levels } = run(probing.initial(60, true), () => 200, 300, { bounds: { isFirm, most: 60 } })
      return levels.filter((level) => level < 60).length
    }
    assert.isAtLeast(triesBelow(true), 2)
    assert.isAtMost(triesBelow(true), triesBelow(false) / 2)
  })

  it("cuts nothing where durations rise for another reason than congestion", () => {
    const { center, restartedAt } = run(probing.initial(40), () => 200, 40, { duration: (i) => i < 15 ? 300 : 1200 })
    assert.isDefined(restartedAt)
    assert.isAtLeast(center, 40)
  })

  describe("having gone down after durations rose", () => {
    const at = (concurrency: number, duration: number): measuring.Reading => ({ concurrency, duration, count: 40 })
    const descended = (...readings: ReadonlyArray<measuring.Reading>) =>
      readings.reduce<probing.Outcome>(
        (before, reading) => probing.step(before._tag === "Probe" ? before.next : assert.fail(), reading, bounds),
        { _tag: "Probe", next: probing.descendFrom(at(20, 1200)), level: 13 }
      )
    const restarted = (outcome: probing.Outcome) =>
      outcome._tag === "Restart" ? outcome : assert.fail(`${outcome._tag} at ${outcome.level}`)

    it("measures both levels against each other where it is unclear whether fewer helped", () => {
      const { known, level, tried } = restarted(descended(at(13, 1000)))
      assert.strictEqual(level, 20)
      assert.deepStrictEqual(known.map(({ concurrency }) => Math.round(concurrency)), [13])
      assert.approximately(tried?.concurrency ?? 0, 20, 1e-9)
    })

    it("holds the level it came from against the lower one, where that seemed to be no better", () => {
      const { known, level, tried } = restarted(descended(at(13, 1190)))
      assert.strictEqual(level, 20)
      assert.deepStrictEqual(known.map(({ concurrency }) => Math.round(concurrency)), [13])
      assert.isNull(tried)
      // What was read in the midst of a change was too low: the next reading tells, and does not double.
      const outcome = slowStart.step(slowStart.resume(known, tried), at(20, 2000), 0.5)
      assert.strictEqual(outcome._tag, "Descend")
    })

    it("goes up again where the step down proves to have been one too many", () => {
      const { known, level } = restarted(descended(at(13, 750), at(9, 800)))
      assert.approximately(level, 20, 1e-9)
      assert.deepStrictEqual(known.map(({ concurrency }) => Math.round(concurrency)), [9, 13])
    })

    it("stays where two steps down have helped and a third does not", () => {
      const outcome = descended(at(13, 780), at(8.9, 520), at(5.9, 510))
      assert.strictEqual(outcome._tag, "Probe")
      assert.approximately(outcome.level, 8.9, 0.3)
    })
  })

  it("comes down quickly where the knee does", () => {
    const { levels } = run(probing.initial(70), (i) => i < 15 ? 70 : 18, 40)
    assert.isBelow(levels[26], 31)
  })

  it("follows a bound that stood in its way, and gives way to it", () => {
    const held = { ...probing.initial(50, true), hold: 9 }
    assert.isAbove(probing.follow(held, 60, 500, 500).center, 50)
    assert.strictEqual(probing.follow({ ...held, wantsMore: false }, 60, 500, 500).center, 50)
    assert.strictEqual(probing.follow(held, 51, 500, 500), held)
    assert.strictEqual(probing.giveWay(held, 40).center, 40)
    assert.isTrue(probing.giveWay(held, 40).wantsMore)
  })

  it.prop("never leaves its bounds", [between(1, 200), between(1, 200), between(1, 200)], ([start, most, knee]) => {
    const within = Math.min(start, most)
    const { levels } = run(probing.initial(within), () => knee, 50, { bounds: { most } })
    assert.isTrue(levels.every((level) => level >= 1 && level <= most))
  })
})

describe("following a ceiling", () => {
  const circumstances = (options: Partial<tracking.Circumstances>): tracking.Circumstances => ({
    now: 0,
    elapsed: 500,
    time: 500,
    level: 10,
    inFlight: 10,
    use: 0.9,
    usedShare: 1,
    ceiling: 10,
    ...options
  })

  it("comes down at once where it is urgent, and as fast as tasks end where it is not", () => {
    assert.isTrue(tracking.isExceeded(9, 10))
    assert.isFalse(tracking.isExceeded(9.9, 10))
    const urgent = tracking.comeDown(20, 10, 500, 5000, true)
    const patient = tracking.comeDown(20, 10, 500, 5000, false)
    assert.isTrue(urgent < patient && urgent > 10 && patient < 20)
  })

  it("goes up step by step", () => {
    const outcome = tracking.follow(tracking.initial("cpu"), circumstances({ ceiling: 80 }))
    assert.isTrue(outcome.level > 10 && outcome.level <= 12.5)
    assert.strictEqual(tracking.follow(tracking.initial("cpu"), circumstances({ ceiling: 10.2 })).level, 10)
  })

  it("goes back where use did not rise with the tasks", () => {
    const before = { ...tracking.initial("cpu"), check: { level: 10, inFlight: 10, use: 0.5, at: 0 } }
    const later = circumstances({ now: 5000, level: 15, inFlight: 15, use: 0.51, ceiling: 28 })
    assert.deepStrictEqual(tracking.follow(before, later), { _tag: "Refuted", level: 10 })
    assert.strictEqual(tracking.follow(before, { ...later, use: 0.75 })._tag, "Follow")
  })

  it("leaves a resource that does not bind any more", () => {
    const slack = { ...tracking.initial("cpu"), slackSince: 0 }
    const later = circumstances({ now: 20_000, usedShare: 0.5 })
    assert.strictEqual(tracking.follow(slack, later)._tag, "Refuted")
    assert.strictEqual(tracking.follow(slack, { ...later, usedShare: 1 })._tag, "Follow")
  })
})
