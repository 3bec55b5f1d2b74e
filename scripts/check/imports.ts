/**
 * Which module imports which, and whether that goes one way only.
 */
import * as path from "node:path"
import { parseSync } from "vite"
import type { SourceFile, WorkspacePackage } from "../workspace.ts"

/** One import between two files, or of a package (`to` is then its specifier). */
export interface Import {
  readonly from: string
  readonly to: string
  readonly isTypeOnly: boolean
}

/**
 * The layers of the core package, lowest first. A module may know those of lower layers only, whether it imports them
 * itself or through modules that are not named here. Modules of one layer do not know each other.
 */
export const layers: ReadonlyArray<ReadonlyArray<string>> = [
  ["InvalidOptionsError"],
  ["LoadSignal"],
  ["ClientErrors", "SystemStatus"],
  ["ConcurrencySettings"],
  ["ScalingPolicy"],
  ["ConcurrencyGovernor", "KeyedLimits", "TaskSource"],
  ["PoolState"],
  ["PoolEvent", "PoolSnapshot"],
  ["PoolRegistry"],
  ["AutoscaledPool", "PoolMetrics"]
]

/**
 * The rooms of the core package's private modules, lowest first. A room may use values of lower ones only; types may look
 * up, where a private module implements a public interface.
 */
export const rooms: ReadonlyArray<string> = [
  "time",
  "options",
  "task",
  "signals",
  "sources",
  "adaptive",
  "views",
  "policies",
  "budget",
  "feeds",
  "keys",
  "run"
]

export const importsOf = (file: SourceFile): Array<Import> => {
  const { module } = parseSync(file.path, file.text)
  const imports = module.staticImports.map((statement) => ({
    specifier: statement.moduleRequest.value,
    isTypeOnly: statement.entries.length > 0 && statement.entries.every((entry) => entry.isType)
  }))
  const reexports = module.staticExports.flatMap((statement) => statement.entries).flatMap((entry) =>
    entry.moduleRequest === null ? [] : [{ specifier: entry.moduleRequest.value, isTypeOnly: entry.isType }]
  )
  const dynamic = module.dynamicImports.flatMap(({ moduleRequest }) => {
    const literal = /^["'](.*)["']$/.exec(file.text.slice(moduleRequest.start, moduleRequest.end))
    return literal === null ? [] : [{ specifier: literal[1], isTypeOnly: false }]
  })
  return [...imports, ...reexports, ...dynamic].map(({ isTypeOnly, specifier }) => ({
    from: file.path,
    to: specifier.startsWith(".") ? path.posix.join(path.posix.dirname(file.path), specifier) : specifier,
    isTypeOnly
  }))
}

/** Groups of files that import each other in a circle. */
export const cycles = (imports: ReadonlyArray<Import>): Array<Array<string>> => {
  const reach = reachability(imports)
  const inCycle = [...reach.keys()].filter((file) => reach.get(file)?.has(file)).toSorted()
  const groups: Array<Array<string>> = []
  for (const file of inCycle) {
    if (groups.some((group) => group.includes(file))) continue
    groups.push(inCycle.filter((other) => reach.get(file)?.has(other) && reach.get(other)?.has(file)))
  }
  return groups
}

const reachability = (
  imports: ReadonlyArray<Import>,
  passes: (file: string) => boolean = () => true
): Map<string, Set<string>> => {
  const targets = new Map<string, Array<string>>()
  for (const { from, to } of imports) targets.set(from, [...targets.get(from) ?? [], to])
  const reach = (start: string): Set<string> => {
    const seen = new Set<string>()
    const open = [start]
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      for (const to of targets.get(file) ?? []) {
        if (seen.has(to)) continue
        seen.add(to)
        if (passes(to)) open.push(to)
      }
    }
    return seen
  }
  return new Map([...targets.keys()].map((file) => [file, reach(file)]))
}

/** What the modules of the core package know of each other against the order of {@link layers}. */
export const againstLayers = (imports: ReadonlyArray<Import>): Array<string> => {
  const layerOf = new Map<string, number>(
    layers.flatMap((names, layer) => names.map((name) => [`packages/core/src/${name}.ts`, layer] as const))
  )
  const reach = reachability(imports, (file) => !layerOf.has(file))
  return [...layerOf].flatMap(([file, layer]) =>
    [...reach.get(file) ?? []]
      .filter((other) => other !== file && (layerOf.get(other) ?? -1) >= layer)
      .map((other) =>
        `${file} must not know ${other}: the order is ${layers.map((names) => names.join("/")).join(" < ")}`
      )
  )
}

const roomOf = (file: string): string | undefined => /^packages\/core\/src\/internal\/([^/]+)\//.exec(file)?.[1]

/** What the rooms of the core package use of each other against the order of {@link rooms}. */
export const againstRooms = (imports: ReadonlyArray<Import>): Array<string> =>
  imports.flatMap(({ from, isTypeOnly, to }) => {
    const [room, other] = [roomOf(from), roomOf(to)]
    if (room === undefined) return []
    if (!rooms.includes(room)) return [`${from} is in a room that the order does not know: ${rooms.join(" < ")}`]
    if (isTypeOnly || other === undefined || other === room || rooms.indexOf(other) < rooms.indexOf(room)) return []
    return [`${from} must not use ${to}: the order of the rooms is ${rooms.join(" < ")}`]
  })

/** Imports of what the package does not declare, so that whoever installs it would miss it. */
export const undeclared = (
  { directory, manifest }: WorkspacePackage,
  imports: ReadonlyArray<Import>
): Array<string> => {
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }))
  return imports
    .filter(({ from, to }) => from.startsWith(`${directory}/`) && !to.startsWith("packages/"))
    .filter(({ to }) => to.startsWith("node:") ? manifest.engines?.node === undefined : !declared.has(packageOf(to)))
    .map(({ from, to }) =>
      to.startsWith("node:") ?
        `${from} imports ${to}, but ${manifest.name} does not say (engines.node) that it needs Node.js` :
        `${from} imports ${to}, which is no dependency or peer dependency of ${manifest.name}`
    )
}

const packageOf = (specifier: string): string =>
  specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")
