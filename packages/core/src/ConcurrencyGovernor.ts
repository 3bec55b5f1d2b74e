/**
 * The budget of a pool: how many tasks are desired, how many are in flight, and whether one more may start.
 *
 * Checking and booking a start is one synchronous step, so that the budget cannot be overdrawn. The governor follows the
 * verdicts of the `SystemStatus`, asks the `ScalingPolicy`, and wakes whoever dispatches when what closed the gate is
 * over; it never polls.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as ConcurrencySettings from "./ConcurrencySettings.ts"
import { CompletionTally, type TaskOutcome } from "./internal/budget/completionTally.ts"
import { ConcurrencyMeter, type ConcurrencyTotals } from "./internal/budget/concurrencyMeter.ts"
import { StartPace } from "./internal/budget/startPace.ts"
import { reader as monotonicReader } from "./internal/time/monotonic.ts"
import { afterNextBeat } from "./internal/time/steadyPace.ts"
import type { InvalidOptionsError } from "./InvalidOptionsError.ts"
import type { Observation, ScalingDecision, ScalingPolicy, ScalingReason } from "./ScalingPolicy.ts"
import { type SystemInfo, SystemStatus } from "./SystemStatus.ts"

/**
 * What keeps one more task from starting.
 *
 * **Details**
 *
 * - `AtDesired`: as many tasks are in flight as are desired.
 * - `Overloaded`: a signal is overloaded and the minimum is running.
 * - `StartAllowanceSpent`: the policy's allowance until its next decision is used up and the minimum is running.
 * - `RateLimited`: the cap on starts per minute has no token.
 *
 * @category models
 * @since 0.1.0
 */
export type Closed = "AtDesired" | "Overloaded" | "StartAllowanceSpent" | "RateLimited"

/**
 * What happens to the budget, for whoever wants to tell.
 *
 * @category models
 * @since 0.1.0
 */
export type GovernorEvent =
  | { readonly _tag: "DesiredChanged"; readonly from: number; readonly to: number; readonly reason: ScalingReason }
  | { readonly _tag: "OverloadBegan"; readonly signals: ReadonlyArray<string> }
  | { readonly _tag: "OverloadEnded" }
  | { readonly _tag: "SettingsChanged"; readonly settings: ConcurrencySettings.ConcurrencySettings }

/**
 * Who dispatches on this budget.
 *
 * **Details**
 *
 * - `wake`: the gate may be open again, or closed now; called synchronously, must not start tasks itself.
 * - `report`: something happened to the budget.
 * - `ages`: milliseconds since the start of each running task, oldest first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dispatching {
  readonly wake: () => void
  readonly report: (event: GovernorEvent) => void
  readonly ages: (now: number) => ReadonlyArray<number>
}

/**
 * The budget itself; {@link make} builds it.
 *
 * **Details**
 *
 * The members whose names end in `Unsafe` are the synchronous half, for whoever dispatches. `now` is always monotonic
 * milliseconds of the `Clock`.
 *
 * @category models
 * @since 0.1.0
 */
export class ConcurrencyGovernor {
  private readonly policy: ScalingPolicy
  private readonly status: SystemStatus["Service"]
  private readonly now: () => number
  /** @internal */
  readonly meter: ConcurrencyMeter
  /** Tasks that ended since the last decision, by whether they started before or after `desired` last changed. */
  private earlier = new CompletionTally()
  private fresh = new CompletionTally()
  private sinceDecision: ConcurrencyTotals
  private readonly pace: StartPace
  private policyState: unknown
  private verdict: SystemInfo
  private allowance = Infinity
  private desiredSince: number
  /** What `current` must stay below for a start, as things stand apart from the allowance and the rate cap. */
  private cap = 0
  private dispatching: Dispatching = nobody

  /** The settings in force. */
  settings: ConcurrencySettings.ConcurrencySettings
  /** How many tasks should be in flight. */
  desired: number
  /** How many tasks are in flight. */
  current = 0
  /** What the policy decided last. */
  lastDecision: ScalingDecision | undefined

  /** @internal */
  constructor(
    settings: ConcurrencySettings.ConcurrencySettings,
    policy: ScalingPolicy,
    status: SystemStatus["Service"],
    verdict: SystemInfo,
    now: () => number
  ) {
    this.settings = settings
    this.policy = policy
    this.status = status
    this.verdict = verdict
    this.now = now
    this.desired = settings.desiredConcurrency
    this.desiredSince = now()
    this.meter = new ConcurrencyMeter(now())
    this.sinceDecision = this.meter.totals(now())
    this.pace = new StartPace(settings.maxTasksPerMinute)
    this.policyState = policy.initial(settings)
    this.setGate(now())
  }

  /** Whether one more task may start. */
  isOpenUnsafe(now: number): boolean {
    return this.current < this.cap && this.pace.nextToken <= now &&
      (this.allowance >= 1 || this.current < this.settings.minConcurrency)
  }

  /** Why one more task may not start, or `undefined` where it may. */
  closedByUnsafe(now: number): Closed | undefined {
    if (this.current >= this.desired) return "AtDesired"
    if (this.current >= this.settings.minConcurrency) {
      if (this.isHeldBack) return "Overloaded"
      if (this.allowance < 1) return "StartAllowanceSpent"
    }
    return this.pace.nextToken > now ? "RateLimited" : undefined
  }

  /** How many tasks may start now, as far as is known now. */
  freeUnsafe(now: number): number {
    if (this.pace.nextToken > now) return 0
    const toMinimum = Math.max(0, this.settings.minConcurrency - this.current)
    const aboveMinimum = this.isHeldBack ? 0 : Math.max(0, Math.floor(this.allowance))
    const starts = Math.min(this.desired - this.current, Math.max(toMinimum, aboveMinimum))
    return this.settings.maxTasksPerMinute === Infinity ? starts : Math.min(1, starts)
  }

  /** Books a start. Call it in the same step in which the gate was seen open. */
  bookUnsafe(now: number): void {
    this.current++
    this.allowance--
    this.pace.take(now)
    this.meter.change(now, this.current)
  }

  /** Ends what `bookUnsafe` began. */
  releaseUnsafe(now: number, startedAt: number, outcome: TaskOutcome, wasRejected: boolean): void {
    this.current--
    this.meter.change(now, this.current)
    const tally = startedAt >= this.desiredSince ? this.fresh : this.earlier
    if (outcome === "Succeeded" && !wasRejected) tally.serve(now - startedAt)
    else tally.count(outcome, wasRejected)
  }

  /** When the rate cap has a token again. */
  nextTokenAtUnsafe(): number {
    return this.pace.nextToken
  }

  /** The signals that are overloaded by the verdict in force. */
  overloadedUnsafe(): ReadonlyArray<string> {
    return overloadedSignals(this.verdict)
  }

  /** The verdict in force. */
  verdictUnsafe(): SystemInfo {
    return this.verdict
  }

  /** Applies a change of settings at once, or refuses it and changes nothing. No running task is interrupted. */
  configure(
    change: Partial<ConcurrencySettings.ConcurrencySettings>
  ): Effect.Effect<void, InvalidOptionsError> {
    return Effect.map(
      Effect.suspend(() => ConcurrencySettings.change(this.settings, change)),
      (settings) => this.apply(settings, change.desiredConcurrency)
    )
  }

  /** Makes `dispatching` the one to wake and to tell; gives back how to end that. */
  attachUnsafe(dispatching: Dispatching): () => void {
    this.dispatching = dispatching
    return () => {
      this.dispatching = nobody
    }
  }

  /** Readies the budget for a run: begins to observe, reads the verdict, asks a policy that decides at the start. */
  readonly prepare: Effect.Effect<void> = Effect.suspend(() => {
    this.observeAfresh(this.now())
    if (this.policy.decidesAtStart === true) return this.decide
    return Effect.map(this.status.current, (info) => this.follow(info))
  })

  /** Follows the verdicts of the status and asks the policy at its pace. A defect of the policy ends it. */
  readonly regulate: Effect.Effect<void> = Effect.suspend(() =>
    Effect.all([this.followVerdicts, this.askPolicy], { concurrency: 2, discard: true })
  )

  private readonly followVerdicts: Effect.Effect<void> = Effect.suspend(() =>
    Stream.runForEach(this.status.changes, (info) => Effect.sync(() => this.follow(info)))
  )

  private readonly decide: Effect.Effect<void> = Effect.suspend(() =>
    Effect.zipWith(this.status.current, this.status.historical, (currentInfo, historicalInfo) => {
      this.follow(currentInfo)
      const [decision, state] = this.policy.decide(this.policyState, this.observe(currentInfo, historicalInfo))
      this.policyState = state
      this.enact(decision, currentInfo.isStale || historicalInfo.isStale)
    })
  )

  private readonly askPolicy: Effect.Effect<unknown> = Effect.suspend(() => {
    const { boundsStarts, every } = this.policy
    // What bounds starts by single samples must know how many tasks they are samples of: those in flight right now.
    if (boundsStarts === true) return Effect.forever(Effect.andThen(afterNextBeat(every), this.decide))
    return Effect.schedule(this.decide, Schedule.spaced(every))
  })

  /** Whether an overloaded signal keeps all but the minimum from starting. */
  private get isHeldBack(): boolean {
    return !this.verdict.isSystemIdle && this.policy.boundsStarts !== true
  }

  private observe(currentInfo: SystemInfo, historicalInfo: SystemInfo): Observation {
    const now = this.now()
    const observation: Observation = {
      now,
      settings: this.settings,
      desired: this.desired,
      current: this.current,
      meanConcurrency: this.meter.meanSince(this.sinceDecision, now),
      saturatedShare: this.meter.saturatedShareSince(this.sinceDecision, now),
      currentInfo,
      historicalInfo,
      completions: sumOf(this.earlier, this.fresh).stats(),
      fresh: this.fresh.stats(),
      inFlightAges: this.dispatching.ages(now)
    }
    this.observeAfresh(now)
    return observation
  }

  private enact(decision: ScalingDecision, isStale: boolean): void {
    if (Number.isNaN(decision.desired) || Number.isNaN(decision.startAllowance)) {
      throw new Error(`ScalingPolicy "${this.policy.name}" decided on a concurrency that is not a number`)
    }
    this.lastDecision = decision
    this.allowance = decision.startAllowance ?? Infinity
    // Where a signal has stopped reporting nothing is known of its resource: what runs may go on, but not grow.
    const most = isStale ? this.desired : Infinity
    this.desire(Math.min(most, Math.floor(decision.desired)), decision.reason)
    this.dispatching.wake()
  }

  private desire(concurrency: number, reason: ScalingReason): void {
    const from = this.desired
    const to = ConcurrencySettings.clamp(this.settings, concurrency)
    if (to === from) return
    const now = this.now()
    this.desired = to
    this.desiredSince = now
    // What was fresh until now is not any more.
    this.earlier = sumOf(this.earlier, this.fresh)
    this.fresh = new CompletionTally()
    this.setGate(now)
    this.dispatching.report({ _tag: "DesiredChanged", from, to, reason })
  }

  private apply(settings: ConcurrencySettings.ConcurrencySettings, desired: number = this.desired): void {
    this.settings = settings
    this.pace.limit(settings.maxTasksPerMinute)
    this.dispatching.report({ _tag: "SettingsChanged", settings })
    this.desire(desired, { summary: "the settings were changed" })
    this.setGate(this.now())
    this.dispatching.wake()
  }

  private follow(info: SystemInfo): void {
    const before = this.verdict
    this.verdict = info
    if (before.isSystemIdle === info.isSystemIdle) return
    this.setGate(this.now())
    this.dispatching.report(
      info.isSystemIdle ? { _tag: "OverloadEnded" } : { _tag: "OverloadBegan", signals: overloadedSignals(info) }
    )
    this.dispatching.wake()
  }

  private observeAfresh(now: number): void {
    this.sinceDecision = this.meter.totals(now)
    this.earlier = new CompletionTally()
    this.fresh = new CompletionTally()
  }

  private setGate(now: number): void {
    this.cap = this.isHeldBack ? Math.min(this.desired, this.settings.minConcurrency) : this.desired
    this.meter.saturateAt(now, (this.policy.desiredConcurrencyRatio ?? 0.9) * this.desired)
  }
}

const sumOf = (a: CompletionTally, b: CompletionTally): CompletionTally => {
  const sum = new CompletionTally()
  a.addTo(sum)
  b.addTo(sum)
  return sum
}

const nobody: Dispatching = { wake: () => {}, report: () => {}, ages: () => [] }

const overloadedSignals = (info: SystemInfo): ReadonlyArray<string> =>
  Object.keys(info.signals).filter((name) => info.signals[name].isOverloaded)

/**
 * Builds a governor that starts with `settings.desiredConcurrency` and asks `policy` how to go on.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly settings: ConcurrencySettings.ConcurrencySettings
  readonly policy: ScalingPolicy
}): Effect.Effect<ConcurrencyGovernor, never, SystemStatus> =>
  Effect.gen(function*() {
    const status = yield* SystemStatus
    const now = yield* monotonicReader
    return new ConcurrencyGovernor(options.settings, options.policy, status, yield* status.current, now)
  })
