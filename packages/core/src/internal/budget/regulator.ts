/**
 * Drives the policy of a budget: follows the verdicts of the `SystemStatus`, asks the policy at its pace, and enacts what
 * it decides on the gate.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as ConcurrencySettings from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { DecisionRecord, Observation, ScalingDecision, ScalingPolicy } from "../../ScalingPolicy.ts"
import type { SystemInfo, SystemStatus } from "../../SystemStatus.ts"
import { afterBeats } from "../time/steadyPace.ts"
import * as format from "../views/format.ts"
import { DecisionTally } from "./decisionTally.ts"
import type { Dispatching } from "./dispatching.ts"
import type { Gate } from "./gate.ts"
import type { ObservationWindow } from "./observationWindow.ts"

export class Regulator {
  /** What the policy decided last. */
  lastDecision: DecisionRecord | undefined
  /** All decisions of the policy so far. */
  readonly decisions = new DecisionTally()
  /** The verdict in force. */
  verdict: SystemInfo
  readonly policy: ScalingPolicy
  private readonly status: SystemStatus["Service"]
  private readonly gate: Gate
  private readonly window: ObservationWindow
  private readonly now: () => number
  private readonly dispatching: Dispatching
  private readonly whenActive: Effect.Effect<void>
  private policyState: unknown
  /** Open while there is something to decide on that was not there at the last decision. */
  private readonly news = Latch.makeUnsafe(true)

  constructor(options: {
    readonly policy: ScalingPolicy
    readonly status: SystemStatus["Service"]
    readonly verdict: SystemInfo
    readonly gate: Gate
    readonly window: ObservationWindow
    readonly now: () => number
    readonly dispatching: Dispatching
    /** Waits until there is something to decide on. */
    readonly whenActive: Effect.Effect<void>
  }) {
    this.policy = options.policy
    this.status = options.status
    this.verdict = options.verdict
    this.gate = options.gate
    this.window = options.window
    this.now = options.now
    this.dispatching = options.dispatching
    this.whenActive = options.whenActive
    this.policyState = this.policy.initial(this.gate.settings)
    this.gate.holdBack(this.holdsBack(this.verdict))
    this.setSaturation()
  }

  /** Begins to observe, reads the verdict, and asks a policy that decides at the start. */
  readonly prepare: Effect.Effect<void> = Effect.suspend(() => {
    this.window.clear(this.now())
    if (this.policy.decidesAtStart === true) return this.decide
    return Effect.map(this.status.current, (info) => this.follow(info))
  })

  /** Follows the verdicts of the status and asks the policy at its pace. A defect of the policy ends it. */
  readonly regulate: Effect.Effect<void> = Effect.suspend(() =>
    Effect.all([
      this.followVerdicts,
      Effect.schedule(this.policy.boundsStarts === true ? this.decideOnNews : this.decideInTurn, paceOf(this.policy))
    ], {
      concurrency: 2,
      discard: true
    })
  )

  /** Applies a change of settings at once, or refuses it and changes nothing. No running task is interrupted. */
  configure(
    change: Partial<ConcurrencySettings.ConcurrencySettings>
  ): Effect.Effect<void, InvalidOptionsError> {
    return Effect.map(
      Effect.suspend(() => ConcurrencySettings.change(this.gate.settings, change)),
      (settings) => {
        this.gate.bound(settings)
        this.dispatching.report({ _tag: "SettingsChanged", settings })
        const desired = change.desiredConcurrency ?? this.gate.desired
        this.desire(desired, { desired, reason: { summary: "the settings were changed" } })
        this.dispatching.wake()
      }
    )
  }

  private readonly followVerdicts: Effect.Effect<void> = Effect.suspend(() =>
    Stream.runForEach(this.status.changes, (info) =>
      Effect.sync(() => {
        this.news.openUnsafe()
        this.follow(info)
      }))
  )

  private readonly decide: Effect.Effect<void> = Effect.suspend(() =>
    Effect.zipWith(this.status.current, this.status.historical, (currentInfo, historicalInfo) => {
      this.follow(currentInfo)
      this.news.closeUnsafe()
      const [decision, state] = this.policy.decide(this.policyState, this.observe(currentInfo, historicalInfo))
      this.policyState = state
      this.enact(decision, currentInfo.isStale || historicalInfo.isStale)
    })
  )

  /** Whatever samples in the same turn goes first. */
  private readonly decideInTurn: Effect.Effect<void> = Effect.suspend(() =>
    Effect.yieldNow.pipe(Effect.andThen(this.whenActive), Effect.andThen(this.decide))
  )

  /** With nothing in flight, samples rest, and so does a policy that decides on each of them: it waits for the next one. */
  private readonly decideOnNews = Effect.suspend(() =>
    this.gate.current > 0 || this.news.isOpen() ? this.decideInTurn : this.news.await
  )

  /** A task has started after there was none. */
  wakeUnsafe(): void {
    this.news.openUnsafe()
  }

  private observe(currentInfo: SystemInfo, historicalInfo: SystemInfo): Observation {
    const now = this.now()
    const observation: Observation = {
      now,
      settings: this.gate.settings,
      desired: this.gate.desired,
      current: this.gate.current,
      ...this.window.read(now),
      currentInfo,
      historicalInfo,
      inFlightAges: this.dispatching.ages(now)
    }
    this.window.clear(now)
    return observation
  }

  private enact(decision: ScalingDecision, isStale: boolean): void {
    if (Number.isNaN(decision.desired) || Number.isNaN(decision.startAllowance)) {
      throw new Error(`ScalingPolicy "${this.policy.name}" decided on a concurrency that is not a number`)
    }
    this.gate.allow(decision.startAllowance ?? Infinity)
    // Where a signal has stopped reporting nothing is known of its resource: what runs may go on, but not grow.
    const most = isStale ? this.gate.desired : Infinity
    this.lastDecision = this.desire(Math.min(most, Math.floor(decision.desired)), decision)
    this.decisions.count(this.lastDecision)
    this.dispatching.wake()
  }

  /** Sets the desired concurrency, and tells of it where that changed something. */
  private desire(concurrency: number, decision: ScalingDecision): DecisionRecord {
    const from = this.gate.desired
    const hasChanged = this.gate.desire(concurrency)
    const at = this.now()
    const record = {
      ...decision,
      at,
      policy: this.policy.name,
      from,
      to: this.gate.desired,
      loads: loadsIn(this.verdict)
    }
    if (!hasChanged) return record
    this.window.refresh(at)
    this.setSaturation()
    this.dispatching.report({ _tag: "DesiredChanged", ...record })
    return record
  }

  private follow(info: SystemInfo): void {
    const before = this.verdict
    this.verdict = info
    if (exhaustedIn(info).length > 0 && exhaustedIn(before).length === 0) this.retreat(info)
    const isHeldBack = this.holdsBack(info)
    if (before.isSystemIdle === info.isSystemIdle && isHeldBack === this.gate.isHeldBack) return
    this.gate.holdBack(isHeldBack)
    if (before.isSystemIdle !== info.isSystemIdle) {
      this.dispatching.report(
        info.isSystemIdle ? { _tag: "OverloadEnded" } : { _tag: "OverloadBegan", signals: overloadedIn(info) }
      )
    }
    this.dispatching.wake()
  }

  /**
   * What was in flight was too much: as many must not start at once beside it when there is room again. A policy that
   * bounds starts lets them in by and by.
   */
  private retreat(info: SystemInfo): void {
    if (this.policy.boundsStarts === true || this.gate.current >= this.gate.desired) return
    const names = exhaustedIn(info)
    const summary =
      `${format.list(names)} ${names.length === 1 ? "is" : "are"} exhausted with ${this.gate.current} in ` +
      `flight, and no more are desired`
    const desired = this.gate.current
    this.lastDecision = this.desire(desired, { desired, reason: { summary, bindingSignal: names[0] } })
  }

  /** Whether an overloaded signal keeps all but the minimum from starting, which an exhausted one does in any policy. */
  private holdsBack(info: SystemInfo): boolean {
    if (info.isSystemIdle) return false
    return this.policy.boundsStarts !== true || exhaustedIn(info).length > 0
  }

  private setSaturation(): void {
    this.window.meter.saturateAt(this.now(), (this.policy.desiredConcurrencyRatio ?? 0.9) * this.gate.desired)
  }
}

/** What bounds starts by single samples must know how many tasks they are samples of: those in flight right then. */
const paceOf = ({ boundsStarts, every }: ScalingPolicy): Schedule.Schedule<unknown> =>
  boundsStarts === true ? afterBeats(every) : Schedule.spaced(every)

/** The signals that are overloaded by a verdict. */
export const overloadedIn = (info: SystemInfo): ReadonlyArray<string> =>
  Object.keys(info.signals).filter((name) => info.signals[name].isOverloaded)

const exhaustedIn = ({ signals }: SystemInfo): ReadonlyArray<string> =>
  Object.keys(signals).filter((name) => signals[name].isExhausted === true)

const loadsIn = ({ signals }: SystemInfo): DecisionRecord["loads"] =>
  Object.fromEntries(Object.entries(signals).map(([name, { load, target }]) => [name, { load, target }]))
