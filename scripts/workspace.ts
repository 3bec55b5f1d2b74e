/**
 * Where the files of this repository are.
 */
import * as fs from "node:fs"
import * as path from "node:path"

export const root = path.resolve(import.meta.dirname, "..")

/** A text file, its path relative to the root. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** A package of the workspace: its folder relative to the root, and the parts of its manifest that checks look at. */
export interface WorkspacePackage {
  readonly directory: string
  readonly manifest: Manifest
}

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly engines?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const notOurs = new Set(["node_modules", "dist", ".git", ".generated", "reports"])

/** The files below a folder that a person wrote, sorted. */
export const filesBelow = (directory: string): Array<string> => {
  const start = path.join(root, directory)
  if (!fs.existsSync(start)) return []
  return fs.readdirSync(start, { withFileTypes: true })
    .filter((entry) => !notOurs.has(entry.name))
    .flatMap((entry) => {
      const below = path.join(directory, entry.name)
      if (entry.isDirectory()) return filesBelow(below)
      return entry.isFile() ? [below] : []
    })
    .toSorted()
}

export const read = (file: string): SourceFile => ({ path: file, text: fs.readFileSync(path.join(root, file), "utf8") })

export const packages = (): Array<WorkspacePackage> =>
  fs.readdirSync(path.join(root, "packages"))
    .map((name) => `packages/${name}`)
    .filter((directory) => fs.existsSync(path.join(root, directory, "package.json")))
    .map((directory) => ({ directory, manifest: JSON.parse(read(`${directory}/package.json`).text) }))

export const sourcesOf = (directory: string): Array<SourceFile> =>
  filesBelow(`${directory}/src`).filter((file) => file.endsWith(".ts")).map(read)

/** The documents that may hold examples and tables: the READMEs and the docs. */
export const documents = (): Array<SourceFile> =>
  [...filesBelow("docs"), "README.md", ...packages().map(({ directory }) => `${directory}/README.md`)]
    .filter((file) => file.endsWith(".md") && fs.existsSync(path.join(root, file)))
    .map(read)
