/**
 * Whether the packages work as they are published: packed, installed into an empty project, type-checked and run there.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { packages, read, root, sourcesOf, type WorkspacePackage } from "../workspace.ts"
import { publicModules } from "./packages.ts"

interface Outcome {
  readonly problems: ReadonlyArray<string>
  readonly note?: string
}

export const packed = (): Outcome => {
  const published = packages().filter(({ manifest }) => manifest.private !== true)
  const project = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-packed-"))
  try {
    build(published)
    install(project, published.map((each) => pack(each, project)))
    writePrograms(project, published)
    for (const resolution of ["NodeNext", "bundler"]) typeCheck(project, resolution)
    const versions = [process.execPath, ...minimumNode(published)].map((node) => runPrograms(project, node))
    return { problems: [], note: `${published.length} packages, run on Node.js ${versions.join(" and ")}` }
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] }
  } finally {
    fs.rmSync(project, { recursive: true })
  }
}

const run = (what: string, cwd: string, command: string, ...args: ReadonlyArray<string>): string => {
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd, encoding: "utf8" })
  if (status !== 0) throw new Error(`${what} failed\n${error?.message ?? `${stdout}\n${stderr}`.trim()}`)
  return stdout.trim()
}

const bin = (name: string): string => path.join(root, "node_modules/.bin", name)

/** A build from nothing, so that no output of a source that is gone gets packed. */
const build = (published: ReadonlyArray<WorkspacePackage>): void => {
  for (const { directory } of published) {
    fs.rmSync(path.join(root, directory, "dist"), { recursive: true, force: true })
  }
  run("the build", root, bin("tsc"), "-b", ...published.map(({ directory }) => directory))
}

const pack = ({ directory, manifest }: WorkspacePackage, project: string): string => {
  const { packageManager } = JSON.parse(read("package.json").text)
  const before = new Set(fs.readdirSync(project))
  const cwd = path.join(root, directory)
  run(`packing ${manifest.name}`, cwd, "npx", "--yes", packageManager, "pack", "--pack-destination", project)
  const tarball = fs.readdirSync(project).find((file) => file.endsWith(".tgz") && !before.has(file))
  if (tarball === undefined) throw new Error(`packing ${manifest.name} made no tarball`)
  run(`publint of ${manifest.name}`, root, bin("publint"), "run", path.join(project, tarball), "--strict")
  return tarball
}

const install = (project: string, tarballs: ReadonlyArray<string>): void => {
  const { devDependencies } = JSON.parse(read("package.json").text)
  const pinned = ["effect", "@effect/platform-node", "@types/node"].map((name) => `${name}@${devDependencies[name]}`)
  fs.writeFileSync(path.join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
  const dependencies = [...tarballs.map((tarball) => `./${tarball}`), ...pinned]
  run("installing the packages", project, "npm", "install", "--no-audit", "--no-fund", ...dependencies)
}

const writePrograms = (project: string, published: ReadonlyArray<WorkspacePackage>): void => {
  fs.copyFileSync(path.join(root, "scripts/consumer/program.ts"), path.join(project, "program.ts"))
  for (const [index, each] of published.entries()) {
    fs.writeFileSync(path.join(project, `package${index}.ts`), importAll(each))
  }
}

/** A program that imports every module of a package by both of its names, and finds its private modules closed. */
const importAll = ({ directory, manifest: { name } }: WorkspacePackage): string => {
  const sources = sourcesOf(directory)
  const modules = publicModules(directory, sources)
  const secrets = sources.map((file) => path.posix.relative(`${directory}/src`, file.path))
    .filter((file) => file.startsWith("internal/"))
    .map((file) => `${name}/${file.slice(0, -".ts".length)}`)
  return [
    `import { strictEqual } from "node:assert"`,
    `import * as barrel from "${name}"`,
    ...modules.map((module) => `import * as ${module} from "${name}/${module}"`),
    ...modules.map((module) => `strictEqual(barrel.${module}, ${module})`),
    `const open = (specifier: string) => () => { throw new Error(specifier + " can be imported") }`,
    `const closed = (error: { code: string }) => strictEqual(error.code, "ERR_PACKAGE_PATH_NOT_EXPORTED")`,
    ...secrets.flatMap((secret) => [
      "// @ts-expect-error: private",
      `await import("${secret}").then(open("${secret}"), closed)`
    ])
  ].join("\n")
}

const typeCheck = (project: string, resolution: string): void => {
  const settings = {
    compilerOptions: {
      module: resolution === "bundler" ? "ESNext" : resolution,
      moduleResolution: resolution,
      target: "ES2022",
      lib: ["ES2023", "DOM"],
      types: ["node"],
      strict: true,
      noEmit: true
    },
    include: ["*.ts"]
  }
  const file = path.join(project, `tsconfig.${resolution}.json`)
  fs.writeFileSync(file, JSON.stringify(settings))
  run(`the type check under moduleResolution ${resolution}`, project, bin("tsc"), "-p", file)
}

/** The command of the oldest Node.js that the packages say they support, got from npm. */
const minimumNode = (published: ReadonlyArray<WorkspacePackage>): Array<string> => {
  const minimum = published.map(({ manifest }) => /^>=(\d+\.\d+)$/.exec(manifest.engines?.node ?? "")?.[1])
    .find((version) => version !== undefined)
  const { optionalDependencies } = JSON.parse(read("package.json").text)
  const binary = Object.keys(optionalDependencies).find((name) => name.endsWith(`${process.platform}-${process.arch}`))
  if (minimum === undefined || binary === undefined) return []
  const locate = ["--yes", "--package", `${binary}@${minimum}.0`, "--", "node", "-p", "process.execPath"]
  return [run(`getting Node.js ${minimum}.0`, root, "npx", ...locate)]
}

const runPrograms = (project: string, node: string): string => {
  const version = run("asking for its version", project, node, "-p", "process.versions.node")
  for (const program of fs.readdirSync(project).filter((file) => file.endsWith(".ts"))) {
    run(`${program} on Node.js ${version}`, project, node, program)
  }
  return version
}
