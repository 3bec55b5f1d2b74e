/**
 * What a decision rests on: the observation taken into the state, and what follows from both.
 */
import type { Observation } from "../../ScalingPolicy.ts"
import * as ceilings from "./ceilings.ts"
import * as collapse from "./collapse.ts"
import * as losses from "./losses.ts"
import * as measurement from "./measurement.ts"
import * as memory from "./memory.ts"
import { perTime } from "./numbers.ts"
import * as pace from "./pace.ts"
import type { Parameters, State } from "./state.ts"

/**
 * - `elapsed`, `late`: milliseconds since the last decision, and how many of these it comes late by.
 * - `isShaken`: whether the event loop has been blocked lately, so that tasks end late and together.
 * - `time`, `turnover`, `variation`: of tasks, see `Pace`.
 * - `isSaturated`: whether the limit was made use of.
 * - `ceilings`: the concurrency that each signal and losses allow.
 * - `lowest`, `urgent`: the lowest of these and the maximum, of all and of those that cannot wait.
 */
export interface View {
  readonly now: number
  readonly elapsed: number
  readonly late: number
  readonly isShaken: boolean
  readonly time: number
  readonly turnover: number
  readonly variation: number
  readonly isSaturated: boolean
  readonly observation: Observation
  readonly ceilings: Readonly<Record<string, number>>
  readonly lowest: ceilings.Bound
  readonly urgent: ceilings.Bound
  readonly least: number
}

export const perceive = (
  parameters: Parameters,
  state: State,
  observation: Observation,
  elapsed: number
): State => {
  const { completions, currentInfo, inFlightAges, now } = observation
  const known = pace.observe(state.pace, completions, elapsed)
  const late = lateness(parameters, elapsed)
  const signal = currentInfo.signals["memory"]
  return {
    ...state,
    at: now,
    blocked: perTime(elapsed, Math.max(1000, known.duration))(state.blocked, late),
    pace: known,
    uses: ceilings.observe(state.uses, observation, elapsed, known.duration),
    memories: signal === undefined
      ? state.memories
      : memory.observeLimit(state.memories, signal, inFlightAges, now, late, known),
    losses: losses.observe(state.losses, completions, now, known.duration),
    watch: collapse.observe(state.watch, observation, elapsed, known)
  }
}

export const look = (parameters: Parameters, state: State, observation: Observation, elapsed: number): View => {
  const time = pace.taskTime(state.pace, observation.inFlightAges)
  const { maxConcurrency, minConcurrency } = observation.settings
  const isSaturated = measurement.isSaturated(observation)
  const found: Record<string, number> = {}
  for (const [name, use] of Object.entries(state.uses)) {
    const signal = observation.currentInfo.signals[name]
    if (signal === undefined || signal.isStale) continue
    const ceiling = name === "memory"
      ? memory.ceiling(
        memory.of(state.memories, signal),
        signal,
        memoryAim(parameters, signal.target),
        observation.current
      )
      : ceilings.ceiling(use, { target: ceilings.aimOf(name, signal) }, state.level, isSaturated)
    if (ceiling !== undefined) found[name] = ceiling
  }
  if (state.losses.backoff !== null) found["losses"] = state.losses.backoff.cap
  return {
    now: observation.now,
    elapsed,
    late: lateness(parameters, elapsed),
    isShaken: state.blocked > shaken,
    time,
    turnover: pace.turnover(state.pace, time),
    variation: pace.variation(state.pace),
    isSaturated,
    observation,
    ceilings: found,
    lowest: ceilings.lowest(found, maxConcurrency),
    urgent: ceilings.lowest(found, maxConcurrency, ceilings.isUrgent),
    least: minConcurrency
  }
}

/** What limits. The first tasks all are at their first step: what they use says little of what a task uses. */
export const binding = ({ phase }: State, { lowest, urgent }: View): ceilings.Bound =>
  phase._tag === "ColdStart" ? urgent : lowest

/** By how many milliseconds a decision comes late, because the event loop was blocked. */
const lateness = ({ every }: Parameters, elapsed: number): number => Math.max(0, elapsed - every)

/** More of the time blocked than this, and what is measured meanwhile says little of how many tasks there may be. */
const shaken = 0.1

/** The load of memory to aim at. */
export const memoryAim = ({ memoryHeadroom }: Parameters, target: number): number => target * (1 - memoryHeadroom)

/** Past this load nothing starts: 0.38 of the way from the aim to the limit. */
export const memoryMost = (aim: number): number => partlyToLimit(aim, 0.38)

/** Past this load nothing may lead even if nothing more starts: 0.58 of that way. */
export const memoryHighest = (aim: number): number => partlyToLimit(aim, 0.58)

const partlyToLimit = (aim: number, share: number): number => aim + share * Math.max(0, 1 - aim)
