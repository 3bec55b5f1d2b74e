/**
 * What the signals of one program measure: the files of the kernel, and what Node.js tells by itself. Each layer has a
 * host of its own, so that no baseline and no warning is shared by accident.
 */
import * as Effect from "effect/Effect"
import * as cgroup from "../cgroup/cgroup.ts"
import * as cpuNumbers from "./cpuNumbers.ts"
import { parseHasMount } from "./machine.ts"
import { measurable } from "./measurable.ts"
import { type Node, thisNode } from "./node.ts"
import * as processTree from "./processTree.ts"
import * as pseudoFiles from "./pseudoFiles.ts"
import * as userProcesses from "./userProcesses.ts"
import * as warnings from "./warnings.ts"

export type { Node } from "./node.ts"

export interface Host {
  readonly node: Node
  readonly files: pseudoFiles.PseudoFiles
  readonly warnings: warnings.Warnings
  readonly cgroups: () => cgroup.Cgroups
  readonly cpuNumbers: cpuNumbers.CpuNumbers
  /** Whether /proc/meminfo tells of the container, and not of the machine. */
  readonly hasOwnMeminfo: () => boolean
  readonly tree: processTree.ProcessTree
  readonly userProcesses: userProcesses.UserProcesses
}

/** `root` is put before the path of every file: a test gives a folder of its own. */
export const make = (options: {
  readonly root?: string | undefined
  readonly node?: Partial<Node> | undefined
} = {}): Effect.Effect<Host> =>
  Effect.sync(() => {
    const warned = warnings.make()
    const node = measurable({ ...thisNode, ...options.node }, warned)
    const files = pseudoFiles.make(options.root ?? "", warned)
    const cgroups = cgroup.makeReader(files, warned)
    return {
      node,
      files,
      warnings: warned,
      cgroups,
      cpuNumbers: cpuNumbers.make(files, cgroups),
      hasOwnMeminfo: once(() => files.optional("/proc/self/mountinfo", parseHasMount("/proc/meminfo")) === true),
      tree: processTree.make(files),
      userProcesses: userProcesses.make(files)
    }
  })

/** Whoever starts a container mounts its files before; what they are is asked for once. */
const once = <A>(read: () => A): () => A => {
  let answer: { readonly value: A } | undefined
  return () => (answer ??= { value: read() }).value
}
