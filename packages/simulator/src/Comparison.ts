/**
 * Policies against one another on the same workloads and seeds, and whether they reach a goal.
 *
 * @since 0.1.0
 */
import type { ConcurrencySettings } from "@autoscaled-pool/core/ConcurrencySettings"
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Contestant } from "./Contestants.ts"
import * as Oracle from "./Oracle.ts"
import * as Score from "./Score.ts"
import type { SensorFaults } from "./SensorFaults.ts"
import * as Simulation from "./Simulation.ts"
import * as Workload from "./Workload.ts"

/**
 * A run with what the best fixed concurrency does on the same workload, and its score.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScoredRun {
  readonly result: Simulation.SimulationResult
  readonly oracle: Oracle.Oracle
  readonly score: Score.Score
}

/**
 * Runs every contestant on every workload with every seed, workload by workload.
 *
 * **Details**
 *
 * - `contestants`, `workloads`: who and what.
 * - `seeds`: default one, 1.
 * - `settings`: of all pools, below those of a contestant.
 * - `duration`: default each workload's.
 * - `sensorFaults`: default none but a little noise.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (options: {
  readonly contestants: ReadonlyArray<Contestant>
  readonly workloads: ReadonlyArray<Workload.Workload>
  readonly seeds?: ReadonlyArray<number> | undefined
  readonly settings?: Partial<ConcurrencySettings> | undefined
  readonly duration?: Duration.Input | undefined
  readonly sensorFaults?: SensorFaults | undefined
}): Stream.Stream<ScoredRun, InvalidOptionsError> => {
  const { contestants, duration, seeds = [1], sensorFaults, settings, workloads } = options
  const runsOf = (workload: Workload.Workload) =>
    Stream.unwrap(
      Effect.map(Oracle.find(workload), (oracle) =>
        Stream.fromIterable(contestants.flatMap((contestant) =>
          seeds.map((seed) => ({ contestant, seed }))
        )).pipe(
          Stream.mapEffect(({ contestant, seed }) =>
            Effect.map(
              Simulation.run({
                workload,
                policy: contestant.policy,
                settings: { ...settings, ...contestant.settings },
                seed,
                duration,
                sensorFaults
              }),
              (result): ScoredRun => ({ result, oracle, score: Score.of(result, oracle) })
            )
          )
        ))
    )
  const lasting = duration === undefined ? workloads : workloads.map((each) => Workload.lasting(each, duration))
  return Stream.flatMap(Stream.fromIterable(lasting), runsOf)
}

/**
 * How a policy did over all, on the workloads that always have a task to start.
 *
 * **Details**
 *
 * - `runs`: how many runs that was.
 * - `score`, `efficiency`, `overTime`: means over the workloads, each the mean of its seeds.
 * - `lowDecile`: the score that nine of ten workloads reach.
 * - `worstScore`, `worstOverTime`: of the workload that did worst.
 * - `kills`: how often memory ran out, in all.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  readonly runs: number
  readonly score: number
  readonly lowDecile: number
  readonly worstScore: number
  readonly efficiency: number
  readonly overTime: number
  readonly worstOverTime: number
  readonly kills: number
}

/**
 * Sums up the runs of one policy.
 *
 * @category scoring
 * @since 0.1.0
 */
export const summarize = (runs: ReadonlyArray<ScoredRun>): Summary => {
  const closed = runs.filter(({ score }) => score.efficiency !== undefined)
  const byWorkload = Object.values(Arr.groupBy(closed, ({ result }) => result.workload.name))
    .map((runs) => ({
      score: mean(runs.map((run) => run.score.score)),
      efficiency: mean(runs.map((run) => run.score.efficiency ?? 0)),
      overTime: mean(runs.map((run) => run.score.overTime))
    }))
  const scores = byWorkload.map(({ score }) => score).toSorted((a, b) => a - b)
  return {
    runs: closed.length,
    score: mean(scores),
    lowDecile: scores[Math.floor(scores.length / 10)] ?? NaN,
    worstScore: scores[0] ?? NaN,
    efficiency: mean(byWorkload.map(({ efficiency }) => efficiency)),
    overTime: mean(byWorkload.map(({ overTime }) => overTime)),
    worstOverTime: Math.max(...byWorkload.map(({ overTime }) => overTime)),
    kills: closed.reduce((kills, { score }) => kills + score.kills, 0)
  }
}

/**
 * What a policy has to reach; what is left out does not matter.
 *
 * **Details**
 *
 * - `score`, `lowDecile`, `worstScore`: at least this.
 * - `overTime`, `worstOverTime`, `kills`: at most this.
 *
 * @category goals
 * @since 0.1.0
 */
export interface Goals {
  readonly score?: number | undefined
  readonly lowDecile?: number | undefined
  readonly worstScore?: number | undefined
  readonly overTime?: number | undefined
  readonly worstOverTime?: number | undefined
  readonly kills?: number | undefined
}

/**
 * The goals on the reference workloads.
 *
 * @category goals
 * @since 0.1.0
 */
export const referenceGoals = { score: 0.94, worstScore: 0.89, overTime: 0.03, worstOverTime: 0.1, kills: 0 } as const

/**
 * The goals on a hundred generated workloads that nobody tuned to.
 *
 * @category goals
 * @since 0.1.0
 */
export const generatedGoals = { score: 0.85, lowDecile: 0.7, kills: 2 } as const

/**
 * The goals that a summary misses, a sentence each; none where it reaches them all.
 *
 * @category goals
 * @since 0.1.0
 */
export const misses = (summary: Summary, goals: Goals = referenceGoals): ReadonlyArray<string> => {
  const check = (name: keyof Goals, isReached: (value: number, goal: number) => boolean, wanted: string) => {
    const goal = goals[name]
    return goal === undefined || isReached(summary[name], goal)
      ? []
      : [`${name} is ${Number(summary[name].toFixed(3))}, ${wanted} ${goal} is wanted`]
  }
  const atLeast = (name: keyof Goals) => check(name, (value, goal) => value >= goal, "at least")
  const atMost = (name: keyof Goals) => check(name, (value, goal) => value <= goal, "at most")
  return [
    ...atLeast("score"),
    ...atLeast("lowDecile"),
    ...atLeast("worstScore"),
    ...atMost("overTime"),
    ...atMost("worstOverTime"),
    ...atMost("kills")
  ]
}

const mean = (values: ReadonlyArray<number>): number =>
  values.length === 0 ? NaN : values.reduce((sum, value) => sum + value, 0) / values.length
