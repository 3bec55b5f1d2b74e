/**
 * The `"cpu"` signal: how much is used of the CPU time that this process may have.
 *
 * @since 0.1.0
 */
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import * as LoadSignal from "@autoscaled-pool/core/LoadSignal"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Quota, quotas } from "./internal/cgroup/cgroupCpu.ts"
import * as Host from "./internal/host/host.ts"
import { type CpuTimes, listedCpus, parseAllowedCpus, parseCpuTimes } from "./internal/host/machine.ts"
import * as between from "./internal/sampling/between.ts"
import { fullest, type Level, loadOf, tightest } from "./internal/sampling/bound.ts"
import * as optionRules from "./internal/sampling/optionRules.ts"

/**
 * Options of {@link signal}.
 *
 * **Details**
 *
 * - `every`: the pause between two samples, longer than 0, default 500 milliseconds.
 * - `target`: the load to aim at, above 0 and at most 1, which a sample may not exceed without counting as overload, default 0.95.
 * - `overloadedRatio`: the share of a window's time that may be overloaded, 0 to 1, default 0.4.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly every?: Duration.Input | undefined
  readonly target?: number | undefined
  readonly overloadedRatio?: number | undefined
}

/**
 * Makes the signal.
 *
 * **Details**
 *
 * - `load` is the busy share of the CPUs that this process may run on, time stolen by a hypervisor included.
 * - Where a control group sets a CPU quota below the number of CPUs, what is used of it is a load too, and the larger
 *   counts. Of several quotas, one group inside the other, the smallest quota and the smallest rest count.
 * - `own` is the part of this process, all its threads and its children. Running children are found where Linux lists
 *   processes below `/proc`, and looked at once a second, 1,100 of them at most.
 *
 * Each sample covers the time since the one before; the first comes after `every`, at most a second. The quota is read
 * again for each. What cannot be read falls back to `node:os` with one warning. An invalid option is an
 * `InvalidOptionsError`. A signal keeps one baseline: make one for each `SystemStatus`.
 *
 * **Example** (Watching the CPU alone)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { NodeCpu } from "@autoscaled-pool/platform-node"
 * import { Effect, Layer } from "effect"
 *
 * const layer = Layer.unwrap(Effect.gen(function*() {
 *   const cpu = yield* NodeCpu.signal({ target: 0.8 })
 *   return SystemStatus.layer({ signals: [cpu] })
 * }))
 *
 * const status = SystemStatus.SystemStatus.use((status) => status.current)
 * const info = await Effect.runPromise(status.pipe(Effect.provide(layer)))
 * info.signals.cpu.target // => 0.8
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
  { every = "500 millis", overloadedRatio = 0.4, target = 0.95 }: Options
) {
  yield* optionRules.share("target", target)
  const sample = between.make({ every, warnings: host.warnings, read: (at) => read(host, at), measure })
  return yield* LoadSignal.make({ name: "cpu", overloadedRatio, target, every, sample })
})

/** Counters since boot or start, and what holds now. Times of the process and its groups are in milliseconds. */
interface Reading {
  readonly machine: CpuTimes
  readonly process: number
  readonly childrenCpus: number
  readonly quotas: ReadonlyArray<Quota>
}

const read = ({ cgroups, cpuNumbers, files, node, tree }: Host.Host, at: number): Reading => {
  const allowed = files.optional("/proc/self/status", parseAllowedCpus)
  const parse = (text: string) => parseCpuTimes(cpuNumbers(allowed, listedCpus(text)))(text)
  const machine = files.required("/proc/stat", parse) ?? node.cpuTimes()
  return {
    machine,
    process: node.cpuUsage(),
    childrenCpus: tree.children(at).cpus,
    quotas: quotas(files, cgroups(), machine.cpus)
  }
}

const measure = (before: between.At<Reading>, after: between.At<Reading>): LoadSignal.Sample => {
  const elapsed = after.at - before.at
  const ownCpus = perTime(after.value.process - before.value.process, elapsed) + after.value.childrenCpus
  const machine = machineUse(before.value.machine, after.value.machine, ownCpus)
  const use = quotaUse(quotasBetween(before.value, after.value, elapsed, ownCpus)) ?? machine
  const { limit, load, measure } = use.load >= machine.load ? use : machine
  return { load, own: Math.min(ownCpus / limit, load), measure }
}

/** `limit` is what `load` is a share of, in CPUs. */
interface Use {
  readonly load: number
  readonly limit: number
  readonly measure: LoadSignal.Measure
}

const machineUse = (before: CpuTimes, after: CpuTimes, ownCpus: number): Use => {
  const limit = Math.max(1, after.cpus)
  const load = busyShare(before, after) ?? ownCpus / limit
  return { load, limit, measure: { used: load * limit, limit, unit, of: "machine" } }
}

const quotaUse = (levels: ReadonlyArray<QuotaLevel>): Use | undefined => {
  const bound = tightest(levels)
  if (bound === undefined) return undefined
  const { limit, of, used } = fullest(levels)
  return { load: loadOf(bound), limit: bound.limit, measure: { used, limit, unit, of } }
}

const unit = "{cpu}"

interface QuotaLevel extends Level {
  readonly of: string
}

const quotasBetween = (
  before: Reading,
  after: Reading,
  elapsed: number,
  ownCpus: number
): ReadonlyArray<QuotaLevel> =>
  after.quotas.flatMap(({ cpus: limit, directory, name, used }) => {
    const of = `quota of ${name}`
    if (used === undefined) return [{ limit, used: ownCpus, of }]
    const earlier = before.quotas.find((quota) => quota.directory === directory)?.used
    // A quota that is new has no earlier reading: it counts from the next sample on.
    return earlier === undefined ? [] : [{ limit, used: perTime(used - earlier, elapsed), of }]
  })

const perTime = (used: number, elapsed: number): number => elapsed > 0 ? Math.max(0, used) / elapsed : 0

const busyShare = (before: CpuTimes, after: CpuTimes): number | undefined => {
  const total = after.total - before.total
  return total > 0 ? Math.min(1, Math.max(0, after.busy - before.busy) / total) : undefined
}
