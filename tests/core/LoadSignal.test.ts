/**
 * What a signal reports, and how a window of reports becomes a ratio.
 *
 * Defects of Crawlee's signals that are impossible here: a failed reading that counts as healthy (`NaN` compared with a
 * limit), a comparison of rounded numbers, a negative or an unsorted gap that throws or is not handled, a single sample
 * that divides by zero, a recurring task that dies at its first error, a sample that is taken again while the last one is
 * still under way.
 */
import { InvalidOptionsError, LoadSignal, SystemStatus } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { after, begin, brokenLogger, log, sampled } from "./stage.ts"

const at = (at: number, isOverloaded = false, load = isOverloaded ? 0.99 : 0.1): LoadSignal.LoadSnapshot => ({
  at,
  load,
  isOverloaded
})

const blocks: LoadSignal.Measure = { used: 5, limit: 10, unit: "{block}", of: "disk /dev/sda" }

/** The overloaded share by the definition, one millisecond at a time; for snapshots at whole milliseconds. */
const shareByDefinition = (snapshots: ReadonlyArray<LoadSignal.LoadSnapshot>): number => {
  let overloaded = 0
  const [first] = snapshots
  const last = snapshots[snapshots.length - 1]
  for (let moment = first.at + 1; moment <= last.at; moment++) {
    if (snapshots.find((snapshot) => snapshot.at >= moment)?.isOverloaded === true) overloaded++
  }
  return overloaded / (last.at - first.at)
}

describe("LoadSignal.evaluate", () => {
  it("no snapshot is a ratio of 0, and stale", () => {
    assert.deepStrictEqual(LoadSignal.evaluate([], 0.2), {
      limitRatio: 0.2,
      actualRatio: 0,
      isOverloaded: false,
      isExhausted: false,
      isStale: true,
      load: 0,
      own: 0,
      target: 1,
      at: undefined,
      measure: undefined,
      overloadedSince: undefined
    })
  })

  it("a single snapshot is its own flag", () => {
    assert.deepInclude(LoadSignal.evaluate([at(5, true)], 0.2), { actualRatio: 1, isOverloaded: true, isStale: false })
    assert.deepInclude(LoadSignal.evaluate([at(5)], 0.2), { actualRatio: 0, isOverloaded: false })
  })

  it("each gap is charged to the snapshot that ends it; the first one only gives its time", () => {
    const ratio = (...snapshots: ReadonlyArray<LoadSignal.LoadSnapshot>) =>
      LoadSignal.evaluate(snapshots, 0).actualRatio
    assert.strictEqual(ratio(at(0, true), at(1), at(4)), 0)
    assert.strictEqual(ratio(at(0), at(1, true), at(4)), 0.25)
    assert.strictEqual(ratio(at(0), at(1), at(4, true)), 0.75)
    assert.strictEqual(ratio(at(0), at(1, true), at(4, true)), 1)
  })

  it("where all gaps are zero each counts as one", () => {
    assert.strictEqual(LoadSignal.evaluate([at(3, true), at(3), at(3, true), at(3)], 0.5).actualRatio, 1 / 3)
    assert.strictEqual(LoadSignal.evaluate([at(3), at(3, true)], 0.5).actualRatio, 1)
  })

  it("where some gaps are zero they weigh nothing", () => {
    assert.strictEqual(LoadSignal.evaluate([at(0), at(4), at(4, true), at(8)], 0.5).actualRatio, 0)
  })

  it("is overloaded above its limit, not at it", () => {
    const snapshots = [at(0), at(200, true), at(1000)]
    assert.deepInclude(LoadSignal.evaluate(snapshots, 0.2), { actualRatio: 0.2, isOverloaded: false })
    assert.isTrue(LoadSignal.evaluate(snapshots, 0.19999).isOverloaded)
    assert.isTrue(LoadSignal.evaluate([at(0), at(1, true)], 0).isOverloaded)
    assert.isFalse(LoadSignal.evaluate([at(0), at(1, true)], 1).isOverloaded)
  })

  it("a resource that is exhausted is overloaded at once, and until a report is not", () => {
    const calm = Array.from({ length: 100 }, (_, i) => at(i))
    const exhausted = { ...at(100, true, 1.1), isExhausted: true }
    assert.deepInclude(LoadSignal.evaluate([...calm, exhausted], 0.5), {
      actualRatio: 0.01,
      isOverloaded: true,
      isExhausted: true
    })
    assert.isTrue(LoadSignal.evaluate([...calm, exhausted, at(101, true), at(102, true)], 0.5).isOverloaded)
    for (const after of [[at(101)], [at(101, true), at(102)], [at(101), at(102, true)]]) {
      assert.deepInclude(LoadSignal.evaluate([...calm, exhausted, ...after], 0.5), {
        isOverloaded: false,
        isExhausted: false
      })
    }
  })

  it("compares the unrounded ratio", () => {
    const snapshots = [at(0), at(20_001, true), at(100_000)]
    assert.strictEqual(Number(LoadSignal.evaluate(snapshots, 0.2).actualRatio.toFixed(3)), 0.2)
    assert.isTrue(LoadSignal.evaluate(snapshots, 0.2).isOverloaded)
  })

  it("load, own and their moment are the latest report's; own is load where it cannot be told apart", () => {
    const snapshots = [at(0, true, 3), { at: 1, load: 0.5, own: 0.2, isOverloaded: false }]
    assert.deepInclude(LoadSignal.evaluate(snapshots, 0.2, 0.7), { load: 0.5, own: 0.2, target: 0.7, at: 1 })
    assert.deepInclude(LoadSignal.evaluate([at(0, true, 3)], 0.2), { load: 3, own: 3, at: 0 })
  })

  it("agrees with the definition, on any window", () => {
    let seed = 99
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return Math.floor(seed / 65_536) % below
    }
    for (let round = 0; round < 300; round++) {
      let time = random(50)
      const snapshots = Array.from({ length: 2 + random(8) }, () => at(time += 1 + random(30), random(2) === 0))
      const { actualRatio } = LoadSignal.evaluate(snapshots, 0.2)
      assert.closeTo(actualRatio, shareByDefinition(snapshots), 1e-9)
      assert.isTrue(actualRatio >= 0 && actualRatio <= 1)
    }
  })
})

describe("LoadSignal.make", () => {
  const follow = Effect.fnUntraced(function*(signal: LoadSignal.LoadSignal) {
    const snapshots: Array<LoadSignal.LoadSnapshot> = []
    yield* begin(Stream.runForEach(signal.snapshots, (snapshot) => Effect.sync(() => snapshots.push(snapshot))))
    return snapshots
  })

  it.effect("samples at once, and then on the beats of its pace, by the monotonic clock", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust(250)
      const snapshots = yield* follow(sampled(Effect.succeed({ load: 0.5 })))
      yield* after("3 seconds")
      assert.deepStrictEqual(snapshots.map(({ at }) => at), [250, 1000, 2000, 3000])
    }))

  it.effect("a sample learns when it was due, which after one that took long is the beat that comes next", () =>
    Effect.gen(function*() {
      const dues: Array<number> = []
      yield* TestClock.adjust(250)
      yield* follow(LoadSignal.makeUnsafe({
        name: "disk",
        overloadedRatio: 0.3,
        target: 0.8,
        every: "1 second",
        sample: (due) =>
          Effect.sync(() => dues.push(due)).pipe(
            Effect.andThen(Effect.sleep(dues.length === 2 ? 1600 : 0)),
            Effect.as({ load: 0.5 })
          )
      }))
      yield* after("4 seconds")
      assert.deepStrictEqual(dues, [250, 1000, 2000, 4000])
    }))

  it.effect("is overloaded above its target, unless the sample says otherwise", () =>
    Effect.gen(function*() {
      const samples: Array<LoadSignal.Sample> = [
        { load: 0.8 },
        { load: 0.81 },
        { load: 0.99, isOverloaded: false },
        { load: 0, isOverloaded: true },
        { load: 7, own: 3, isOverloaded: undefined }
      ]
      const snapshots = yield* follow(sampled(Effect.sync(() => samples.shift() ?? { load: 0 })))
      yield* after("4 seconds")
      assert.deepStrictEqual(snapshots.map(({ isOverloaded }) => isOverloaded), [false, true, false, true, true])
      assert.deepStrictEqual(snapshots[4], { at: 4000, load: 7, own: 3, isOverloaded: true })
    }))

  it.effect("a slow sample is never taken twice at a time", () =>
    Effect.gen(function*() {
      let concurrent = 0
      let peak = 0
      const snapshots = yield* follow(sampled(Effect.gen(function*() {
        peak = Math.max(peak, ++concurrent)
        yield* Effect.sleep("3 seconds")
        concurrent--
        return { load: 0.5 }
      })))
      yield* after("20 seconds")
      assert.strictEqual(peak, 1)
      assert.strictEqual(snapshots.length, 5)
    }))

  it.effect("a sample that does not answer is given up after 5 seconds, and taken again", () =>
    Effect.gen(function*() {
      let taken = 0
      let interrupted = 0
      const sample = Effect.suspend(() =>
        ++taken === 2
          ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
          : Effect.succeed({ load: taken })
      )
      const snapshots = yield* follow(sampled(sample))
      yield* after("7 seconds")
      assert.strictEqual(interrupted, 1)
      assert.deepStrictEqual(snapshots.map(({ at }) => at), [0, 7000])
    }))

  it.effect("a sample that is taken seldom may take as long as its pace", () =>
    Effect.gen(function*() {
      const snapshots = yield* follow(sampled(Effect.as(Effect.sleep("59 seconds"), { load: 0.5 }), 60_000))
      yield* after("59 seconds")
      assert.strictEqual(snapshots.length, 1)
    }))

  for (
    const [what, sample] of Object.entries({
      "fails": Effect.fail("no such disk"),
      "dies": Effect.die(new Error("no such disk")),
      "measures no number": Effect.succeed({ load: Number("three") }),
      "measures no number of its own": Effect.succeed({ load: 0.1, own: Number("three") })
    })
  ) {
    it.effect(`a sample that ${what} is no snapshot, one warning, and one line when it is over`, () => {
      const { layer, lines } = log()
      return Effect.gen(function*() {
        let isOut = false
        const snapshots = yield* follow(sampled(Effect.suspend(() => isOut ? sample : Effect.succeed({ load: 0.5 }))))
        isOut = true
        yield* after("30 seconds")
        assert.strictEqual(snapshots.length, 1)
        assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn"])
        assert.include(lines[0].message, `"disk"`)
        assert.isAbove(lines[0].cause.length, 0)
        isOut = false
        yield* after("2 seconds")
        assert.strictEqual(snapshots.length, 3)
        assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn", "Info"])
      }).pipe(Effect.provide(layer))
    })
  }

  it.effect("a logger that throws does not take the signal down with it", () =>
    Effect.gen(function*() {
      let taken = 0
      const snapshots = yield* follow(
        sampled(Effect.suspend(() => ++taken % 2 === 0 ? Effect.fail("no such disk") : Effect.succeed({ load: 0.5 })))
      )
      yield* after("10 seconds")
      assert.strictEqual(snapshots.length, 6)
    }).pipe(Effect.provide(brokenLogger)))

  it.effect("each reader of one signal has samples of its own", () =>
    Effect.gen(function*() {
      const signal = sampled(Effect.succeed({ load: 0.5 }))
      const first = yield* follow(signal)
      yield* after("500 millis")
      const second = yield* follow(signal)
      yield* after("1 second")
      assert.deepStrictEqual(first.map(({ at }) => at), [0, 1000])
      assert.deepStrictEqual(second.map(({ at }) => at), [500, 1000])
    }))

  it.effect("invalid options fail, or throw, with field, value and remedy", () =>
    Effect.gen(function*() {
      const valid = {
        name: "disk",
        overloadedRatio: 0.3,
        target: 0.8,
        every: 1000,
        sample: Effect.succeed({ load: 0 })
      }
      const wrong: ReadonlyArray<readonly [string, unknown]> = [
        ["name", ""],
        ["name", 3],
        ["overloadedRatio", -0.1],
        ["overloadedRatio", 1.1],
        ["overloadedRatio", NaN],
        ["target", 0],
        ["target", -1],
        ["target", Infinity],
        ["target", NaN],
        ["every", 0],
        ["every", -5],
        ["every", "soon"],
        ["every", Infinity],
        ["sample", undefined],
        ["sample", 0.5],
        ["sample", { load: 0.5 }]
      ]
      for (const [field, value] of wrong) {
        const options = { ...valid, [field]: value } as typeof valid
        const error = yield* Effect.flip(LoadSignal.make(options))
        assert.deepInclude(error, { field, value })
        assert.match(error.remedy, /^Use .+\.$/)
        assert.throws(() => LoadSignal.makeUnsafe(options), InvalidOptionsError.InvalidOptionsError)
      }
      for (const [field, value] of [["overloadedRatio", 0], ["overloadedRatio", 1], ["target", 5]] as const) {
        assert.strictEqual((yield* LoadSignal.make({ ...valid, [field]: value }))[field], value)
      }
    }))

  it.effect("a status shows what the signal measures", () =>
    Effect.gen(function*() {
      yield* after("1 millis")
      const status = yield* SystemStatus.SystemStatus
      assert.deepInclude((yield* status.current).signals["disk"], {
        load: 0.5,
        own: 0.25,
        target: 0.8,
        limitRatio: 0.3,
        isStale: false,
        measure: blocks
      })
    }).pipe(Effect.provide(
      SystemStatus.layer({ signals: [sampled(Effect.succeed({ load: 0.5, own: 0.25, measure: blocks }))] })
    )))
})
