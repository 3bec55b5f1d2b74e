import { assert, describe, it } from "@effect/vitest"
import { extract, instrument } from "../../scripts/doc-examples.ts"
import { prepare } from "./exampleRunner.ts"

const markdown = (...code: ReadonlyArray<string>) => ({
  path: "guide.md",
  text: ["# Guide", "", "```ts import.meta.vitest", ...code, "```", ""].join("\n")
})

const outcomeOf = async (...code: ReadonlyArray<string>): Promise<string> => {
  const examples = prepare(extract(markdown(...code)))
  try {
    await examples.runnables[0].run()
    return "passed"
  } catch (error) {
    return String(error)
  } finally {
    examples.remove()
  }
}

describe("extract", () => {
  it("finds the code of a JSDoc example and its line", () => {
    const text = [
      "/**",
      " * ```ts import.meta.vitest",
      " * const a = {",
      " *   b: 1",
      " * }",
      " *",
      " * a // => 1",
      " * ```",
      " */"
    ]
    assert.deepStrictEqual(extract({ path: "A.ts", text: text.join("\n") }), [
      { file: "A.ts", line: 3, code: "const a = {\n  b: 1\n}\n\na // => 1" }
    ])
  })

  it("finds every example of a document and leaves other code alone", () => {
    const first = markdown("1 // => 1").text
    const found = extract({ path: "guide.md", text: `${first}\n\`\`\`ts\nconst no = 1\n\`\`\`\n${first}` })
    assert.deepStrictEqual(found.map(({ code, line }) => ({ code, line })), [
      { code: "1 // => 1", line: 4 },
      { code: "1 // => 1", line: 13 }
    ])
  })

  it("refuses an example without an end", () =>
    assert.throws(() => extract({ path: "guide.md", text: "```ts import.meta.vitest\n1" }), /guide.md:1: .*no end/))
})

describe("an example", () => {
  const passing: ReadonlyArray<[name: string, ...code: ReadonlyArray<string>]> = [
    ["value on the same line", "1 + 1 // => 2"],
    ["value on the next line", "[1, 2].map((n) => n * 2)", "// => [2, 4]"],
    ["expression of several lines", "[", "  1", "].length // => 1"],
    ["value of several lines", "({ a: 1, b: [2] })", "// => {", "//   a: 1, b: [2]", "// }"],
    ["promise that is awaited", "await Promise.resolve({ a: NaN }) // => { a: NaN }"],
    ["constant", "const a = 1 // => 1"],
    ["inside a function", "const f = () => {", "  const a = 1", "  a // => 1", "}", "f()"],
    ["no assertion", "const a: number = 1"]
  ]
  for (const [name, ...code] of passing) {
    it(`passes: ${name}`, async () => assert.strictEqual(await outcomeOf(...code), "passed"))
  }

  const failing: ReadonlyArray<[name: string, outcome: RegExp, ...code: ReadonlyArray<string>]> = [
    ["wrong value", /guide.md:5: the assertion does not hold/, "const a = 1", "a // => 2"],
    ["wrong value on the next line", /guide.md:5: the assertion does not hold/, "1 + 1", "// => 3"],
    ["wrong value of a constant", /guide.md:4: the assertion does not hold/, "const a = 1 // => 2"],
    ["wrong value in a failure that is swallowed", /guide.md:5: .* not hold/, "try {", "  1 // => 2", "} catch {}"],
    ["assertion that is never reached", /guide.md:5: .* never reached/, "const f = () => {", "  1 // => 1", "}"],
    ["example that throws", /Error: no/, "throw new Error(\"no\")"]
  ]
  for (const [name, outcome, ...code] of failing) {
    it(`fails: ${name}`, async () => assert.match(await outcomeOf(...code), outcome))
  }

  const refused: ReadonlyArray<[name: string, message: RegExp, ...code: ReadonlyArray<string>]> = [
    ["code that is no TypeScript", /guide.md:4/, "const"],
    ["value that is no expression", /guide.md:4: .* no expression/, "1 // => one two"],
    [
      "value without a statement",
      /guide.md:5: .* no statement/,
      "const f = (",
      "  a: number, // => 1",
      "  b: number",
      ") => a"
    ]
  ]
  for (const [name, message, ...code] of refused) {
    it(`is refused: ${name}`, () => {
      const [example] = extract(markdown(...code))
      assert.throws(() => instrument(example, "key", "./recorder.ts"), message)
    })
  }

  it("fails to compile where its types are wrong, and the message names its line", () => {
    const examples = prepare(
      extract(markdown("const a = 1", "const b: string = a", "import { Nothing } from \"@autoscaled-pool/core\""))
    )
    const errors = examples.typeErrors()
    examples.remove()
    assert.lengthOf(errors, 2)
    assert.match(errors[0], /^guide.md:5: error TS2322/)
    assert.match(errors[1], /^guide.md:6: error TS2305/)
  })
})
