import { assert, describe, it } from "@effect/vitest"
import { addressProblems } from "../../scripts/check/addresses.ts"
import { againstLayers, againstRooms, cycles, type Import, importsOf, undeclared } from "../../scripts/check/imports.ts"
import { barrelProblems, publicModules, repeatedKeys, unknownPackages } from "../../scripts/check/packages.ts"

const lines = (...text: ReadonlyArray<string>) => text.join("\n")

const core = (name: string) => `packages/core/src/${name}.ts`

const source = (path: string, text = "") => ({ path: `packages/x/src/${path}`, text })

// Joined here, so that this file does not hold what it tests for.
const rooted = (...parts: ReadonlyArray<string>) => ["", ...parts].join("/")

const host = (name: string) => `https:/${rooted(name)}`

const addresses = (path: string, text: string) => addressProblems({ path, text })

const edge = (from: string, to: string, isTypeOnly = false): Import => ({ from, to, isTypeOnly })

describe("imports", () => {
  it("tells values from types, and files from packages", () => {
    const text = lines(
      "import type * as Duration from \"effect/Duration\"",
      "import { a, type B } from \"./internal/a.ts\"",
      "import type { C } from \"../C.ts\"",
      "export * as D from \"./D.ts\"",
      "const e = import(\"./e.ts\")"
    )
    assert.deepStrictEqual(importsOf({ path: "src/sub/X.ts", text }), [
      edge("src/sub/X.ts", "effect/Duration", true),
      edge("src/sub/X.ts", "src/sub/internal/a.ts"),
      edge("src/sub/X.ts", "src/C.ts", true),
      edge("src/sub/X.ts", "src/sub/D.ts"),
      edge("src/sub/X.ts", "src/sub/e.ts")
    ])
  })

  it("finds every circle and nothing that only leads to one", () => {
    const imports = [edge("a", "b"), edge("b", "c"), edge("c", "b"), edge("d", "d"), edge("c", "e")]
    assert.deepStrictEqual(cycles(imports), [["b", "c"], ["d"]])
  })

  it("finds no circle in a tree", () => assert.deepStrictEqual(cycles([edge("a", "b"), edge("a", "c")]), []))

  it("refuses a module that knows a higher layer, or its own layer, through private modules too", () => {
    const problems = againstLayers([
      edge(core("AutoscaledPool"), core("TaskSource")),
      edge(core("TaskSource"), core("ConcurrencyGovernor"), true),
      edge(core("LoadSignal"), core("internal/a")),
      edge(core("internal/a"), core("SystemStatus"))
    ])
    assert.lengthOf(problems, 2)
    assert.include(problems[0], `${core("LoadSignal")} must not know ${core("SystemStatus")}`)
    assert.include(problems[1], `${core("TaskSource")} must not know ${core("ConcurrencyGovernor")}`)
  })

  it("refuses a value that a room takes from a higher one, and a room that the order does not know", () => {
    const problems = againstRooms([
      edge(core("internal/run/pool"), core("internal/budget/gate")),
      edge(core("internal/budget/gate"), core("internal/run/pool"), true),
      edge(core("internal/budget/gate"), core("internal/run/pool")),
      edge(core("internal/attic/a"), core("internal/time/alarm"))
    ])
    assert.lengthOf(problems, 2)
    assert.include(problems[0], `${core("internal/budget/gate")} must not use ${core("internal/run/pool")}`)
    assert.include(problems[1], `${core("internal/attic/a")} is in a room`)
  })

  it("refuses what the manifest does not declare", () => {
    const manifest = { name: "core", peerDependencies: { effect: "^4" }, dependencies: { "@scope/a": "1" } }
    const from = core("X")
    const good = [edge(from, "effect/Effect"), edge(from, "@scope/a/b"), edge(from, core("Y"))]
    const bad = [edge(from, "node:os"), edge(from, "@scope/b"), edge(from, "effectful")]
    assert.lengthOf(undeclared({ directory: "packages/core", manifest }, [...good, ...bad]), 3)
    const onNode = { directory: "packages/core", manifest: { ...manifest, engines: { node: ">=22" } } }
    assert.lengthOf(undeclared(onNode, [...good, ...bad]), 2)
  })
})

describe("packages", () => {
  const modules = [source("Beta.ts"), source("alpha.ts"), source("Alpha.ts"), source("internal/Gamma.ts")]
  const barrel = ["export * as Alpha from \"./Alpha.ts\"", "export * as Beta from \"./Beta.ts\""]
  const problems = (...text: ReadonlyArray<string>) =>
    barrelProblems("packages/x", [...modules, source("index.ts", lines(...text))])

  it("takes the PascalCase files of src itself for public", () =>
    assert.deepStrictEqual(publicModules("packages/x", modules), ["Alpha", "Beta"]))

  it("accepts the full list in order", () => assert.deepStrictEqual(problems("/** The package. */", ...barrel), []))

  it("refuses a list that lacks a module, is in another order, or has more", () => {
    assert.lengthOf(problems(barrel[0]), 1)
    assert.lengthOf(problems(...barrel.toReversed()), 1)
    assert.lengthOf(problems(...barrel, "export * as Gone from \"./Gone.ts\""), 1)
    assert.lengthOf(barrelProblems("packages/x", modules), 1)
  })

  it("refuses a package that the root does not build or link", () => {
    const packages = [{ directory: "packages/x", manifest: { name: "x" } }]
    assert.deepStrictEqual(unknownPackages(packages, ["packages/x"], ["x"]), [])
    assert.lengthOf(unknownPackages(packages, [], ["x"]), 1)
    assert.lengthOf(unknownPackages(packages, ["packages/x"], []), 1)
  })

  it("refuses a manifest that says the same key twice", () => {
    const manifest = (...keys: ReadonlyArray<string>) =>
      source("package.json", `{\n${keys.map((key) => `  "${key}": { "name": 1 }`).join(",\n")}\n}`)
    assert.deepStrictEqual(repeatedKeys(manifest("name", "peerDependencies", "peerDependenciesMeta")), [])
    assert.lengthOf(repeatedKeys(manifest("peerDependenciesMeta", "peerDependencies", "peerDependenciesMeta")), 1)
  })
})

describe("addresses", () => {
  it("refuses paths of one machine", () => {
    for (const folder of ["home", "Users", "root", "tmp"]) {
      assert.lengthOf(addresses("README.md", `see ${rooted(folder, "me", "x")}`), 1)
    }
  })

  it("accepts relative paths, system files and web pages", () => {
    const text = lines("./tmp/x", "a/home/b", "/proc/self/stat", "/sys/fs/cgroup", host("example.com/home/x"))
    assert.deepStrictEqual(addresses("README.md", text), [])
  })

  it("refuses addresses of registries", () => {
    assert.lengthOf(addresses(".npmrc", `registry=${host("x.org")}`), 1)
    assert.lengthOf(addresses("README.md", host("registry.example.org")), 1)
    assert.deepStrictEqual(addresses("README.md", host("www.npmjs.com/package/effect")), [])
  })

  it("refuses any address in a lockfile", () => {
    assert.lengthOf(addresses("pnpm-lock.yaml", `resolution: {tarball: ${host("x.org/a.tgz")}}`), 1)
    assert.deepStrictEqual(addresses("a/pnpm-lock.yaml", "resolution: {integrity: sha512-abc//d==}"), [])
  })
})
