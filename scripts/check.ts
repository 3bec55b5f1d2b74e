/**
 * Everything that must hold of this repository besides its tests: `npm run check`, or `npm run check -- lint format`
 * for some of it. One line per check; what is wrong follows the line.
 */
import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { addressProblems } from "./check/addresses.ts"
import { againstLayers, againstRooms, cycles, importsOf, undeclared } from "./check/imports.ts"
import { barrelProblems, repeatedKeys, unknownPackages } from "./check/packages.ts"
import { packed } from "./check/packed.ts"
import { outdated, unfoundedDefaults, withoutComments } from "./options-table.ts"
import { filesBelow, packages, read, root, sourcesOf } from "./workspace.ts"

interface Outcome {
  readonly problems: ReadonlyArray<string>
  /** What is worth knowing of a check that passed. */
  readonly note?: string
}

const tool = (name: string, ...args: ReadonlyArray<string>): Outcome => {
  const { error, status, stderr, stdout } = spawnSync(path.join(root, "node_modules/.bin", name), args, {
    cwd: root,
    encoding: "utf8"
  })
  if (error !== undefined) return { problems: [`${name} did not start: ${error.message}`] }
  return { problems: status === 0 ? [] : [(stdout + stderr).trim() || `${name} ended with ${status}`] }
}

const checkImports = (): Outcome => {
  const sources = packages().flatMap(({ directory }) => sourcesOf(directory))
  const imports = sources.flatMap(importsOf)
  const valueCycles = cycles(imports.filter(({ isTypeOnly }) => !isTypeOnly))
  const typeCycles = cycles(imports).filter((group) => !valueCycles.some((cycle) => group.includes(cycle[0])))
  return {
    problems: [
      ...valueCycles.map((group) => `these modules import each other in a circle: ${show(group)}`),
      ...againstLayers(imports),
      ...againstRooms(imports),
      ...packages().flatMap((each) => undeclared(each, imports))
    ],
    note: typeCycles.length === 0 ?
      `${sources.length} modules` :
      `${sources.length} modules; cycles of types alone around ${typeCycles.map(([first]) => show([first])).join(", ")}`
  }
}

const show = (group: ReadonlyArray<string>): string =>
  group.map((file) => file.replace(/^packages\/(.*)\/src\/(.*)\.ts$/, "$1/$2")).join(" + ")

const checkPackages = (): Outcome => {
  const { references } = JSON.parse(read("tsconfig.json").text)
  const { devDependencies } = JSON.parse(read("package.json").text)
  return {
    problems: [
      ...unknownPackages(
        packages(),
        references.map((reference: { readonly path: string }) => reference.path),
        Object.keys(devDependencies)
      ),
      ...packages().flatMap(({ directory }) => repeatedKeys(read(`${directory}/package.json`))),
      ...packages().flatMap(({ directory }) => barrelProblems(directory, sourcesOf(directory)))
    ]
  }
}

const checkOptions = async (): Promise<Outcome> => {
  const sources = packages().flatMap(({ directory }) => sourcesOf(directory))
  const code = withoutComments(sources)
  const unfounded = sources.flatMap((file) => unfoundedDefaults(file, code))
  const stale = (await outdated()).map((document) =>
    `${document.path}: a table of options is not what the sources say; run "npm run format"`
  )
  return { problems: [...unfounded, ...stale] }
}

const checks: Readonly<Record<string, () => Outcome | Promise<Outcome>>> = {
  types: () => tool("tsc", "-b"),
  page: () => tool("tsc", "-p", "packages/dashboard/page"),
  lint: () => tool("oxlint", "--deny-warnings"),
  format: () => {
    const { problems } = tool("dprint", "check", "--list-different")
    return {
      problems: problems.map((files) => `run "npm run format" for\n${files.replaceAll(`${root}${path.sep}`, "")}`)
    }
  },
  imports: checkImports,
  packages: checkPackages,
  options: checkOptions,
  addresses: () => ({ problems: filesBelow(".").map(read).flatMap(addressProblems) }),
  packed
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in checks))
if (unknown.length > 0) {
  console.error(`there is no check ${unknown.join(", ")}; there are ${Object.keys(checks).join(", ")}`)
  process.exit(2)
}

for (const [name, check] of Object.entries(checks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const start = performance.now()
  const { note, problems } = await check()
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(
    `${problems.length === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)${note === undefined ? "" : `: ${note}`}`
  )
  for (const problem of problems) console.log(problem.replace(/^/gm, "     "))
  if (problems.length > 0) process.exitCode = 1
}
