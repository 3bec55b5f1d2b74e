/**
 * What one resource reports about its load, and how a window of such reports becomes a verdict.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import * as rules from "./internal/options/rules.ts"
import * as sampler from "./internal/signals/sampler.ts"
import { infoOf, isExhausted, overloadedShare } from "./internal/signals/signalInfo.ts"
import type { InvalidOptionsError } from "./InvalidOptionsError.ts"

/**
 * One report of a resource.
 *
 * **Details**
 *
 * - `at`: monotonic milliseconds of the `Clock`, good for subtraction only.
 * - `load`: use as a fraction of the limit's resource: 0 is idle, 1 is all of it; it may exceed 1.
 * - `own`: the part of `load` that this process, children included, causes; left out where it cannot be told.
 * - `isOverloaded`: whether this report alone counts as overload.
 * - `isExhausted`: whether next to nothing of the resource is left, and a task more may end the process. It makes the
 *   verdict that of an overload at once, until a report is not overloaded; default `false`.
 * - `reclaimedAt`: where use that has ended goes on to count until it is reclaimed, as in a garbage-collected heap, when
 *   that was done last, monotonic milliseconds; left out where load falls as soon as use does.
 * - `measure`: what `load` is a share of, in real units, for whoever wants to show it.
 *
 * @category models
 * @since 0.1.0
 */
export interface LoadSnapshot {
  readonly at: number
  readonly load: number
  readonly own?: number
  readonly isOverloaded: boolean
  readonly isExhausted?: boolean | undefined
  readonly reclaimedAt?: number | undefined
  readonly measure?: Measure | undefined
}

/**
 * What a load is a share of: the limit that binds, and how much of it is used, in real units. Views show it; no verdict
 * rests on it.
 *
 * **Details**
 *
 * - `used`, `limit`: in `unit`.
 * - `unit`: by the Unified Code for Units of Measure, as in metrics: `"By"` for bytes, `"ms"`, `"{cpu}"` for CPUs, or a
 *   word of your own.
 * - `of`: whose limit it is, such as `"cgroup /app"`, `"V8 heap"`, `"machine"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Measure {
  readonly used: number
  readonly limit: number
  readonly unit: string
  readonly of: string
}

/**
 * A resource that reports its load.
 *
 * **Details**
 *
 * - `name`: `"cpu"`, `"memory"`, `"eventLoop"`, `"client"` or a name of your own, unique within one `SystemStatus`.
 * - `overloadedRatio`: the share of a window's time, 0 to 1, that may be overloaded before the verdict flips.
 * - `target`: the `load` that a policy should aim at.
 * - `snapshots`: the reports. Report at least once per `currentWindow` of the `SystemStatus` (5 seconds by default):
 *   a signal that is silent for longer is stale, and nothing grows on its word.
 *
 * @category models
 * @since 0.1.0
 */
export interface LoadSignal {
  readonly name: string
  readonly overloadedRatio: number
  readonly target: number
  readonly snapshots: Stream.Stream<LoadSnapshot>
}

/**
 * The verdict over a window of reports.
 *
 * **Details**
 *
 * - `limitRatio`, `actualRatio`: the share of overloaded time that is allowed, and that there was.
 * - `isExhausted`: a report has said so, and all since were overloaded.
 * - `isOverloaded`: `actualRatio > limitRatio`, on the unrounded number, or `isExhausted`.
 * - `isStale`: the signal has stopped reporting, or has not begun.
 * - `load`, `own`: the latest report's. `own` equals `load` where the signal cannot tell them apart.
 * - `target`: the signal's.
 * - `at`: the latest report's moment, monotonic milliseconds; `undefined` where there is none.
 * - `reclaimedAt`, `measure`: the latest report's, where it has one.
 * - `overloadedSince`: since when the verdict is that of an overload, monotonic milliseconds; `undefined` where it is not.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignalInfo {
  readonly limitRatio: number
  readonly actualRatio: number
  readonly isOverloaded: boolean
  readonly isExhausted?: boolean | undefined
  readonly isStale: boolean
  readonly load: number
  readonly own: number
  readonly target: number
  readonly at?: number | undefined
  readonly reclaimedAt?: number | undefined
  readonly measure?: Measure | undefined
  readonly overloadedSince?: number | undefined
}

/**
 * What a sample tells, in the words of a {@link LoadSnapshot}; `isOverloaded` is `load > target` where it is left out, and
 * true where `isExhausted` is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sample {
  readonly load: number
  readonly own?: number | undefined
  readonly isOverloaded?: boolean | undefined
  readonly isExhausted?: boolean | undefined
  readonly reclaimedAt?: number | undefined
  readonly measure?: Measure | undefined
}

/**
 * Options of {@link make}.
 *
 * **Details**
 *
 * - `name`: unique within one `SystemStatus`; at least one character.
 * - `overloadedRatio`: 0 to 1.
 * - `target`: above 0; a load above it counts as overload unless the sample says otherwise.
 * - `every`: the pause between two samples, longer than 0; the first is taken at once.
 * - `sample`: measures; a function learns the moment at which the sample was due, in monotonic milliseconds: what is
 *   later by then is the delay of the event loop. A sample that fails, dies, or does not answer within 5 seconds (or
 *   `every`, where that is longer) is logged as a warning once per outage and tried again; meanwhile the signal is
 *   stale, never healthy.
 *
 * @category models
 * @since 0.1.0
 */
export interface SampledOptions<E = unknown> {
  readonly name: string
  readonly overloadedRatio: number
  readonly target: number
  readonly every: Duration.Input
  readonly sample: Effect.Effect<Sample, E> | ((due: number) => Effect.Effect<Sample, E>)
}

/**
 * Makes a signal that takes a sample at a steady pace; invalid options fail with an `InvalidOptionsError`.
 *
 * **When to use** {@link makeUnsafe} where the options are constants of a program.
 *
 * **Example** (Refusing a target)
 *
 * ```ts import.meta.vitest
 * import { LoadSignal } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const disk = LoadSignal.make({
 *   name: "disk",
 *   overloadedRatio: 0.3,
 *   target: 0,
 *   every: "1 second",
 *   sample: Effect.succeed({ load: 0.4 })
 * })
 *
 * Effect.runSync(Effect.flip(disk)).message
 * // => "target cannot be 0. Use a finite number greater than 0."
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E>(options: SampledOptions<E>): Effect.Effect<LoadSignal, InvalidOptionsError> =>
  Effect.fromResult(fromOptions(options))

/**
 * Makes the signal of {@link make} from options that are constants of a program: invalid ones throw the
 * `InvalidOptionsError`.
 *
 * **Example** (Watching the depth of a queue)
 *
 * ```ts import.meta.vitest
 * import { LoadSignal } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * let waiting = 250
 * const backlog = LoadSignal.makeUnsafe({
 *   name: "backlog",
 *   overloadedRatio: 0.3,
 *   target: 0.8,
 *   every: "1 second",
 *   sample: Effect.sync(() => ({
 *     load: waiting / 1000,
 *     measure: { used: waiting, limit: 1000, unit: "{item}", of: "the queue" }
 *   }))
 * })
 *
 * backlog.name // => "backlog"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <E>(options: SampledOptions<E>): LoadSignal => Result.getOrThrow(fromOptions(options))

const fromOptions = <E>(options: SampledOptions<E>): Result.Result<LoadSignal, InvalidOptionsError> =>
  Result.gen(function*() {
    const { every, ...properties } = yield* parse(options)
    const { sample } = options
    yield* rules.read(rules.effectOrFunction, "sample", sample)
    return sampler.makeSignal(properties, every, Effect.isEffect(sample) ? () => sample : sample)
  })

/**
 * Turns the reports of a window, oldest first, into a verdict.
 *
 * **Details**
 *
 * The actual ratio is overloaded time over total time, each gap between two reports charged to the report that ends it.
 * No report gives 0, a single one its own flag; where all gaps are zero each counts as one. The law is Crawlee's
 * (apify/crawlee, `system_status.ts`), compared unrounded. A report that says `isExhausted` counts at once, whatever the
 * ratio, and until one is not overloaded.
 *
 * **Example** (Judging a window)
 *
 * ```ts import.meta.vitest
 * import { LoadSignal } from "@autoscaled-pool/core"
 *
 * const info = LoadSignal.evaluate([
 *   { at: 0, load: 0.5, isOverloaded: false },
 *   { at: 1000, load: 0.99, isOverloaded: true },
 *   { at: 4000, load: 0.6, isOverloaded: false }
 * ], 0.2)
 *
 * info.actualRatio // => 0.25
 * info.isOverloaded // => true
 * ```
 *
 * @category verdicts
 * @since 0.1.0
 */
export const evaluate = (snapshots: ReadonlyArray<LoadSnapshot>, limitRatio: number, target = 1): SignalInfo =>
  infoOf({
    limitRatio,
    actualRatio: overloadedShare(snapshots),
    isExhausted: isExhausted(snapshots),
    target,
    latest: snapshots.at(-1),
    isStale: snapshots.length === 0
  })

const parse = (options: {
  readonly name: string
  readonly overloadedRatio: number
  readonly target: number
  readonly every: Duration.Input
}): Result.Result<
  {
    readonly name: string
    readonly overloadedRatio: number
    readonly target: number
    readonly every: Duration.Duration
  },
  InvalidOptionsError
> =>
  Result.all({
    name: rules.read(rules.name, "name", options.name),
    overloadedRatio: rules.read(rules.shareOfTime, "overloadedRatio", options.overloadedRatio),
    target: rules.read(rules.positiveFinite, "target", options.target),
    every: rules.read(rules.interval, "every", options.every)
  })
