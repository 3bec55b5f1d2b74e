import { ConcurrencySettings, InvalidOptionsError } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

type Input = Partial<ConcurrencySettings.ConcurrencySettings>

const defaults = { minConcurrency: 1, maxConcurrency: 200, desiredConcurrency: 10, maxTasksPerMinute: Infinity }

describe("ConcurrencySettings.make", () => {
  it.effect("has the defaults of the design", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(ConcurrencySettings.defaults, defaults)
      assert.deepStrictEqual(yield* ConcurrencySettings.make(), defaults)
      assert.deepStrictEqual(yield* ConcurrencySettings.make({}), defaults)
      assert.deepStrictEqual(yield* ConcurrencySettings.make({ minConcurrency: undefined } as never), defaults)
    }))

  it.effect("one bound alone is never refused because of a default: desired is clamped into it", () =>
    Effect.gen(function*() {
      const desired = (input: Input) =>
        Effect.map(ConcurrencySettings.make(input), (settings) => settings.desiredConcurrency)
      assert.strictEqual(yield* desired({ maxConcurrency: 5 }), 5)
      assert.strictEqual(yield* desired({ minConcurrency: 20 }), 20)
      assert.strictEqual(yield* desired({ minConcurrency: 20, desiredConcurrency: 3 }), 20)
      assert.strictEqual(yield* desired({ maxConcurrency: 20, desiredConcurrency: 30 }), 20)
      assert.strictEqual(yield* desired({ minConcurrency: 7, maxConcurrency: 7 }), 7)
      assert.strictEqual(yield* desired({ desiredConcurrency: 33 }), 33)
    }))

  it.effect("takes any cap above 0, fractions and Infinity too", () =>
    Effect.gen(function*() {
      for (const maxTasksPerMinute of [0.5, 1, 90.5, 1e9, Infinity]) {
        assert.strictEqual(
          (yield* ConcurrencySettings.make({ maxTasksPerMinute })).maxTasksPerMinute,
          maxTasksPerMinute
        )
      }
    }))

  const wrong: Record<string, ReadonlyArray<unknown>> = {
    minConcurrency: [0, -1, 1.5, NaN, Infinity, "3", true, {}],
    maxConcurrency: [0, -1, 2.5, NaN, Infinity, "3", true, {}],
    desiredConcurrency: [0, -1, 2.5, NaN, Infinity, "3", true, {}],
    maxTasksPerMinute: [0, -1, NaN, -Infinity, "3", true, {}]
  }
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      it.effect(`${field} cannot be ${String(value)} (${typeof value})`, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(ConcurrencySettings.make({ [field]: value } as Input))
          assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
          assert.strictEqual(error.field, field)
          assert.deepStrictEqual(error.value, value)
          assert.match(error.remedy, /^Use .+\.$/)
        }))
    }
  }

  it.effect("a minimum above the default maximum names the one that was given, and both values", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ConcurrencySettings.make({ minConcurrency: 300 }))
      assert.strictEqual(error.field, "minConcurrency")
      assert.include(error.message, "300")
      assert.include(error.message, "200")
      const other = yield* Effect.flip(ConcurrencySettings.make({ minConcurrency: 9, maxConcurrency: 5 }))
      assert.strictEqual(other.field, "maxConcurrency")
      assert.include(other.message, "9")
      assert.include(other.message, "5")
    }))
})

describe("ConcurrencySettings.change", () => {
  it.effect("leaves what is left out, and clamps desired into the new bounds", () =>
    Effect.gen(function*() {
      const base = yield* ConcurrencySettings.make({ minConcurrency: 4, maxConcurrency: 40, desiredConcurrency: 20 })
      assert.deepStrictEqual(yield* ConcurrencySettings.change(base, {}), base)
      assert.deepStrictEqual(yield* ConcurrencySettings.change(base, { maxConcurrency: 10 }), {
        ...base,
        maxConcurrency: 10,
        desiredConcurrency: 10
      })
      assert.deepStrictEqual(yield* ConcurrencySettings.change(base, { minConcurrency: 30 }), {
        ...base,
        minConcurrency: 30,
        desiredConcurrency: 30
      })
    }))

  it.effect("refuses a bound that contradicts one that is in use, naming the one that changes", () =>
    Effect.gen(function*() {
      const base = yield* ConcurrencySettings.make({ minConcurrency: 4, maxConcurrency: 40 })
      const low = yield* Effect.flip(ConcurrencySettings.change(base, { maxConcurrency: 3 }))
      assert.deepInclude(low, { field: "maxConcurrency", value: 3 })
      const high = yield* Effect.flip(ConcurrencySettings.change(base, { minConcurrency: 41 }))
      assert.deepInclude(high, { field: "minConcurrency", value: 41 })
      assert.include(high.message, "40")
      assert.deepInclude(base, { minConcurrency: 4, maxConcurrency: 40 })
    }))
})

describe("ConcurrencySettings.clamp", () => {
  it("clamps into the bounds", () => {
    const settings = { ...defaults, minConcurrency: 3, maxConcurrency: 7 }
    assert.deepStrictEqual([1, 3, 5, 7, 9].map((desired) => ConcurrencySettings.clamp(settings, desired)), [
      3,
      3,
      5,
      7,
      7
    ])
  })
})
