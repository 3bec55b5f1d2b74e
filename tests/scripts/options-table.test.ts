import { assert, describe, it } from "@effect/vitest"
import { optionsOf, renew, table, unfoundedDefaults } from "../../scripts/options-table.ts"

const file = {
  path: "src/Pool.ts",
  text: `
/**
 * Options of a pool.
 *
 * **Details**
 *
 * - \`limit\`: how many may run, see {@link Pool}; an integer or
 *   \`a | b\`, default 1,000. More is refused.
 * - \`up\`, \`down\`: the step, default 0.05.
 * - \`every\`: default 10 seconds.
 * - \`name\`: for logs.
 * - \`source\`: where work comes from.
 *
 * **Example** (No options here)
 *
 * - \`other\`: default 1.
 */
// A remark between the two.
export interface Options {
  readonly limit?: number | undefined
  readonly up?: number | undefined
  readonly down?: number | undefined
  readonly every?: string | undefined
  readonly name?: string | undefined
  readonly source: string
}

/**
 * **Details**
 *
 * - \`size\`: what it holds.
 *
 * @since 0.1.0
 */
export const make = (options: { readonly size: number }) => options.size

export const plain = 1
`
}

describe("options", () => {
  it("come from the bullets of an interface", () =>
    assert.deepStrictEqual(optionsOf(file, "Options"), [
      {
        name: "limit",
        default: "1,000",
        isRequired: false,
        description: "how many may run, see {@link Pool}; an integer or `a | b`. More is refused."
      },
      { name: "up", default: "0.05", isRequired: false, description: "the step." },
      { name: "down", default: "0.05", isRequired: false, description: "the step." },
      { name: "every", default: "10 seconds", isRequired: false, description: "" },
      { name: "name", default: undefined, isRequired: false, description: "for logs." },
      { name: "source", default: undefined, isRequired: true, description: "where work comes from." }
    ]))

  it("come from the bullets of a function", () =>
    assert.deepStrictEqual(optionsOf(file, "make"), [
      { name: "size", default: undefined, isRequired: true, description: "what it holds." }
    ]))

  it("are none where there is no documentation, and refused where there is no export", () => {
    assert.deepStrictEqual(optionsOf(file, "plain"), [])
    assert.throws(() => optionsOf(file, "absent"), /exports no absent/)
  })
})

describe("a table", () => {
  it("has a row per option, with its default", () => {
    const rows = table(optionsOf(file, "Options"), { name: "pool" }).split("\n").slice(2)
    assert.deepStrictEqual(rows, [
      "| `limit` | 1,000 | how many may run, see `Pool`; an integer or `a \\| b`. More is refused. |",
      "| `up` | 0.05 | the step. |",
      "| `down` | 0.05 | the step. |",
      "| `every` | 10 seconds |  |",
      "| `name` | pool | for logs. |",
      "| `source` | required | where work comes from. |"
    ])
  })

  it("replaces what stands between its markers, and nothing else", () => {
    const document = "before\n<!-- options:start Pool.Options -->\nold\n<!-- options:end -->\nafter"
    const renewed = renew(document, (module, name) => `${module} ${name}`)
    assert.strictEqual(
      renewed,
      "before\n<!-- options:start Pool.Options -->\n\nPool Options\n\n<!-- options:end -->\nafter"
    )
    assert.strictEqual(renew(renewed, (module, name) => `${module} ${name}`), renewed)
  })

  it("is refused where a marker is malformed", () =>
    assert.throws(() => renew("<!-- options:start Pool -->\n<!-- options:end -->", () => ""), /malformed/))
})

describe("defaults in the JSDoc", () => {
  const code = "const { limit = 1_000, every = \"10 seconds\" } = options\nread(\"up\", 0.05)\nread(\"down\", 0.05)"

  it("are accepted where the code gives them", () => assert.deepStrictEqual(unfoundedDefaults(file, code), []))

  it("are refused where the code gives another value, or none", () => {
    const problems = unfoundedDefaults(file, code.replace("1_000", "1_0001").replace("\"up\", 0.05", "\"up\""))
    assert.lengthOf(problems, 2)
    assert.include(problems[0], "Options.limit is said to be 1000")
    assert.include(problems[1], "Options.up is said to be 0.05")
  })
})
