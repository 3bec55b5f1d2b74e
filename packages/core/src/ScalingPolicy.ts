/**
 * Control laws: from what was observed of a pool and of the system, the concurrency that is desired next.
 *
 * A policy is a pure step from one state to the next, so that it can be simulated, replayed and property-tested; all
 * that is windowed, timed or measured is done by the `ConcurrencyGovernor` that asks it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { ConcurrencySettings } from "./ConcurrencySettings.ts"
import * as adaptiveLaw from "./internal/policies/adaptive.ts"
import * as aimdLaw from "./internal/policies/aimd.ts"
import * as gradientLaw from "./internal/policies/gradient.ts"
import * as stepRatioLaw from "./internal/policies/stepRatio.ts"
import * as vegasLaw from "./internal/policies/vegas.ts"
import type { SystemInfo } from "./SystemStatus.ts"

/**
 * What ended since a moment.
 *
 * **Details**
 *
 * - `count`: tasks that ended, however they did.
 * - `failures`: of those, the ones that failed.
 * - `timeouts`: of those, the ones that `onTaskTimeout` absorbed.
 * - `rejections`: of those, the ones that reported a rate-limit answer (`ClientErrors.report`).
 * - `meanDuration`, `varianceDuration`: of those that succeeded without meeting a rate limit, in milliseconds and
 *   milliseconds squared; 0 where there are none.
 *
 * @category models
 * @since 0.1.0
 */
export interface CompletionStats {
  readonly count: number
  readonly failures: number
  readonly timeouts: number
  readonly rejections: number
  readonly meanDuration: number
  readonly varianceDuration: number
}

/**
 * What a policy sees at a decision.
 *
 * **Details**
 *
 * - `now`: monotonic milliseconds.
 * - `settings`: the bounds in force.
 * - `desired`: the concurrency desired until now.
 * - `current`: tasks in flight now.
 * - `meanConcurrency`: tasks in flight, time-weighted, since the last decision.
 * - `saturatedShare`: the share of that time, 0 to 1, in which `current >= desiredConcurrencyRatio * desired`.
 * - `currentInfo`, `historicalInfo`: the verdicts of the `SystemStatus`.
 * - `completions`: tasks that ended since the last decision.
 * - `fresh`: of those, the ones that started after `desired` last changed.
 * - `inFlightAges`: milliseconds since the start of each running task, oldest first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observation {
  readonly now: number
  readonly settings: ConcurrencySettings
  readonly desired: number
  readonly current: number
  readonly meanConcurrency: number
  readonly saturatedShare: number
  readonly currentInfo: SystemInfo
  readonly historicalInfo: SystemInfo
  readonly completions: CompletionStats
  readonly fresh: CompletionStats
  readonly inFlightAges: ReadonlyArray<number>
}

/**
 * Why a policy decided as it did, for a person to read.
 *
 * **Details**
 *
 * - `summary`: one sentence.
 * - `phase`: the state of the law (`"steady"`, `"slow start"`, ...), where it has several.
 * - `bindingSignal`: the name of the signal that limits, where one does.
 * - `ceilings`: the concurrency that each signal allows, by name, where the law computes one.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScalingReason {
  readonly summary: string
  readonly phase?: string | undefined
  readonly bindingSignal?: string | undefined
  readonly ceilings?: Readonly<Record<string, number>> | undefined
}

/**
 * What a policy decides.
 *
 * **Details**
 *
 * - `desired`: the concurrency to aim at; whoever applies it rounds down and clamps into the bounds.
 * - `startAllowance`: how many tasks may start before the next decision; no bound where it is left out.
 * - `reason`: why.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScalingDecision {
  readonly desired: number
  readonly startAllowance?: number | undefined
  readonly reason: ScalingReason
}

/**
 * A control law with a state of its own.
 *
 * **Details**
 *
 * - `name`: for logs and reports.
 * - `every`: how often `decide` is asked; the first time this long after the run begins.
 * - `decidesAtStart`: whether `decide` is asked before the first task of a run as well, default `false`.
 * - `boundsStarts`: whether `startAllowance` takes the place of the current verdict: then an overloaded signal does not
 *   close the gate by itself, default `false`. A policy that holds each `load` at its `target` needs this, for there a
 *   signal is overloaded half of the time.
 * - `desiredConcurrencyRatio`: the share of `desired` that counts as saturated in observations, default 0.9.
 * - `initial`: the state to begin with.
 * - `decide`: the next decision and the next state; must be pure.
 *
 * @category models
 * @since 0.1.0
 */
// The state is private to the policy: whoever holds a policy of unknown state only hands back what it was given, which
// no type but `any` lets a policy of a known state be assigned to.
// oxlint-disable-next-line typescript/no-explicit-any
export interface ScalingPolicy<S = any> {
  readonly name: string
  readonly every: Duration.Duration
  readonly decidesAtStart?: boolean | undefined
  readonly boundsStarts?: boolean | undefined
  readonly desiredConcurrencyRatio?: number | undefined
  readonly initial: (settings: ConcurrencySettings) => S
  readonly decide: (state: S, observation: Observation) => readonly [ScalingDecision, S]
}

/**
 * Options of {@link stepRatio}.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 10 seconds.
 * - `desiredConcurrencyRatio`: the share of `desired` that must be in flight before it grows, 0 to 1, default 0.9.
 * - `scaleUpStepRatio`, `scaleDownStepRatio`: the share of `desired` to move by, above 0 and at most 1, default 0.05.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepRatioOptions {
  readonly every?: Duration.Input | undefined
  readonly desiredConcurrencyRatio?: number | undefined
  readonly scaleUpStepRatio?: number | undefined
  readonly scaleDownStepRatio?: number | undefined
}

/**
 * The default law, Crawlee's: one step up while the system has been idle and the concurrency is used, one step down
 * while it has not been idle.
 *
 * **Details**
 *
 * On the historical verdict: up by `ceil(scaleUpStepRatio * desired)` if it is idle, `desired` is below the maximum and
 * `current >= floor(desiredConcurrencyRatio * desired)`; down by `ceil(scaleDownStepRatio * desired)` if it is not idle
 * and `desired` is above the minimum; clamped into the bounds. A stale signal forbids a step up. The formula is that of
 * apify/crawlee, `autoscaled_pool.ts`.
 *
 * An option that cannot be throws an `InvalidOptionsError`; the options of a pool are checked before they come here.
 *
 * **Example** (Making larger steps more often)
 *
 * ```ts import.meta.vitest
 * import { ScalingPolicy } from "@autoscaled-pool/core"
 *
 * const policy = ScalingPolicy.stepRatio({ every: "1 second", scaleUpStepRatio: 0.25 })
 * policy.name // => "stepRatio"
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const stepRatio = (options: StepRatioOptions = {}): ScalingPolicy<undefined> =>
  Result.getOrThrow(stepRatioLaw.make(options))

/**
 * Options of {@link adaptive}. What to aim at is no option of the law but the `target` of each signal.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 250 milliseconds, as often as memory is sampled.
 * - `memoryHeadroom`: the share of the memory signal's target to leave free, 0 to 1, default 0.05. More where a task's
 *   footprint can be many times the usual one.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveOptions {
  readonly every?: Duration.Input | undefined
  readonly memoryHeadroom?: number | undefined
}

/**
 * Finds the concurrency at which throughput is best, within what each resource can bear, and stays there.
 *
 * **When to use**
 *
 * Where neither the machine nor the services that tasks call are known well enough to fix a number, or where they change.
 *
 * **Details**
 *
 * - *Ceilings*: each signal says how many tasks bring its `load` to its `target`: `n * (target - others) / own`, as the
 *   Kubernetes horizontal autoscaler does. Others' use is subtracted, but half of a target stays ours however much they
 *   use. Memory is foreseen: what running tasks still owe, and how far their use strays, stay free below the target, and
 *   `startAllowance` bounds the starts until the next decision.
 * - *Cold start*: whatever the start value, tasks are let in by doubling until some have finished.
 * - *Slow start*: doubles until duration grows as fast as concurrency, at which throughput no longer does (Little's law),
 *   and lands on the bandwidth-delay product, as TCP BBR does.
 * - *Following a ceiling*: while a resource binds, its ceiling is followed both ways, up only as long as use does rise.
 * - *Steady*: tries a little above and below now and then, and moves on evidence: where a regression of duration on
 *   concurrency says that more gains throughput, or that less loses none. A rise of durations that fewer tasks do not
 *   cure is no congestion and cuts nothing. A pool that has too little to do keeps its limit.
 * - *Losses*: rejections, timeouts and failures never count as throughput. They cut to what is being served; from there
 *   up to below where they began, and beyond with growing pauses. The slot of a rejected task cools down.
 *
 * A signal that stops reporting forbids growth. Every decision's `reason` tells the phase, the ceilings and which binds.
 * An option that cannot be throws an `InvalidOptionsError`.
 *
 * **Example** (Leaving more memory free)
 *
 * ```ts import.meta.vitest
 * import { ScalingPolicy } from "@autoscaled-pool/core"
 *
 * const policy = ScalingPolicy.adaptive({ memoryHeadroom: 0.2 })
 * policy.name // => "adaptive"
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const adaptive = (options: AdaptiveOptions = {}): ScalingPolicy => Result.getOrThrow(adaptiveLaw.make(options))

/**
 * Options of {@link aimd}.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 1 second.
 * - `decreaseRatio`: what a loss multiplies the limit by, above 0 and at most 1, default 0.9.
 *
 * @category models
 * @since 0.1.0
 */
export interface AimdOptions {
  readonly every?: Duration.Input | undefined
  readonly decreaseRatio?: number | undefined
}

/**
 * Additive increase, multiplicative decrease: one more as long as nothing is lost, a tenth less where something is.
 *
 * **Details**
 *
 * A rejection, a timeout or a failure since the last decision: `limit = floor(0.9 * limit)`. Else, if at least half of
 * the limit was in use: `limit + 1`. It knows neither resources nor durations, so that it fits a service that refuses
 * what is too much, and nothing else. The formula is that of Netflix/concurrency-limits, `AIMDLimit.java`, taken once per
 * decision instead of once per task.
 *
 * **Example** (Giving way faster)
 *
 * ```ts import.meta.vitest
 * import { ScalingPolicy } from "@autoscaled-pool/core"
 *
 * ScalingPolicy.aimd({ decreaseRatio: 0.5 }).name // => "aimd"
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const aimd = (options: AimdOptions = {}): ScalingPolicy<number> => Result.getOrThrow(aimdLaw.make(options))

/**
 * Options of {@link vegas}.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 1 second.
 *
 * @category models
 * @since 0.1.0
 */
export interface VegasOptions {
  readonly every?: Duration.Input | undefined
}

/**
 * The law of TCP Vegas: estimates from durations how many tasks queue, and keeps that number between two bounds.
 *
 * **Details**
 *
 * With the shortest mean duration `W0` so far, the mean `W` since the last change (of at least 10 tasks) and
 * `s = max(1, log10(limit))`, the queue is `ceil(limit * (1 - W0 / W))`. Up to `s`: `limit + 6s`; below `3s`:
 * `limit + s`; above `6s`, or after a loss: `limit - s`. No change while less than half of the limit is in use. `W0` is
 * measured anew after `30 * limit` tasks. The formula is that of Netflix/concurrency-limits, `VegasLimit.java`, on means
 * instead of single durations. A mix of short and long tasks looks like a queue to it.
 *
 * **Example** (Deciding less often)
 *
 * ```ts import.meta.vitest
 * import { ScalingPolicy } from "@autoscaled-pool/core"
 *
 * ScalingPolicy.vegas({ every: "5 seconds" }).name // => "vegas"
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const vegas = (options: VegasOptions = {}): ScalingPolicy => Result.getOrThrow(vegasLaw.make(options))

/**
 * Options of {@link gradient}.
 *
 * **Details**
 *
 * - `every`: time between two decisions, longer than 0, default 1 second.
 * - `tolerance`: by what durations may exceed their long-term mean before the limit shrinks, above 0, default 1.5.
 * - `queueSize`: the queue that is added, in tasks, above 0, default 4.
 *
 * @category models
 * @since 0.1.0
 */
export interface GradientOptions {
  readonly every?: Duration.Input | undefined
  readonly tolerance?: number | undefined
  readonly queueSize?: number | undefined
}

/**
 * Gradient2: shrinks the limit by the ratio of the long-term to the present duration, and adds a small queue.
 *
 * **Details**
 *
 * With the mean duration `W` (of at least 10 tasks) and its exponential mean `L` over 600 decisions:
 * `g = clamp(tolerance * L / W, 0.5, 1)` and `limit = 0.8 * limit + 0.2 * (g * limit + queueSize)`. No change while less
 * than half of the limit is in use; `L` shrinks by a twentieth while it is more than twice `W`. The formula is that of
 * Netflix/concurrency-limits, `Gradient2Limit.java`. It accepts whatever grows slowly: over an hour it climbs past a
 * knee.
 *
 * **Example** (Allowing a longer queue)
 *
 * ```ts import.meta.vitest
 * import { ScalingPolicy } from "@autoscaled-pool/core"
 *
 * ScalingPolicy.gradient({ queueSize: 10 }).name // => "gradient"
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const gradient = (options: GradientOptions = {}): ScalingPolicy => Result.getOrThrow(gradientLaw.make(options))
