import { ConcurrencySettings, type LoadSignal, type ScalingPolicy } from "@autoscaled-pool/core"
import { Duration, Schema } from "effect"
import { initial as initialModel } from "../../../packages/core/src/internal/adaptive/model/model.ts"
import type { Reading } from "../../../packages/core/src/internal/adaptive/model/reading.ts"
import * as tasks from "../../../packages/core/src/internal/adaptive/model/tasks.ts"
import type { Phase, Verdict } from "../../../packages/core/src/internal/adaptive/stages/phases.ts"
import type { View } from "../../../packages/core/src/internal/adaptive/view.ts"

export const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

export const signal = (load: number, options: Partial<LoadSignal.SignalInfo> = {}): LoadSignal.SignalInfo => ({
  limitRatio: 0.4,
  actualRatio: 0,
  isOverloaded: false,
  isStale: false,
  load,
  own: load,
  target: 0.9,
  ...options
})

export const stats = (count: number, options: Partial<ScalingPolicy.CompletionStats> = {}) => ({
  count,
  failures: 0,
  timeouts: 0,
  rejections: 0,
  meanDuration: 0,
  varianceDuration: 0,
  ...options
})

/** What is known of tasks that have all lasted so long, once so many have finished. */
export const known = (duration: number, finished = 200) =>
  tasks.observe(tasks.initial, stats(finished, { meanDuration: duration }))

export const observation = (
  { signals = {}, ...options }:
    & Partial<ScalingPolicy.Observation>
    & { readonly signals?: Readonly<Record<string, LoadSignal.SignalInfo>> } = {}
): ScalingPolicy.Observation => {
  const all = Object.values(signals)
  const info = {
    signals,
    isSystemIdle: !all.some(({ isOverloaded }) => isOverloaded),
    isStale: all.some(({ isStale }) => isStale),
    createdAt: options.now ?? 0
  }
  return {
    now: 0,
    settings: ConcurrencySettings.defaults,
    desired: 10,
    current: 10,
    meanConcurrency: 10,
    saturatedShare: 1,
    currentInfo: info,
    historicalInfo: info,
    completions: stats(0),
    fresh: stats(0),
    inFlightAges: [],
    ...options
  }
}

/** What tasks meet at a time: all of it may change between two decisions. */
export interface Conditions {
  /** Tasks that there are to run; default as many as may. */
  readonly demand?: number
  /** Milliseconds that a task takes where it need not wait. */
  readonly duration: number
  /** How many tasks at once are served without waiting. */
  readonly knee?: number
  /** How many tasks are accepted at once; the others are rejected. */
  readonly accepted?: number
  /** The share of each signal's limit that a task uses, and that others use. */
  readonly uses?: Readonly<Record<string, readonly [perTask: number, others: number]>>
  readonly isStale?: boolean
}

export interface Step {
  readonly at: number
  readonly inFlight: number
  readonly decision: ScalingPolicy.ScalingDecision
}

/**
 * Drives a policy with a fluid in place of tasks: durations, use and completions are what they are on average, so that a
 * run depends on the policy alone.
 */
export const drive = <S>(
  policy: ScalingPolicy.ScalingPolicy<S>,
  seconds: number,
  conditionsAt: (second: number) => Conditions,
  options: {
    readonly settings?: Partial<ConcurrencySettings.ConcurrencySettings>
    readonly copy?: (state: S) => S
    readonly seen?: (observation: ScalingPolicy.Observation) => void
  } = {}
): ReadonlyArray<Step> => {
  const settings = { ...ConcurrencySettings.defaults, ...options.settings }
  const every = Duration.toMillis(policy.every)
  const steps: Array<Step> = []
  let state = policy.initial(settings)
  let desired = settings.desiredConcurrency
  let inFlight = 0
  let unfinished = 0
  let completions = stats(0)
  for (let now = 0; now <= seconds * 1000; now += every) {
    const conditions = conditionsAt(now / 1000)
    const { accepted = Infinity, demand = Infinity, knee = Infinity, uses = {} } = conditions
    const served = Math.min(inFlight, accepted)
    // What wants more of a resource than others leave of it takes longer.
    const crowding = Object.values(uses).map(([perTask, others]) => inFlight * perTask / (1 - others))
    const duration = conditions.duration * Math.max(1, served / knee, ...crowding)
    const seen = observation({
      now,
      settings,
      desired,
      current: Math.round(inFlight),
      meanConcurrency: inFlight,
      saturatedShare: inFlight >= 0.9 * desired ? 1 : 0,
      signals: Object.fromEntries(
        Object.entries(uses).map(([name, [perTask, others]]) => {
          const own = Math.min(1 - others, inFlight * perTask)
          return [name, signal(own + others, { own, isStale: conditions.isStale ?? false })]
        })
      ),
      completions,
      inFlightAges: Array.from(
        { length: Math.round(inFlight) },
        (_, i) => duration * (1 - (i + 0.5) / Math.round(inFlight))
      )
    })
    options.seen?.(seen)
    const [decision, next] = policy.decide(state, seen)
    state = options.copy === undefined ? next : options.copy(next)
    desired = Math.min(settings.maxConcurrency, Math.max(settings.minConcurrency, Math.floor(decision.desired)))
    steps.push({ at: now / 1000, inFlight, decision })
    const wanted = Math.min(desired, demand)
    // What ended is replaced; what is more than that, the allowance limits.
    const ended = unfinished + served * every / duration
    const rejected = Math.max(0, Math.min(wanted, inFlight + (decision.startAllowance ?? Infinity)) - accepted)
    const started = Math.min(Math.max(0, wanted - inFlight + ended), decision.startAllowance ?? Infinity)
    inFlight = Math.max(0, Math.min(wanted, inFlight - ended + started))
    unfinished = ended % 1
    completions = stats(Math.floor(ended) + Math.ceil(rejected), {
      rejections: Math.ceil(rejected),
      meanDuration: Math.floor(ended) > 0 ? duration : 0
    })
  }
  return steps
}

export const desiredAt = (steps: ReadonlyArray<Step>, second: number): number =>
  steps.findLast(({ at }) => at <= second)?.decision.desired ?? 0

export const meanDesired = (steps: ReadonlyArray<Step>, from: number, to: number): number => {
  const those = steps.filter(({ at }) => at >= from && at <= to)
  return those.reduce((sum, { decision }) => sum + decision.desired, 0) / those.length
}

/** What a service with a knee answers at a level. */
export const readingAt = (concurrency: number, knee: number, count = 100, duration = 300): Reading => ({
  concurrency,
  duration: duration * Math.max(1, concurrency / knee),
  count
})

/** What a stage of the adaptive law sees: tasks of 300 ms in a pool that makes use of its limit, and no limit but 200. */
export const viewOf = (options: Partial<View> = {}): View => ({
  elapsed: 250,
  settled: 60_000,
  isShaken: false,
  time: 300,
  turnover: 300,
  variation: 0.5,
  hidden: 0,
  isSaturated: true,
  haveLossesMoved: false,
  observation: observation(),
  model: initialModel,
  limits: {},
  lowest: { name: "maxConcurrency", concurrency: 200 },
  least: 1,
  ...options
})

/** Decides with a stage until it has a reading of the level, which a service answers so. */
export const answered = <P extends Phase>(
  step: (phase: P, level: number, view: View) => Verdict,
  phase: P,
  level: number,
  { concurrency, duration }: Reading,
  options: Partial<View> = {}
): Verdict => {
  let at = phase
  for (let i = 0; i < 400; i++) {
    const view = viewOf({
      ...options,
      elapsed: 1000,
      observation: observation({
        current: Math.round(concurrency),
        meanConcurrency: concurrency,
        // As many end as Little's law has it.
        completions: stats(1000 * concurrency / duration, { meanDuration: duration })
      })
    })
    const verdict = step(at, level, view)
    const { phase } = verdict
    const goesOn = "measurement" in phase && phase.measurement !== null && verdict.measurement === "keep"
    if (!goesOn) return verdict
    at = phase as P // a stage that goes on measuring stays itself
  }
  throw new Error("the stage never had a reading")
}
