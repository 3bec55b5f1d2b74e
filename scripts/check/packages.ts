/**
 * Whether a package shows all of its modules, and whether the root knows all packages.
 */
import * as path from "node:path"
import type { SourceFile, WorkspacePackage } from "../workspace.ts"

const index = (sources: ReadonlyArray<SourceFile>): SourceFile | undefined =>
  sources.find((file) => path.basename(file.path) === "index.ts")

/** The public modules: the files of `src` itself that are named in PascalCase. */
export const publicModules = (directory: string, sources: ReadonlyArray<SourceFile>): Array<string> =>
  sources
    .filter((file) => path.posix.dirname(file.path) === `${directory}/src`)
    .map((file) => path.posix.basename(file.path, ".ts"))
    .filter((name) => /^[A-Z]/.test(name))
    .toSorted((a, b) => a.toLowerCase() < b.toLowerCase() ? -1 : 1)

/** Where `index.ts` is not the list of all public modules in alphabetical order. */
export const barrelProblems = (directory: string, sources: ReadonlyArray<SourceFile>): Array<string> => {
  const expected = publicModules(directory, sources).map((name) => `export * as ${name} from "./${name}.ts"`)
  const barrel = index(sources)
  if (barrel === undefined) return [`${directory}/src/index.ts is missing; it should be:\n${expected.join("\n")}`]
  const actual = barrel.text.split("\n").filter((line) => line.startsWith("export"))
  if (actual.join("\n") === expected.join("\n")) return []
  return [`${barrel.path} should export every module of src, in alphabetical order:\n${expected.join("\n")}`]
}

/** Packages that the root does not build or link, so that no check would see them. */
export const unknownPackages = (
  packages: ReadonlyArray<WorkspacePackage>,
  references: ReadonlyArray<string>,
  linked: ReadonlyArray<string>
): Array<string> =>
  packages.flatMap(({ directory, manifest }) => [
    ...references.includes(directory) ? [] : [`tsconfig.json lacks { "path": "${directory}" } in its references`],
    ...linked.includes(manifest.name) ? [] : [`package.json lacks "${manifest.name}" in its devDependencies`]
  ])

/** Keys that a manifest has twice at its top, of which JSON keeps the last without a word. */
export const repeatedKeys = ({ path: file, text }: SourceFile): Array<string> => {
  const keys = [...text.matchAll(/^ {2}"([^"]+)":/gm)].map(([, key]) => key)
  const twice = keys.filter((key, index) => keys.indexOf(key) < index)
  return twice.map((key) => `${file} has "${key}" twice, and only the last one counts`)
}
