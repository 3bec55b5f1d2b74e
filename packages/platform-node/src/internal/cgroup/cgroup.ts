/**
 * Where the control groups of this process are mounted: its own group and every ancestor that can be seen, in version
 * 1, version 2 and both at once (cgroups(7), proc_pid_cgroup(5), proc_pid_mountinfo(5)).
 */
import type { Parser, PseudoFiles } from "../host/pseudoFiles.ts"

/** One line of /proc/self/cgroup. Version 2 names no controllers. */
export interface Membership {
  readonly version: 1 | 2
  readonly controllers: ReadonlyArray<string>
  readonly path: string
}

/** One control-group file system of /proc/self/mountinfo. */
export interface Mount {
  readonly version: 1 | 2
  readonly controllers: ReadonlyArray<string>
  /** The group that the mount point shows, seen from the root of the process's namespace: may begin with "/..". */
  readonly root: string
  readonly mountPoint: string
}

export interface Group {
  /** The path within the hierarchy, seen from the root of the process's namespace. */
  readonly name: string
  readonly directory: string
}

export interface Hierarchy {
  readonly version: 1 | 2
  /** The process's own group first, then its ancestors up to the mount point. */
  readonly groups: ReadonlyArray<Group>
}

export const parseMemberships: Parser<ReadonlyArray<Membership>> = (text) => {
  const memberships = lines(text).map((line): Membership | undefined => {
    const [, id, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? []
    if (path === undefined) return undefined
    return { version: id === "0" ? 2 : 1, controllers: controllers.split(",").filter(Boolean), path }
  }).filter((membership) => membership !== undefined)
  return memberships.length === 0 ? undefined : memberships
}

export const parseMounts: Parser<ReadonlyArray<Mount>> = (text) => {
  const all = lines(text)
  if (all.length === 0) return undefined
  return all.flatMap((line): ReadonlyArray<Mount> => {
    const [before, after = ""] = line.split(" - ", 2)
    const [, , , root, mountPoint] = before.split(" ")
    const [type, , options = ""] = after.split(" ")
    if (mountPoint === undefined || (type !== "cgroup" && type !== "cgroup2")) return []
    return [{
      version: type === "cgroup" ? 1 : 2,
      controllers: options.split(","),
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint)
    }]
  })
}

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter(Boolean)

const unescapeOctal = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** The hierarchy that a controller lives in, as far as the mounts show it. A controller lives in one only. */
export const hierarchyOf = (
  controller: string,
  memberships: ReadonlyArray<Membership>,
  mounts: ReadonlyArray<Mount>
): Hierarchy | undefined =>
  shown(
    memberships.find((membership) => membership.version === 1 && membership.controllers.includes(controller)),
    mounts.filter((mount) => mount.version === 1 && mount.controllers.includes(controller))
  ) ?? unifiedOf(memberships, mounts)

const unifiedOf = (memberships: ReadonlyArray<Membership>, mounts: ReadonlyArray<Mount>): Hierarchy | undefined =>
  shown(
    memberships.find((membership) => membership.version === 2),
    mounts.filter((mount) => mount.version === 2)
  )

// The same hierarchy may be mounted several times, in parts too: the mount that shows most ancestors knows most limits.
const shown = (membership: Membership | undefined, mounts: ReadonlyArray<Mount>): Hierarchy | undefined => {
  if (membership === undefined) return undefined
  const chains = mounts.map((mount) => groupsUnder(mount, membership.path)).filter((groups) => groups.length > 0)
  if (chains.length === 0) return undefined
  return { version: membership.version, groups: chains.reduce((a, b) => b.length > a.length ? b : a) }
}

/** The group at `path` and its ancestors up to the mount point; empty where the mount does not show the group. */
export const groupsUnder = (mount: Mount, path: string): ReadonlyArray<Group> => {
  const root = segments(mount.root)
  const below = pathBelow(root, segments(path))
  if (below === undefined) return []
  return Array.from({ length: below.length + 1 }, (_, up) => {
    const names = below.slice(0, below.length - up)
    return {
      name: `/${[...root, ...names].join("/")}`,
      directory: [mount.mountPoint === "/" ? "" : mount.mountPoint, ...names].join("/")
    }
  })
}

const pathBelow = (root: ReadonlyArray<string>, own: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  if (root.every((segment, index) => own[index] === segment)) {
    const below = own.slice(root.length)
    return below.includes("..") ? undefined : below
  }
  // The mount shows ancestors of the namespace's root without telling their names: the topmost alone is surely ours.
  return root.every((segment) => segment === "..") ? [] : undefined
}

const segments = (path: string): ReadonlyArray<string> => path.split("/").filter(Boolean)

/** The hierarchies of this process at one moment. */
export interface Cgroups {
  readonly hierarchyOf: (controller: string) => Hierarchy | undefined
  /** The own group of the hierarchy that divides the machine's processes most finely: it has the fewest strangers. */
  readonly narrowestGroup: Group | undefined
}

/**
 * Reads the hierarchies anew at each call, as a process may be moved; parses, and reads the mounts, only after a move.
 */
export const makeReader = (files: PseudoFiles): () => Cgroups => {
  let lastText: string | undefined
  let last = none
  return () => {
    const text = files.required("/proc/self/cgroup", (text) => text)
    if (text === lastText) return last
    lastText = text
    last = text === undefined ? none : read(files)
    return last
  }
}

const none: Cgroups = { hierarchyOf: () => undefined, narrowestGroup: undefined }

const read = (files: PseudoFiles): Cgroups => {
  const memberships = files.required("/proc/self/cgroup", parseMemberships) ?? []
  const mounts = files.required("/proc/self/mountinfo", parseMounts) ?? []
  const controllers = memberships.flatMap((membership) => membership.controllers)
  const byController = new Map(
    controllers.map((controller) => [controller, hierarchyOf(controller, memberships, mounts)])
  )
  const unified = unifiedOf(memberships, mounts)
  const own = [unified, ...byController.values()].flatMap((hierarchy) => hierarchy?.groups.slice(0, 1) ?? [])
  return {
    hierarchyOf: (controller) => byController.get(controller) ?? unified,
    narrowestGroup: own.length === 0 ? undefined : own.reduce((a, b) => depth(b) > depth(a) ? b : a)
  }
}

const depth = (group: Group): number => segments(group.name).length
