/**
 * One consumer of a budget: what a pool asks before it starts a task, and tells when one has ended.
 *
 * The members whose names end in `Unsafe` are synchronous. `now` is always monotonic milliseconds of the `Clock`.
 */
import * as Effect from "effect/Effect"
import type { Closed } from "../../ConcurrencyGovernor.ts"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import { type SystemInfo, SystemStatus } from "../../SystemStatus.ts"
import type { DecisionCounts, DecisionRecord, ScalingPolicy } from "../policies/scalingModel.ts"
import { reader as monotonicReader } from "../time/monotonic.ts"
import type { TaskOutcome } from "./completionTally.ts"
import type { ConcurrencyMeter } from "./concurrencyMeter.ts"
import { type Dispatching, nobody } from "./dispatching.ts"
import { Gate } from "./gate.ts"
import { ObservationWindow } from "./observationWindow.ts"
import { overloadedIn, Regulator } from "./regulator.ts"

export class BudgetConsumer {
  readonly prepare: Effect.Effect<void>
  readonly regulate: Effect.Effect<void>
  readonly meter: ConcurrencyMeter
  private readonly gate: Gate
  private readonly window: ObservationWindow
  private readonly regulator: Regulator
  private readonly attention: SystemStatus["Service"]["attention"]
  private dispatching: Dispatching = nobody

  constructor(
    settings: ConcurrencySettings,
    policy: ScalingPolicy,
    status: SystemStatus["Service"],
    verdict: SystemInfo,
    now: () => number
  ) {
    this.attention = status.attention
    this.gate = new Gate(settings)
    this.window = new ObservationWindow(now())
    this.meter = this.window.meter
    this.regulator = new Regulator({
      policy,
      status,
      verdict,
      gate: this.gate,
      window: this.window,
      now,
      dispatching: {
        wake: () => this.dispatching.wake(),
        report: (event) => this.dispatching.report(event),
        ages: (now) => this.dispatching.ages(now)
      }
    })
    this.prepare = this.regulator.prepare
    this.regulate = this.regulator.regulate
  }

  /** The settings in force. */
  get settings(): ConcurrencySettings {
    return this.gate.settings
  }

  /** How many tasks should be in flight. */
  get desired(): number {
    return this.gate.desired
  }

  /** How many tasks are in flight. */
  get current(): number {
    return this.gate.current
  }

  /** What the policy decided last. */
  get lastDecision(): DecisionRecord | undefined {
    return this.regulator.lastDecision
  }

  /** The name of the policy. */
  get policy(): string {
    return this.regulator.policy.name
  }

  /** All decisions of the policy so far. */
  decisionsUnsafe(): DecisionCounts {
    return this.regulator.decisions.read()
  }

  /** Whether one more task may start. */
  isOpenUnsafe(now: number): boolean {
    return this.gate.isOpen(now)
  }

  /** Why one more task may not start, or `undefined` where it may. */
  closedByUnsafe(now: number): Closed | undefined {
    return this.gate.closedBy(now)
  }

  /** How many tasks may start now, as far as is known now. */
  freeUnsafe(now: number): number {
    return this.gate.free(now)
  }

  /** Books a start. Call it in the same step in which the gate was seen open. */
  bookUnsafe(now: number): void {
    this.gate.book(now)
    if (this.gate.current === 1) {
      this.attention?.beginUnsafe()
      this.regulator.wakeUnsafe()
    }
    this.meter.change(now, this.gate.current)
  }

  /** Ends what `bookUnsafe` began. */
  releaseUnsafe(now: number, startedAt: number, outcome: TaskOutcome, wasRejected: boolean): void {
    this.gate.release()
    if (this.gate.current === 0) this.attention?.endUnsafe()
    this.meter.change(now, this.gate.current)
    this.window.end(now, startedAt, outcome, wasRejected)
  }

  /** When the rate cap has a token again. */
  nextTokenAtUnsafe(): number {
    return this.gate.nextToken
  }

  /** The signals that are overloaded by the verdict in force. */
  overloadedUnsafe(): ReadonlyArray<string> {
    return overloadedIn(this.regulator.verdict)
  }

  /** The verdict in force. */
  verdictUnsafe(): SystemInfo {
    return this.regulator.verdict
  }

  /** Applies a change of settings at once, or refuses it and changes nothing. No running task is interrupted. */
  configure(change: Partial<ConcurrencySettings>): Effect.Effect<void, InvalidOptionsError> {
    return this.regulator.configure(change)
  }

  /** Makes `dispatching` the one to wake and to tell; gives back how to end that. */
  attachUnsafe(dispatching: Dispatching): () => void {
    this.dispatching = dispatching
    return () => {
      this.dispatching = nobody
    }
  }
}

/** The only consumer of a budget of its own. */
export const makePrivate = Effect.fnUntraced(function*(settings: ConcurrencySettings, policy: ScalingPolicy) {
  const status = yield* SystemStatus
  const now = yield* monotonicReader
  return new BudgetConsumer(settings, policy, status, yield* status.current, now)
})
