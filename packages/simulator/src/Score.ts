/**
 * How well a run did against the best fixed concurrency.
 *
 * @since 0.1.0
 */
import type { Oracle, PhaseOptimum } from "./Oracle.ts"
import type { SimulationResult } from "./Simulation.ts"
import * as Workload from "./Workload.ts"

/**
 * The figures of one run.
 *
 * **Details**
 *
 * - `score`: `min(1, efficiency) * (1 - overTime) * (1 - lost) * 0.9 ^ kills`; 1 is perfect. Where tasks arrive by
 *   themselves the efficiency depends on them and counts as 1.
 * - `efficiency`: successes over those of the best fixed concurrency of each phase; `undefined` where tasks arrive by
 *   themselves.
 * - `overTime`: the share of time with more than 1.5 times the knee, and one, in flight.
 * - `lost`: the share of tasks that were refused, timed out or killed.
 * - `kills`: how often memory ran out.
 * - `peakMemory`: the most that was in use, as a share of the limit.
 * - `oscillation`: standard deviation over mean of what was in flight in the second half of each phase, averaged.
 * - `settling`: for each phase, seconds until a window of 10 seconds, or of 30 tasks, reached 90 % of the best
 *   throughput; `undefined` where none did.
 * - `inflation`: mean duration of a task over that at the knee.
 * - `waits`: mean and 95th percentile of the seconds that a task waited for its start; `undefined` where there is always
 *   a task to start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Score {
  readonly score: number
  readonly efficiency: number | undefined
  readonly overTime: number
  readonly lost: number
  readonly kills: number
  readonly peakMemory: number
  readonly oscillation: number
  readonly settling: ReadonlyArray<number | undefined>
  readonly inflation: number
  readonly waits: { readonly mean: number; readonly p95: number } | undefined
}

/**
 * Scores a run against the oracle of its workload.
 *
 * @category scoring
 * @since 0.1.0
 */
export const of = (result: SimulationResult, oracle: Oracle): Score => {
  const spans = spansOf(result, oracle)
  const isOpen = result.workload.arrivals.length > 0
  const efficiency = isOpen ? undefined : result.succeeded.length / sum(spans.map(idealOf))
  const overTime = overTimeOf(spans)
  const lost = result.lost / Math.max(1, result.succeeded.length + result.lost)
  const kills = result.kills.length
  return {
    score: Math.min(1, efficiency ?? 1) * (1 - overTime) * (1 - lost) * 0.9 ** kills,
    efficiency,
    overTime,
    lost,
    kills,
    peakMemory: result.peakMemory,
    oscillation: mean(spans.map(oscillationOf)),
    settling: isOpen ? [] : spans.map(settlingOf(result.succeeded)),
    inflation: (result.meanDuration * sum(spans.map(idealOf))) /
      sum(spans.map((s) => idealOf(s) * s.optimum.kneeDuration)),
    waits: isOpen ? { mean: mean(result.waits) / 1000, p95: percentile(result.waits, 0.95) / 1000 } : undefined
  }
}

/** One phase as it went. */
interface Span {
  readonly from: number
  readonly to: number
  readonly optimum: PhaseOptimum
  readonly inFlight: ReadonlyArray<number>
}

const spansOf = ({ trace, workload }: SimulationResult, oracle: Oracle): ReadonlyArray<Span> =>
  Workload.phaseEnds(workload).map((to, index) => {
    const from = workload.phases[index].startsAt
    const inFlight = trace.filter(({ at }) => at > from && at <= to).map((point) => point.inFlight)
    return { from, to, optimum: oracle.phases[index], inFlight }
  })

const idealOf = ({ from, optimum, to }: Span): number => (optimum.throughput * (to - from)) / 1000

const overTimeOf = (spans: ReadonlyArray<Span>): number => {
  const over = spans.map(({ inFlight, optimum }) => inFlight.filter((n) => n > 1.5 * optimum.knee + 1).length)
  return sum(over) / Math.max(1, sum(spans.map(({ inFlight }) => inFlight.length)))
}

const oscillationOf = ({ inFlight }: Span): number => {
  const half = inFlight.slice(Math.floor(inFlight.length / 2))
  const middle = mean(half)
  return middle === 0 ? 0 : Math.sqrt(mean(half.map((n) => (n - middle) ** 2))) / middle
}

const settlingOf = (succeeded: ReadonlyArray<number>) => ({ from, optimum, to }: Span): number | undefined => {
  const window = Math.max(10_000, 30_000 / optimum.throughput)
  const enough = 0.9 * optimum.throughput * (window / 1000)
  const times = succeeded.filter((at) => at >= from && at < to)
  let left = 0
  let right = 0
  for (let end = from + window; end <= to; end += 1000) {
    while (right < times.length && times[right] <= end) right++
    while (left < right && times[left] <= end - window) left++
    if (right - left >= enough) return (end - window / 2 - from) / 1000
  }
  return undefined
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const mean = (values: ReadonlyArray<number>): number => values.length === 0 ? 0 : sum(values) / values.length

const percentile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(share * values.length)] ?? 0
