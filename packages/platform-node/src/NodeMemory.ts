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
import { levels } from "./internal/cgroup/cgroupMemory.ts"
import * as Host from "./internal/host/host.ts"
import { type MachineMemory, parseMeminfo } from "./internal/host/machine.ts"
import { parseAnonymousMemory } from "./internal/host/processTree.ts"
import { now } from "./internal/sampling/between.ts"
import { type Level, loadOf, tightest } from "./internal/sampling/bound.ts"
import * as optionRules from "./internal/sampling/optionRules.ts"

/**
 * Options of {@link signal}.
 *
 * **Details**
 *
 * - `every`: the pause between two samples, longer than 0, default 250 milliseconds.
 * - `target`: the load to aim at, above 0, which a sample may not exceed without counting as overload, default 0.9.
 * - `overloadedRatio`: the share of a window's time that may be overloaded, 0 to 1, default 0.2.
 * - `limit`: what this process and its children may take together, such as `"2 GiB"`; a plain number is bytes. It is
 *   one more limit beside those of the system.
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
 *   own group and each ancestor. Their working set counts, which is all they use less file pages out of use.
 * - The V8 heap limit (`--max-old-space-size`): the JavaScript heap in use counts.
 * - The machine's memory: all that is not available counts, and 97 % of the machine are as much as `target`.
 * - `limit`: what this process and its children hold counts.
 *
 * Of several control groups, one inside the other, the smallest limit and the smallest headroom count. A limit of the
 * machine's size or more is none.
 *
 * - `own` is what this process and its children hold, pages of files apart, as a fraction of the same limit.
 *   Children are found where Linux lists the processes of a control group.
 * - On macOS free memory does not tell what is available, and what this process holds stands in for the machine's use.
 *
 * What cannot be read falls back to `node:os` with one warning. An option that cannot be is an `InvalidOptionsError`.
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
  const budget = limit === undefined ? undefined : yield* optionRules.bytes("limit", limit)
  const sample = Effect.gen(function*() {
    const reading = read(host, yield* now)
    yield* host.warnings.flush
    return measure(reading, target, budget)
  })
  return yield* LoadSignal.make({ name: "memory", overloadedRatio, target, every, sample })
})
/** All in bytes. `own` is what this process and its children hold. */
interface Reading {
  readonly machine: MachineMemory
  readonly levels: ReadonlyArray<Level>
  readonly heap: { readonly used: number; readonly limit: number }
  readonly own: number
}

const read = ({ cgroups, files, node, tree }: Host.Host, at: number): Reading => {
  const process = files.optional("/proc/self/status", parseAnonymousMemory) || node.residentMemory()
  const own = process + tree.children(at).memory
  const machine = files.required("/proc/meminfo", parseMeminfo) ?? machineOf(node, own)
  const hierarchy = cgroups().hierarchyOf("memory")
  return {
    machine,
    levels: hierarchy === undefined ? [] : levels(files, hierarchy, machine.total, node.residentMemory),
    heap: node.heap(),
    own
  }
}

// What macOS calls free leaves out what it would give at once: a healthy machine has next to none.
const machineOf = (node: Host.Node, own: number): MachineMemory => {
  const total = node.totalMemory()
  return { total, available: node.platform === "darwin" ? total - own : node.freeMemory() }
}

/** The machine as a whole may be fuller than a limit of this process: nobody is killed for it yet. */
const machineTarget = 0.97

const measure = ({ heap, levels, machine, own }: Reading, target: number, budget: number | undefined): Sample => {
  const scale = target / machineTarget
  const whole: Sample = {
    load: (1 - machine.available / machine.total) * scale,
    own: own / machine.total * scale
  }
  const bound = tightest(levels)
  const limits: ReadonlyArray<Sample | undefined> = [
    bound && { load: loadOf(bound), own: own / bound.limit },
    budget === undefined ? undefined : shareOf(own, budget),
    shareOf(heap.used, heap.limit)
  ]
  const tightestOf = limits.reduce<Sample>((a, b) => b !== undefined && b.load > a.load ? b : a, whole)
  return { load: tightestOf.load, own: Math.min(tightestOf.own, tightestOf.load) }
}

interface Sample {
  readonly load: number
  readonly own: number
}

const shareOf = (used: number, limit: number): Sample => ({ load: used / limit, own: used / limit })
