/**
 * Control laws: from what was observed of a pool and of the system, the concurrency that is desired next.
 *
 * A policy is a pure step from one state to the next, so that it can be simulated, replayed and property-tested; all
 * that is windowed, timed or measured is done by the `ConcurrencyGovernor` that asks it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ConcurrencySettings } from "./ConcurrencySettings.ts"
import type { AdaptiveOptions } from "./internal/policies/adaptive.ts"
import * as adaptiveLaw from "./internal/policies/adaptive.ts"
import type { AimdOptions } from "./internal/policies/aimd.ts"
import * as aimdLaw from "./internal/policies/aimd.ts"
import type { GradientOptions } from "./internal/policies/gradient.ts"
import * as gradientLaw from "./internal/policies/gradient.ts"
import { ownPolicy, policyOf } from "./internal/policies/policyOf.ts"
import type { StepRatioOptions } from "./internal/policies/stepRatio.ts"
import * as stepRatioLaw from "./internal/policies/stepRatio.ts"
import type { VegasOptions } from "./internal/policies/vegas.ts"
import * as vegasLaw from "./internal/policies/vegas.ts"
import type { InvalidOptionsError } from "./InvalidOptionsError.ts"
import type { SystemInfo } from "./SystemStatus.ts"

export type { AdaptiveOptions, AimdOptions, GradientOptions, StepRatioOptions, VegasOptions }

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
 * A change of the desired concurrency, or a decision to leave it, and what it rested on.
 *
 * **Details**
 *
 * - `at`: monotonic milliseconds.
 * - `policy`: the name of the policy.
 * - `from`, `to`: the desired concurrency before and after.
 * - `loads`: the load and the target of each signal at that moment, by its name.
 *
 * @category models
 * @since 0.1.0
 */
export interface DecisionRecord extends ScalingDecision {
  readonly at: number
  readonly policy: string
  readonly from: number
  readonly to: number
  readonly loads: Readonly<Record<string, { readonly load: number; readonly target: number }>>
}

/**
 * How many decisions there were, by what they did to the desired concurrency and by the signal that limited it; `none`
 * where none did.
 *
 * @category models
 * @since 0.1.0
 */
export type DecisionCounts = {
  readonly [Direction in "up" | "down" | "hold"]: Readonly<Record<string, number>>
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
 *   close the gate by itself, unless it is exhausted; default `false`. A policy that holds each `load` at its `target` needs
 *   this, for there a signal is overloaded half of the time.
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
 * What `ScalingPolicy.make` takes: the fields of a {@link ScalingPolicy}, with `every` as any duration, longer than 0.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyOptions<S> extends Omit<ScalingPolicy<S>, "every"> {
  readonly every: Duration.Input
}

/**
 * A law of one's own, checked: a name, an interval and a ratio that can be.
 *
 * **When to use** {@link makeUnsafe} where the options are constants of a program.
 *
 * **Example** (Half of what the CPU leaves)
 *
 * ```ts import.meta.vitest
 * import { ScalingPolicy } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const policy = ScalingPolicy.make({
 *   name: "half",
 *   every: "1 second",
 *   initial: () => undefined,
 *   decide: (state, { currentInfo, desired }) => {
 *     const next = currentInfo.isSystemIdle ? desired + 1 : Math.ceil(desired / 2)
 *     return [{ desired: next, reason: { summary: "one more while idle, half of it while not" } }, state]
 *   }
 * })
 *
 * const made = await Effect.runPromise(policy)
 * made.name // => "half"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <S>(options: PolicyOptions<S>): Effect.Effect<ScalingPolicy<S>, InvalidOptionsError> =>
  Effect.suspend(() => Effect.fromResult(ownPolicy(options)))

/**
 * A law of one's own, as {@link make} makes it; an invalid option throws an `InvalidOptionsError`.
 *
 * **Example** (A concurrency that never changes)
 *
 * ```ts import.meta.vitest
 * import { ScalingPolicy } from "@autoscaled-pool/core"
 *
 * const policy = ScalingPolicy.makeUnsafe({
 *   name: "fixed",
 *   every: "10 seconds",
 *   initial: () => undefined,
 *   decide: (state, { desired }) => [{ desired, reason: { summary: "as it was set" } }, state]
 * })
 * policy.name // => "fixed"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <S>(options: PolicyOptions<S>): ScalingPolicy<S> => Result.getOrThrow(ownPolicy(options))

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
 * An invalid option is an `InvalidOptionsError` of whatever is built with the policy, and of whoever asks it.
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
  policyOf("stepRatio", stepRatioLaw.make(options))

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
 *   use. An event loop may be 6 % busier than its target while its signal is never overloaded. Memory is foreseen: what
 *   running tasks still owe, and how far their use strays, stay free below the target; what runs must fit even if nothing
 *   more starts; and `startAllowance` bounds the starts until the next decision.
 * - *Cold start*: whatever the start value, tasks are let in by doubling until some have finished.
 * - *Slow start*: doubles until duration grows as fast as concurrency, at which throughput no longer does (Little's law),
 *   and lands on the bandwidth-delay product, as TCP BBR does.
 * - *Following a ceiling*: while a resource binds, its ceiling is followed both ways, up only as long as use does rise.
 * - *Steady*: tries a little above and below now and then, and moves on evidence: where a regression of duration on
 *   concurrency says that more gains throughput, or that less loses none. A rise of durations that fewer tasks do not
 *   cure is no congestion and cuts nothing. A pool that has too little to do keeps its limit.
 * - *Collapse*: where as many tasks as before twice get far less done, it goes back to where more was served, and sees
 *   there whether that was congestion.
 * - *Losses*: rejections, timeouts and failures never count as throughput. They cut to what is being served; from there
 *   up to below where they began, and beyond with growing pauses. The slot of a rejected task cools down.
 *   Where a cut has not lessened losses, up to a tenth of all tasks is put up with.
 *
 * A signal that stops reporting forbids growth. Every decision's `reason` tells the phase, the ceilings and which binds.
 * An invalid option is an `InvalidOptionsError` of whatever is built with the policy, and of whoever asks it.
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
export const adaptive = (options: AdaptiveOptions = {}): ScalingPolicy =>
  policyOf("adaptive", adaptiveLaw.make(options))

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
export const aimd = (options: AimdOptions = {}): ScalingPolicy<number> => policyOf("aimd", aimdLaw.make(options))

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
export const vegas = (options: VegasOptions = {}): ScalingPolicy => policyOf("vegas", vegasLaw.make(options))

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
export const gradient = (options: GradientOptions = {}): ScalingPolicy =>
  policyOf("gradient", gradientLaw.make(options))
