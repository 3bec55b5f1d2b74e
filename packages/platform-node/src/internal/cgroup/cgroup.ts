/**
 * Where the control groups of this process are mounted: its own group and every ancestor that can be seen, in version
 * 1, version 2 and both at once (cgroups(7), proc_pid_cgroup(5), proc_pid_mountinfo(5)).
 */
import type { Parser, PseudoFiles } from "../host/pseudoFiles.ts"
import type { Warnings } from "../host/warnings.ts"

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
  mounts: ReadonlyArray<Mount>,
  exists: (directory: string) => boolean = () => true
): Hierarchy | undefined => {
  const version1 = memberships.find(({ controllers, version }) => version === 1 && controllers.includes(controller))
  const mounts1 = mounts.filter(({ controllers, version }) => version === 1 && controllers.includes(controller))
  const unified = memberships.find(({ version }) => version === 2)
  const mounts2 = mounts.filter(({ version }) => version === 2)
  return version1 === undefined ? shown(unified, mounts2, exists) : shown(version1, mounts1, exists)
}

const shown = (
  membership: Membership | undefined,
  mounts: ReadonlyArray<Mount>,
  exists: (directory: string) => boolean
): Hierarchy | undefined => {
  if (membership === undefined) return undefined
  const chains = mounts.map((mount) => groupsUnder(mount, membership.path)).filter((groups) => groups.length > 0)
  if (chains.length === 0) return undefined
  const worth = (groups: ReadonlyArray<Group>) => worthOf(groups, membership.path, exists)
  return { version: membership.version, groups: chains.reduce((a, b) => worth(b) > worth(a) ? b : a) }
}

// The same hierarchy may be mounted several times, in parts too, and a mount may cover another: one that shows the own
// group is worth more than one that shows an ancestor, and then the one that shows most ancestors knows most limits.
const worthOf = (groups: ReadonlyArray<Group>, path: string, exists: (directory: string) => boolean): number =>
  (exists(groups[0].directory) ? 2 * deepest : 0) + (isOwn(groups[0], path) ? deepest : 0) + groups.length

const deepest = 1e4

/** Whether a group is the one that the process is in, and not the only ancestor of it that a mount shows. */
const isOwn = (group: Group, path: string): boolean => group.name === `/${segments(path).join("/")}`

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
}

/**
 * Reads the hierarchies anew at each call, as a process may be moved; parses, and reads the mounts, only after a move.
 * A text without a line is that of a process in no group.
 */
export const makeReader = (files: PseudoFiles, warnings: Warnings): () => Cgroups => {
  let lastText: string | undefined
  let last = none
  return () => {
    const text = files.required("/proc/self/cgroup", (text) => text)
    if (text === lastText) return last
    lastText = text
    last = text === undefined || text.trim() === "" ? none : read(files, warnings)
    return last
  }
}

const none: Cgroups = { hierarchyOf: () => undefined }

const read = (files: PseudoFiles, warnings: Warnings): Cgroups => {
  const memberships = files.required("/proc/self/cgroup", parseMemberships) ?? []
  const mounts = files.required("/proc/self/mountinfo", parseMounts) ?? []
  const hierarchies = new Map(
    controllers.map((controller) => [controller, hierarchyOf(controller, memberships, mounts, files.exists)])
  )
  const unseen = controllersOfLimits.flatMap((controller) => {
    const group = unseenGroup(controller, memberships, hierarchies.get(controller), files.exists)
    return group === undefined ? [] : [{ controller, group }]
  })
  if (unseen.length > 0) warnings.add("control groups: not shown", warningOf(unseen))
  return { hierarchyOf: (controller) => hierarchies.get(controller) }
}

const controllersOfLimits = ["memory", "cpu", "pids"]
const controllers = [...controllersOfLimits, "cpuacct", "cpuset"]

/** A mount may be covered by another, under which nothing of it shows. */
const isShown = (group: Group, path: string, exists: (directory: string) => boolean): boolean =>
  isOwn(group, path) && exists(group.directory)

/** The group that a controller has this process in, if no mount shows it. */
const unseenGroup = (
  controller: string,
  memberships: ReadonlyArray<Membership>,
  hierarchy: Hierarchy | undefined,
  exists: (directory: string) => boolean
): string | undefined => {
  const version1 = memberships.find(({ controllers, version }) => version === 1 && controllers.includes(controller))
  const membership = version1 ?? memberships.find(({ version }) => version === 2)
  if (membership === undefined || (hierarchy !== undefined && isShown(hierarchy.groups[0], membership.path, exists))) {
    return undefined
  }
  // A machine whose controllers are those of version 1 has every process in the root of version 2, where nothing is.
  const isLeftOver = membership.version === 2 && membership.path === "/" && memberships.length > 1
  return isLeftOver ? undefined : membership.path
}

const warningOf = (unseen: ReadonlyArray<{ readonly controller: string; readonly group: string }>): string => {
  const groups = [...new Set(unseen.map(({ group }) => group))].map((group) => {
    const controllers = unseen.filter((each) => each.group === group).map(({ controller }) => controller)
    return `${group} (${controllers.join(", ")})`
  })
  return `No mount shows the control group of this process, ${groups.join(" and ")}: limits of it are not known. ` +
    `Mount the control groups at /sys/fs/cgroup within the namespace of the process, or set memory.limit and ` +
    `maxConcurrency to what it may use`
}
