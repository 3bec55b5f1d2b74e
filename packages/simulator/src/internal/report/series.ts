/**
 * A run at the resolution of the page: means over equal stretches of time, and the decisions that say something new.
 */
import type { ScalingReason } from "@autoscaled-pool/core/ScalingPolicy"
import type { DecisionPoint, SimulationResult, TracePoint } from "../simulationResult.ts"

const stretches = 450

export interface Series {
  readonly inFlight: ReadonlyArray<number>
  readonly desired: ReadonlyArray<number>
  /** The loads by signal, and the tasks that wait. */
  readonly lanes: Readonly<Record<string, ReadonlyArray<number>>>
  readonly kills: ReadonlyArray<number>
  /** From which stretch on, and what the policy said. */
  readonly reasons: ReadonlyArray<readonly [stretch: number, text: string]>
}

export const of = ({ decisions, kills, trace, workload }: SimulationResult): Series => {
  const count = Math.max(1, Math.min(stretches, trace.length))
  const stretchOf = (at: number) => Math.min(count - 1, Math.floor((at / workload.duration) * count))
  const buckets: Array<Array<TracePoint>> = Array.from({ length: count }, () => [])
  for (const point of trace) buckets[stretchOf(point.at)].push(point)
  const meanOf = (value: (point: TracePoint) => number, digits: number) =>
    buckets.map((points, index) => {
      const known = points.length > 0 ? points : (buckets[index - 1] ?? [])
      const sum = known.reduce((sum, point) => sum + value(point), 0)
      return Number((sum / Math.max(1, known.length)).toFixed(digits))
    })
  const names = [...new Set(trace.flatMap(({ loads }) => Object.keys(loads)))]
  const lanes = names.map((name) => [name, meanOf(({ loads }) => loads[name] ?? 0, 3)] as const)
  return {
    inFlight: meanOf(({ inFlight }) => inFlight, 1),
    desired: meanOf(({ desired }) => desired, 1),
    lanes: { ...Object.fromEntries(lanes), waiting: meanOf(({ waiting }) => waiting, 0) },
    kills,
    reasons: reasonsOf(decisions, stretchOf)
  }
}

/** Of each stretch, the decision that moved most; of those, the ones that differ from the one before. */
const reasonsOf = (
  decisions: ReadonlyArray<DecisionPoint>,
  stretchOf: (at: number) => number
): ReadonlyArray<readonly [number, string]> => {
  const chosen = new Map<number, DecisionPoint>()
  for (const decision of decisions) {
    const stretch = stretchOf(decision.at)
    const rival = chosen.get(stretch)
    if (rival === undefined || moveOf(decision) >= moveOf(rival)) chosen.set(stretch, decision)
  }
  const reasons: Array<readonly [number, string]> = []
  for (const [stretch, { decision, desired }] of chosen) {
    const text = `${desired} → ${Math.floor(decision.desired)}: ${spell(decision.reason)}`
    if (text !== reasons.at(-1)?.[1]) reasons.push([stretch, text])
  }
  return reasons
}

const moveOf = ({ decision, desired }: DecisionPoint): number => Math.abs(Math.floor(decision.desired) - desired)

const spell = ({ bindingSignal, ceilings, phase, summary }: ScalingReason): string => {
  const parts = [summary]
  if (phase !== undefined) parts.push(`phase: ${phase}`)
  if (bindingSignal !== undefined) parts.push(`bound by ${bindingSignal}`)
  const allowed = Object.entries(ceilings ?? {}).filter(([, ceiling]) => Number.isFinite(ceiling))
  if (allowed.length > 0) {
    parts.push(`allowed: ${allowed.map(([name, ceiling]) => `${name} ${Math.floor(ceiling)}`).join(", ")}`)
  }
  return parts.join(" · ")
}
