/**
 * The `"memory"` signal: how much is used of the memory that this process may have.
 *
 * @since 0.1.0
 */
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import * as LoadSignal from "@autoscaled-pool/core/LoadSignal"
import type * as ByteSize from "effect/ByteSize"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type GroupLevel, levels } from "./internal/cgroup/cgroupMemory.ts"
import type { Heap } from "./internal/heap/v8Heap.ts"
import * as Host from "./internal/host/host.ts"
import { type MachineMemory, parseMeminfo, parseMeminfoOfContainer } from "./internal/host/machine.ts"
import { parseAnonymousMemory } from "./internal/host/processTree.ts"
import { now } from "./internal/sampling/between.ts"
import { tightest } from "./internal/sampling/bound.ts"
import * as optionRules from "./internal/sampling/optionRules.ts"

/**
 * Options of {@link signal}.
 *
 * **Details**
 *
 * - `every`: the pause between two samples, longer than 0, default 250 milliseconds.
 * - `target`: the load to aim at, above 0 and at most 1, which a sample may not exceed without counting as overload,
 *   default 0.9.
 * - `overloadedRatio`: the share of a window's time that may be overloaded, 0 to 1, default 0.2.
 * - `limit`: what this process and its children may take together, at least 1 MiB, such as `"2 GiB"`; a plain number is
 *   bytes. It is one more limit beside those of the system.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly every?: Duration.Input | undefined
  readonly target?: number | undefined
  readonly overloadedRatio?: number | undefined
  readonly limit?: ByteSize.Input | undefined
}

/**
 * Makes the signal. `load` is that of the limit which is tightest at the moment; all are read again at each sample.
 *
 * **Details**
 *
 * - Control groups: `memory.max`, `memory.high` (version 2) and `memory.limit_in_bytes` (version 1) of the process's
 *   own group and each ancestor; in version 1 also limits of ancestors that no mount shows (`hierarchical_memory_limit`).
 *   All that the group uses counts, less what the kernel gives back by itself: clean pages of files and reclaimable slab.
 *   Active file pages count as far as the kernel reports that tasks wait for memory (PSI): from a twentieth of the time,
 *   and all of them at a quarter.
 * - The V8 heap: what lives in the old generation counts, garbage apart, of what V8 can fill (`--max-old-space-size`)
 *   less a fifth, or less a semi-space of the young generation, if that is more: from there on V8 may
 *   abort the process.
 *   Buffers are no part of it.
 * - The machine's memory: all that is not available counts, and 97 % of the machine are as much as `target`. Huge pages
 *   that are set aside are no part of the machine.
 * - `limit`: what this process and its children hold counts.
 *
 * A limit is exhausted where more than three quarters are used of what `target` leaves free, at 97.5 % by default: as it
 * kills, the gate closes at once, and until the load is at the target again. The machine is from 99.25 % on.
 *
 * Of several control groups, one inside the other, the smallest limit and the smallest headroom count. A limit of the
 * machine's size or more is none. `measure.of` names the limit that binds.
 *
 * - What lives in the heap is known after each full collection; of what has come since, as large a part counts as
 *   outlived one of the last two, more where the heap is fuller, everything at first. The signal triggers no collection.
 * - The heap is that of the thread that takes the samples: worker threads have heaps of their own, which it cannot see.
 * - `own` is what this process and its children hold, pages of files apart, as a fraction of the same limit; all of it
 *   where that is the heap. Children are found below `/proc`.
 * - Where nothing tells what is available, as on macOS and where `/proc/meminfo` is hidden, what this process and its
 *   children hold stands in for the machine's use.
 *
 * What cannot be read falls back to `node:os` with one warning. An invalid option is an `InvalidOptionsError`.
 *
 * **Example** (Keeping within a budget)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { NodeMemory } from "@autoscaled-pool/platform-node"
 * import { Effect, Layer } from "effect"
 *
 * const layer = Layer.unwrap(Effect.gen(function*() {
 *   const memory = yield* NodeMemory.signal({ limit: "4 GiB" })
 *   return SystemStatus.layer({ signals: [memory] })
 * }))
 *
 * const status = SystemStatus.SystemStatus.use((status) => status.current)
 * const info = await Effect.runPromise(status.pipe(Effect.provide(layer)))
 * info.signals.memory.target // => 0.9
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const signal = (options: Options = {}): Effect.Effect<LoadSignal.LoadSignal, InvalidOptionsError> =>
  Effect.flatMap(Host.make(), (host) => signalOf(host, options))

/** @internal */
export const signalOf = Effect.fnUntraced(function*(
  host: Host.Host,
  { every = "250 millis", limit, overloadedRatio = 0.2, target = 0.9 }: Options
) {
  yield* optionRules.share("target", target)
  const budget = limit === undefined ? undefined : yield* optionRules.processMemory("limit", limit)
  const origin = (yield* now) - performance.now()
  const sample = Effect.gen(function*() {
    const reading = read(host, yield* now, origin)
    yield* host.warnings.flush
    return measure(reading, target, budget)
  })
  return yield* LoadSignal.make({ name: "memory", overloadedRatio, target, every, sample })
})

/**
 * In bytes. `own` is what this process and its children hold; a machine of unknown size has a total of 0. `collectedAt`:
 * when the heap was collected in full, in monotonic milliseconds.
 */
interface Reading {
  readonly machine: MachineMemory
  readonly groups: ReadonlyArray<GroupLevel>
  readonly heap: Heap
  readonly collectedAt: number | undefined
  readonly own: number
}

/** `origin`: the monotonic millisecond at which `performance.now()` is 0. */
const read = ({ cgroups, files, hasOwnMeminfo, node, tree }: Host.Host, at: number, origin: number): Reading => {
  const isOfContainer = hasOwnMeminfo()
  const process = files.optional("/proc/self/status", parseAnonymousMemory) || node.residentMemory()
  const own = process + tree.children(at).memory
  const machine = files.required("/proc/meminfo", isOfContainer ? parseMeminfoOfContainer : parseMeminfo) ??
    machineOf(node, own)
  // What a container tells as its memory is a limit of its group.
  const unlimited = isOfContainer ? machine.total + 1 : machine.total || Infinity
  const hierarchy = cgroups().hierarchyOf("memory")
  const heap = node.heap()
  return {
    machine,
    groups: hierarchy === undefined ? [] : levels(files, hierarchy, unlimited, node.residentMemory),
    heap,
    collectedAt: heap.collectedAt === undefined ? undefined : origin + heap.collectedAt,
    own
  }
}

// What Unix systems call free leaves out what they would give at once: a healthy machine has next to none. On Linux, too,
// Node.js tells no more where /proc/meminfo is hidden (`ProcSubset=pid` of systemd). Windows tells what is available.
const machineOf = (node: Host.Node, own: number): MachineMemory => {
  const total = node.totalMemory()
  return { total, available: node.platform === "win32" ? node.freeMemory() : total - own }
}

/**
 * One limit, and what counts against it, in bytes; `own` is this process's part, `most` what may be used safely.
 * `reclaimedAt`: where garbage counts, when it was collected last.
 */
interface Limit {
  readonly of: string
  readonly limit: number
  readonly most: number
  readonly used: number
  readonly own: number
  readonly reclaimedAt?: number | undefined
}

/** As a share of the limit: three quarters of what the target leaves free. Who waits longer is killed first. */
const mostOf = (target: number): number => 1 - (1 - target) / 4

const limitsOf = ({ collectedAt, groups, heap, machine, own }: Reading, target: number, budget: number | undefined) => {
  const bound = tightest(groups)
  const ofProcess = (of: string, limit: number, used: number, own: number): Limit => ({
    of,
    limit,
    most: mostOf(target) * limit,
    used,
    own
  })
  const limits: ReadonlyArray<Limit | undefined> = [
    machine.total > 0 ? ofMachine(machine, own, target) : undefined,
    bound && ofProcess(`cgroup ${nearest(groups).name}`, bound.limit, bound.limit - bound.headroom, own),
    budget === undefined ? undefined : ofProcess("memory.limit", budget, own, own),
    { ...ofProcess("V8 heap", heap.limit, heap.used, heap.used), reclaimedAt: collectedAt }
  ]
  return limits.filter((limit) => limit !== undefined)
}

/** The machine as a whole may be fuller than a limit of this process: nobody is killed for it yet. */
const machineTarget = 0.97

/** As much of the machine as counts as all of it. */
const ofMachine = ({ available, total }: MachineMemory, own: number, target: number): Limit => ({
  of: "machine",
  limit: total * machineTarget / target,
  most: mostOf(machineTarget) * total,
  used: total - available,
  own
})

/** The group whose limit is reached first. */
const nearest = (groups: ReadonlyArray<GroupLevel>): GroupLevel =>
  groups.reduce((a, b) => b.limit - b.used < a.limit - a.used ? b : a)

const measure = (reading: Reading, target: number, budget: number | undefined): LoadSignal.Sample => {
  const limits = limitsOf(reading, target, budget)
  const { limit, of, own, reclaimedAt, used } = limits.reduce((a, b) => loadOf(b) > loadOf(a) ? b : a)
  const load = Math.max(0, used / limit)
  return {
    load,
    own: Math.min(own / limit, load),
    isExhausted: limits.some(({ most, used }) => used > most),
    reclaimedAt,
    measure: { used, limit, unit: "By", of }
  }
}

const loadOf = ({ limit, used }: Limit): number => used / limit
