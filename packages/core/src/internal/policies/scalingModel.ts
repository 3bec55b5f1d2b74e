/**
 * What a control law is given, and what it answers.
 */
import type * as Duration from "effect/Duration"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { SystemInfo } from "../../SystemStatus.ts"

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
 *   close the gate by itself, unless it is exhausted; default `false`. A policy that holds each `load` at its `target` needs this, for there a
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
 * What `ScalingPolicy.make` takes: the fields of a {@link ScalingPolicy}, with `every` as any duration, longer than 0.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyOptions<S> extends Omit<ScalingPolicy<S>, "every"> {
  readonly every: Duration.Input
}
