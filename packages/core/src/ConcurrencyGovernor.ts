/**
 * The budget: how many tasks are desired, how many are in flight, and whether one more may start.
 *
 * Every pool has a budget of its own. Where several pools, or other effects, use the same machine, one governor is the
 * budget of all: its policy finds how much the machine can bear, and each consumer gets its share of that.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as ConcurrencySettings from "./ConcurrencySettings.ts"
import { GovernorHandle } from "./internal/budget/governorHandle.ts"
import * as sharedBudget from "./internal/budget/sharedBudget.ts"
import { accept } from "./internal/options/refusal.ts"
import * as rules from "./internal/options/rules.ts"
import type { InvalidOptionsError } from "./InvalidOptionsError.ts"
import * as ScalingPolicy from "./ScalingPolicy.ts"
import type { SystemInfo, SystemStatus } from "./SystemStatus.ts"

/**
 * What keeps one more task from starting.
 *
 * **Details**
 *
 * - `AtDesired`: as many tasks are in flight as are desired; under a shared governor, or it is another consumer's turn.
 * - `AtOwnMaximum`: under a shared governor, as many of the consumer's own tasks are in flight as it allows itself.
 * - `HeldForHeavier`: free permits are kept for a task that takes several and is next.
 * - `Overloaded`: a signal is overloaded and the minimum is running.
 * - `StartAllowanceSpent`: the policy's allowance until its next decision is used up and the minimum is running.
 * - `RateLimited`: the cap on starts per minute has no token.
 *
 * @category models
 * @since 0.1.0
 */
export type Closed =
  | "AtDesired"
  | "AtOwnMaximum"
  | "HeldForHeavier"
  | "Overloaded"
  | "StartAllowanceSpent"
  | "RateLimited"

/**
 * What happens to the budget, for whoever wants to tell.
 *
 * @category models
 * @since 0.1.0
 */
export type GovernorEvent =
  | (ScalingPolicy.DecisionRecord & { readonly _tag: "DesiredChanged" })
  | { readonly _tag: "OverloadBegan"; readonly signals: ReadonlyArray<string> }
  | { readonly _tag: "OverloadEnded" }
  | { readonly _tag: "SettingsChanged"; readonly settings: ConcurrencySettings.ConcurrencySettings }

/**
 * What a consumer may ask for.
 *
 * **Details**
 *
 * - `name`: what the state calls it, default `"effects"`.
 * - `share`: its weight among the consumers, a number above 0, default 1. One with twice the share gets twice as many permits
 *   while both have enough to do.
 * - `minConcurrency`: permits that it gets before anyone gets more than this, an integer of at least 0, default 0.
 * - `maxConcurrency`: permits that it uses at most, an integer of at least 1, default no limit.
 * - `maxTasksPerMinute`: its starts per minute, a number above 0, default no limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerOptions {
  readonly name?: string | undefined
  readonly share?: number | undefined
  readonly minConcurrency?: number | undefined
  readonly maxConcurrency?: number | undefined
  readonly maxTasksPerMinute?: number | undefined
}

/**
 * What one consumer has of the budget.
 *
 * **Details**
 *
 * - `name`: of the consumer or of the pool.
 * - `share`: permits that it is owed while it has enough to do; what others leave is lent to it besides.
 * - `inFlight`: its tasks that run.
 * - `permits`: permits that they use.
 * - `waiting`: effects that wait for permits; of a pool 1 while it has something to start and may not.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerState {
  readonly name: string
  readonly share: number
  readonly inFlight: number
  readonly permits: number
  readonly waiting: number
}

/**
 * What a governor is doing.
 *
 * **Details**
 *
 * - `desired`: how many permits there are.
 * - `inUse`: how many of them are in use.
 * - `settings`: the bounds in force.
 * - `system`: the verdict in force.
 * - `lastDecision`: what the policy decided last, and why.
 * - `consumers`: who takes part at the moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface GovernorState {
  readonly desired: number
  readonly inUse: number
  readonly settings: ConcurrencySettings.ConcurrencySettings
  readonly system: SystemInfo
  readonly lastDecision: ScalingPolicy.ScalingDecision | undefined
  readonly consumers: ReadonlyArray<ConsumerState>
}

/**
 * A part of the budget under which effects run.
 *
 * **Details**
 *
 * - `withPermit`: runs an effect with one permit, for which it waits.
 * - `withPermits`: the same with several; more than there are count as all of them.
 * - `state`: what it has of the budget.
 *
 * @category models
 * @since 0.1.0
 */
export interface Consumer {
  readonly withPermit: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly withPermits: (permits: number) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly state: Effect.Effect<ConsumerState>
}

/**
 * A budget that pools and effects share. Nobody outside can write to it; {@link make} builds it.
 *
 * **Details**
 *
 * - `withPermit`, `withPermits`: run an effect under the budget, as a consumer of share 1 that all such effects make up.
 * - `consumer`: a consumer of its own, for as long as the scope lasts. When that closes, effects that wait under it die and
 *   say so; those that run go on.
 * - `configure`: changes the bounds at once, without interrupting anything; a refused change changes nothing.
 * - `state`: what it is doing, and who has what of it.
 *
 * A pool joins by its option `governor`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConcurrencyGovernor {
  readonly withPermit: Consumer["withPermit"]
  readonly withPermits: Consumer["withPermits"]
  readonly consumer: (options?: ConsumerOptions) => Effect.Effect<Consumer, InvalidOptionsError, Scope.Scope>
  readonly configure: (
    change: Partial<ConcurrencySettings.ConcurrencySettings>
  ) => Effect.Effect<void, InvalidOptionsError>
  readonly state: Effect.Effect<GovernorState>
}

/**
 * Builds a governor, which lives as long as the scope. When that closes, runs under it and effects that wait for it die and
 * say so, so open it around all of them.
 *
 * **Details**
 *
 * - `settings`: the bounds of the whole budget; a field that is left out takes its default (`ConcurrencySettings`).
 * - `policy`: the control law, default that of Crawlee, `ScalingPolicy.stepRatio`. It is asked while anything takes part,
 *   and sees all consumers as one pool: totals in permits, durations as if the mix of tasks were the usual one.
 *
 * Who is next: what a consumer is owed by its share comes first; where shares are no whole numbers the rest goes by turns;
 * what nobody needs is lent, and comes back as tasks end. Nothing is saved up while there is nothing to do. A task that
 * takes several permits is not overtaken for ever. A task that awaits another one of the same governor lends it its own
 * permits. A lower `desired` interrupts nobody.
 *
 * **Example** (Two kinds of work under one budget)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, ConcurrencyGovernor, SystemStatus } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const governor = yield* ConcurrencyGovernor.make({ maxConcurrency: 8 })
 *   const fetched = AutoscaledPool.forEach([1, 2, 3], (page) => Effect.succeed(page * 10), { governor, share: 2 })
 *   const parsed = AutoscaledPool.forEach(["a", "b"], (text) => Effect.succeed(text.length), { governor })
 *   const backup = governor.withPermit(Effect.succeed("done"))
 *   return yield* Effect.all([fetched, parsed, backup], { concurrency: "unbounded" })
 * })
 *
 * await Effect.runPromise(Effect.provide(Effect.scoped(program), SystemStatus.layerTest))
 * // => [[10, 20, 30], [1, 1], "done"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  settings: Partial<ConcurrencySettings.ConcurrencySettings> = {},
  options: { readonly policy?: ScalingPolicy.ScalingPolicy | undefined } = {}
): Effect.Effect<ConcurrencyGovernor, InvalidOptionsError, SystemStatus | Scope.Scope> =>
  Effect.gen(function*() {
    const valid = yield* ConcurrencySettings.make(settings)
    const policy = options.policy ?? ScalingPolicy.stepRatio()
    yield* Effect.fromResult(rules.read(rules.aPolicy, "policy", policy))
    return new GovernorHandle(yield* sharedBudget.make(valid, yield* Effect.fromResult(accept(policy))))
  })

/**
 * The tag of the governor that a program shares.
 *
 * @category services
 * @since 0.1.0
 */
export const ConcurrencyGovernor: Context.Service<ConcurrencyGovernor, ConcurrencyGovernor> = Context.Service<
  ConcurrencyGovernor
>("@autoscaled-pool/core/ConcurrencyGovernor")

/**
 * Provides the governor that a program shares; its options are those of {@link make}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  ...options: Parameters<typeof make>
): Layer.Layer<ConcurrencyGovernor, InvalidOptionsError, SystemStatus> =>
  Layer.effect(ConcurrencyGovernor, make(...options))
