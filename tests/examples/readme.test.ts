import * as core from "@autoscaled-pool/core"
import * as platformNode from "@autoscaled-pool/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { extract } from "../../scripts/doc-examples.ts"
import { documents, filesBelow, packages, read, root, sourcesOf } from "../../scripts/workspace.ts"
import { runExample } from "./process.ts"

const readme = read("README.md")

describe("README", () => {
  it("has a first program of at most 25 lines, imports included", () => {
    const [first] = extract(readme)
    const lines = first.code.split("\n")
    assert.isAtMost(lines.length, 25)
    assert.isTrue(lines.some((line) => line.startsWith("import ")))
    assert.isTrue(lines.some((line) => line.includes("// => ")))
  })

  it("links to every example", () => {
    const examples = filesBelow("examples").filter((file) => /^examples\/[^/]+\.ts$/.test(file))
    assert.isNotEmpty(examples)
    for (const example of examples) assert.include(readme.text, `](${example})`)
  })

  it("documents every flag of the demo and its default, and no other", async () => {
    const { stdout } = await runExample("demo.ts", ["--help"])
    const [, flags] = /^FLAGS\n([\s\S]*?)\n\n/m.exec(stdout) ?? []
    const ofDemo = [...flags.matchAll(/^ {2}(--\S+) .*?(?: \(default (.+?)\)(?: \(choices: .*\))?)?$/gm)].map((
      [, flag, value = "none"]
    ) => `${flag} ${value}`)
    const ofReadme = [...readme.text.matchAll(/^\| `(--[a-z-]+)` \| (.+?) \|/gm)].map(([, flag, value]) =>
      `${flag} ${value.replaceAll("`", "")}`
    )
    assert.isNotEmpty(ofDemo)
    assert.sameMembers(ofReadme, ofDemo)
  })
})

describe("documents", () => {
  it("link to files that there are", () => {
    const links = documents().flatMap((document) =>
      [...document.text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target]) => target)
        .filter((target) => !/^https?:/.test(target))
        .map((target) => path.join(path.dirname(document.path), target))
    )
    assert.isNotEmpty(links)
    assert.deepStrictEqual(links.filter((link) => !fs.existsSync(path.join(root, link))), [])
  })

  it("name exports that there are", () => {
    const values: Readonly<Record<string, object>> = { ...core, ...platformNode }
    const sources = packages().flatMap(({ directory }) => sourcesOf(directory))
    const isType = (module: string, name: string) =>
      sources.some((file) =>
        path.basename(file.path) === `${module}.ts` && file.text.includes(`\nexport interface ${name}`)
      )
    const names = documents().flatMap(({ text }) => [...text.matchAll(/`([A-Z]\w+)\.(?!ts`)(\w+)/g)])
      .filter(([, module]) => module in values)
    assert.isNotEmpty(names)
    const unknown = names.filter(([, module, name]) => !(name in values[module]) && !isType(module, name))
    assert.deepStrictEqual(unknown.map(([name]) => name), [])
  })
})
