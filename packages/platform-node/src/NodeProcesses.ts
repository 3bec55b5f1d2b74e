/**
 * The `"processes"` signal: how many processes and threads there are of those that this process may have.
 *
 * @since 0.1.0
 */
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import * as LoadSignal from "@autoscaled-pool/core/LoadSignal"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as cgroupPids from "./internal/cgroup/cgroupPids.ts"
import * as Host from "./internal/host/host.ts"
import { parseStat } from "./internal/host/processTree.ts"
import { now } from "./internal/sampling/between.ts"
import { fullest, loadOf, tightest } from "./internal/sampling/bound.ts"
import * as optionRules from "./internal/sampling/optionRules.ts"

/**
 * Options of {@link signal}.
 *
 * **Details**
 *
 * - `every`: the pause between two samples, longer than 0, default 1 second.
 * - `target`: the load to aim at, above 0 and at most 1, which a sample may not exceed without counting as overload,
 *   default 0.9.
 * - `overloadedRatio`: the share of a window's time that may be overloaded, 0 to 1, default 0.2.
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
 * A process that may have no more children fails to start one (`EAGAIN`), and so does whatever task needs it. `load` is
 * that of the limit which is tightest at the moment; all are read again at each sample:
 *
 * - `pids.max` of the control group of this process and of each ancestor. Of several the smallest limit and the smallest
 *   rest count.
 * - `RLIMIT_NPROC` (`ulimit -u`), which counts the threads of the user; it does not bind root.
 *
 * `own` is the part of this process's threads and of its children's. Without a limit `load` is 0;
 * `NodeSystemStatus.layer` then leaves the signal out. An option that is not allowed is an `InvalidOptionsError`.
 *
 * **Example** (Leaving room for others of the same user)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { NodeProcesses } from "@autoscaled-pool/platform-node"
 * import { Effect, Layer } from "effect"
 *
 * const layer = Layer.unwrap(Effect.gen(function*() {
 *   const processes = yield* NodeProcesses.signal({ target: 0.7 })
 *   return SystemStatus.layer({ signals: [processes] })
 * }))
 *
 * const status = SystemStatus.SystemStatus.use((status) => status.current)
 * const info = await Effect.runPromise(status.pipe(Effect.provide(layer)))
 * info.signals.processes.target // => 0.7
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
  { every = "1 second", overloadedRatio = 0.2, target = 0.9 }: Options
) {
  const sample = Effect.gen(function*() {
    const at = yield* now
    const measured = measure(host, at)
    yield* host.warnings.flush
    return measured
  })
  yield* optionRules.share("target", target)
  return yield* LoadSignal.make({ name: "processes", overloadedRatio, target, every, sample })
})

/** @internal */
export const hasLimit = (host: Host.Host): Effect.Effect<boolean> =>
  Effect.map(now, (at) => levelsOf(host, at).length > 0)

const levelsOf = ({ cgroups, files, userProcesses }: Host.Host, at: number) => {
  const user = userProcesses.level(at)
  const groups = cgroupPids.levels(files, cgroups())
  return user === undefined ? groups : [...groups, user]
}

const measure = (host: Host.Host, at: number): LoadSignal.Sample => {
  const levels = levelsOf(host, at)
  const narrowest = tightest(levels)
  if (narrowest === undefined) return { load: 0, own: 0 }
  const bound = { ...narrowest, limit: Math.max(1, narrowest.limit) } // a limit of 0 allows what there is, and no more
  const load = loadOf(bound)
  const threads = (host.files.optional("/proc/self/stat", parseStat)?.threads ?? 1) + host.tree.children(at).threads
  const { limit, of, used } = fullest(levels)
  return { load, own: Math.min(load, threads / bound.limit), measure: { used, limit, unit: "{process}", of } }
}
