/**
 * What a policy takes to decide, with a thousand tasks in flight and a thousand ending a second.
 */
import { ConcurrencySettings, ScalingPolicy } from "@autoscaled-pool/core"
import { Duration } from "effect"
import { observation, signal, stats } from "../tests/core/policies/support.ts"
import type { Question } from "./question.ts"
import { median } from "./statistics.ts"

const inFlight = 1000
const perSecond = 1000

const settings: ConcurrencySettings.ConcurrencySettings = {
  ...ConcurrencySettings.defaults,
  desiredConcurrency: inFlight,
  maxConcurrency: 2 * inFlight
}

const inFlightAges = Array.from({ length: inFlight }, (_, i) => inFlight - i)

/** Memory moves a little, so that there is something to learn at each decision. */
const observationAt = (now: number, elapsed: number): ScalingPolicy.Observation => {
  const completions = stats(Math.round(perSecond * elapsed / 1000), { meanDuration: 1000, varianceDuration: 250_000 })
  return observation({
    now,
    settings,
    desired: inFlight,
    current: inFlight,
    meanConcurrency: inFlight,
    signals: {
      cpu: signal(0.5, { at: now }),
      memory: signal(0.6 + 0.01 * Math.sin(now), { at: now }),
      eventLoop: signal(0.4, { at: now })
    },
    completions,
    fresh: completions,
    inFlightAges
  })
}

interface Cost {
  readonly name: string
  readonly micros: number
  readonly everyMillis: number
}

const rounds = 5

const costOf = <S>(policy: ScalingPolicy.ScalingPolicy<S>, decisions: number): Cost => {
  const everyMillis = Duration.toMillis(policy.every)
  let state = policy.initial(settings)
  let now = 0
  const round = () => {
    const observations = Array.from({ length: decisions }, () => observationAt(now += everyMillis, everyMillis))
    const before = performance.now()
    for (const seen of observations) state = policy.decide(state, seen)[1]
    return (performance.now() - before) * 1000 / decisions
  }
  round()
  return { name: policy.name, everyMillis, micros: median(Array.from({ length: rounds }, round)) }
}

const shareOfCore = ({ everyMillis, micros }: Cost) => micros / 1000 / everyMillis
const microsPerTask = (cost: Cost) => shareOfCore(cost) * 1e6 / perSecond

export const decisions: Question = {
  key: "decisions",
  title: "What does it cost to decide?",
  ask: async (effort) => {
    const count = effort === "Quick" ? 20 : 1000
    const adaptive = costOf(ScalingPolicy.adaptive(), count)
    const costs = [
      adaptive,
      costOf(ScalingPolicy.stepRatio(), count),
      costOf(ScalingPolicy.gradient(), count),
      costOf(ScalingPolicy.vegas(), count),
      costOf(ScalingPolicy.aimd(), count)
    ]
    return {
      notes: [],
      tables: [{
        title: `${inFlight.toLocaleString("en")} tasks in flight, ${perSecond.toLocaleString("en")} ending a second`,
        columns: ["", "µs per decision", "decisions/s", "% of a core", "µs per task"],
        rows: costs.map((cost) => [
          cost.name,
          cost.micros.toFixed(1),
          (1000 / cost.everyMillis).toFixed(1),
          (100 * shareOfCore(cost)).toFixed(3),
          microsPerTask(cost).toFixed(3)
        ])
      }],
      goals: [
        { what: "adaptive decides", bound: "<=", limit: 0.5, unit: "% of a core", value: 100 * shareOfCore(adaptive) },
        { what: "adaptive decides", bound: "<=", limit: 2, unit: "µs per task", value: microsPerTask(adaptive) }
      ]
    }
  }
}
