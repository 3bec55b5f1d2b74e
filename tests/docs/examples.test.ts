import { afterAll, assert, describe, it } from "@effect/vitest"
import { extract } from "../../scripts/doc-examples.ts"
import { documents, packages, sourcesOf } from "../../scripts/workspace.ts"
import { prepare } from "./exampleRunner.ts"

const files = [...packages().flatMap(({ directory }) => sourcesOf(directory)), ...documents()]
const examples = prepare(files.flatMap(extract))

afterAll(examples.remove)

describe("examples of the documentation", () => {
  it("type-check", () => assert.deepStrictEqual(examples.typeErrors(), []))

  for (const { program: { example }, run } of examples.runnables) it(`${example.file}:${example.line}`, run)
})
