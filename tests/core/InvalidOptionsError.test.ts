import { InvalidOptionsError } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"

const messageOf = (value: unknown) =>
  new InvalidOptionsError.InvalidOptionsError({ field: "maxConcurrency", value, remedy: "Use an integer." }).message

describe("InvalidOptionsError", () => {
  it("is one line: the option, its value as a person would write it, and the remedy", () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    const shown: ReadonlyArray<readonly [unknown, string]> = [
      [0, "0"],
      [-1.5, "-1.5"],
      [NaN, "NaN"],
      [Infinity, "Infinity"],
      ["5 bananas", `"5 bananas"`],
      ["", `""`],
      [null, "null"],
      [undefined, "undefined"],
      [true, "true"],
      [10n, "10n"],
      [[1, 2], "[1,2]"],
      [{ a: 1 }, `{"a":1}`],
      [() => 1, "a function"],
      [Symbol("x"), "Symbol(x)"],
      [circular, "a value that cannot be shown"],
      [{ a: 1n }, "a value that cannot be shown"]
    ]
    for (const [value, text] of shown) {
      assert.strictEqual(messageOf(value), `maxConcurrency cannot be ${text}. Use an integer.`)
    }
  })

  it("is never more than one line, and never throws, whatever the value", () => {
    const nasty: ReadonlyArray<unknown> = [
      "two\nlines",
      { toString: () => "two\nlines" },
      Object.create(null),
      { toJSON: () => undefined },
      {
        get a() {
          throw new Error("a trap")
        }
      },
      new Date(NaN),
      new Map([["a", 1]]),
      Map
    ]
    for (const value of nasty) {
      const message = messageOf(value)
      assert.notInclude(message, "\n")
      assert.match(message, /^maxConcurrency cannot be .+\. Use an integer\.$/)
    }
  })

  it.effect("is an error that can be caught by its tag", () =>
    Effect.gen(function*() {
      const error = new InvalidOptionsError.InvalidOptionsError({ field: "a", value: 1, remedy: "Use 2." })
      assert.instanceOf(error, Error)
      const caught = yield* Effect.catchTag(Effect.fail(error), "InvalidOptionsError", ({ field }) =>
        Effect.succeed(field))
      assert.strictEqual(caught, "a")
      assert.include(Cause.pretty(Cause.fail(error)), "a cannot be 1. Use 2.")
    }))
})
