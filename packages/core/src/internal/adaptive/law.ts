/**
 * The whole law: which of its parts speaks when.
 */
import type { Observation, ScalingDecision } from "../../ScalingPolicy.ts"
import * as ceilings from "./ceilings.ts"
import * as coldStart from "./coldStart.ts"
import * as collapse from "./collapse.ts"
import { describe } from "./decision.ts"
import * as losses from "./losses.ts"
import {
  add,
  begin,
  finish,
  isVoid,
  type Measurement,
  type Plan,
  planOfGrowth,
  planOfProbe,
  soFar
} from "./measurement.ts"
import * as memory from "./memory.ts"
import { clamp } from "./numbers.ts"
import * as probing from "./probing.ts"
import * as slowStart from "./slowStart.ts"
import type { Parameters, Phase, State } from "./state.ts"
import * as tracking from "./tracking.ts"
import { binding, look, perceive, type View } from "./view.ts"

export const decide = (
  parameters: Parameters,
  before: State,
  observation: Observation
): readonly [ScalingDecision, State] => {
  const elapsed = before.at === null ? 0 : Math.max(0, observation.now - before.at)
  const perceived = perceive(parameters, before, observation, elapsed)
  const [verdict, judged] = losses.judge(perceived.losses, {
    now: observation.now,
    time: perceived.pace.duration,
    inFlight: observation.meanConcurrency,
    current: observation.current,
    level: perceived.level,
    least: observation.settings.minConcurrency
  })
  const known = { ...perceived, losses: judged }
  const view = look(parameters, known, observation, elapsed)
  const next = verdict === "None" ? steer(known, view) : answerLosses(known, view)
  const state = observation.currentInfo.isStale ? { ...next, level: Math.min(next.level, before.level) } : next
  return [describe(parameters, state, view), state]
}

const at = (state: State, level: number, { least, now, observation }: View): State => {
  const next = clamp(level, least, observation.settings.maxConcurrency)
  if (Math.round(next) === Math.round(state.level)) return { ...state, level: next }
  return { ...state, level: next, since: now, measurement: null }
}

/** A step so small that what is being measured remains a measurement. */
const drift = (state: State, level: number, view: View): State => {
  const { measurement, since } = state
  return { ...at(state, level, view), since, measurement }
}

const answerLosses = (state: State, view: View): State => {
  const { backoff } = state.losses
  if (backoff === null) return { ...state, phase: slowStart.initial }
  const { phase } = state
  const next = phase._tag === "Probing" ? probing.recenter(phase, backoff.cap) : probing.initial(backoff.cap)
  return at({ ...state, phase: next }, backoff.cap, view)
}

const steer = (state: State, view: View): State => {
  if (tracking.isExceeded(binding(state, view).concurrency, state.level)) return comeDown(state, view)
  if (!view.isSaturated) return rest(state, view)
  if (view.observation.currentInfo.isStale) return { ...state, measurement: null }
  const { collapsed } = state.watch
  if (collapsed !== null && isOurs(state, view)) return retreat(state, collapsed, view)
  switch (state.phase._tag) {
    case "ColdStart":
      return warmUp(state, state.phase, view)
    case "Tracking":
      return follow(state, state.phase, view)
    case "SlowStart":
      return measure(state, state.phase, view)
    case "Probing":
      return probe(state, state.phase, view)
  }
}

/** While there is too little to do, nothing settles, and before long nothing that is being measured counts. */
const rest = (state: State, { elapsed, observation }: View): State => {
  if (state.measurement === null) return { ...state, since: state.since + elapsed }
  const measurement = add(state.measurement, observation, elapsed)
  return isVoid(measurement) ? { ...state, since: observation.now, measurement: null } : { ...state, measurement }
}

const comeDown = (state: State, view: View): State => {
  const { elapsed, now, time } = view
  const { concurrency, name } = binding(state, view)
  const isUrgent = ceilings.isUrgent(name)
  const level = tracking.comeDown(state.level, concurrency, elapsed, time, isUrgent)
  const { phase } = state
  // Only a first guess at what tasks use stands in the way: that is better known as soon as some have ended.
  if (phase._tag === "ColdStart") return drift({ ...state, phase: { ...phase, raisedAt: now } }, level, view)
  // What slow start has read tells where to land, better than one resource does.
  if (phase._tag === "SlowStart") return measure(drift(state, level, view), phase, view)
  return drift({ ...state, phase: phaseBelow(phase, level, view) }, level, view)
}

/** A resource that tasks use up is followed. Where it is memory that limits, less may be enough all the same. */
const phaseBelow = (phase: Phase, level: number, { lowest }: View): Phase => {
  if (isConsumed(lowest.name)) {
    return phase._tag === "Tracking" && phase.signal === lowest.name ? phase : tracking.initial(lowest.name)
  }
  return phase._tag === "Probing" ? probing.giveWay(phase, level) : probing.initial(level, true)
}

/** Whether a collapse of throughput may be one that concurrency has caused, and is not being looked into already. */
const isOurs = (state: State, view: View): boolean => {
  const { phase } = state
  if (phase._tag === "ColdStart" || (phase._tag === "Probing" && phase.stage === "Descend")) return false
  return phase._tag !== "Tracking" || usedShare(state, phase.signal, view) < tracking.slack
}

/** Back to where more was served, to see whether it is congestion. */
const retreat = (state: State, collapsed: Measurement, view: View): State => {
  const phase = probing.descendFrom(soFar(collapsed))
  const best = state.watch.peak?.concurrency ?? Infinity
  const level = Math.min(best, probing.levelBelow(phase.center, view.least))
  return at({ ...state, phase, watch: collapse.initial }, level, view)
}

/** Use of a resource by all, as a share of its target. */
const usedShare = ({ uses }: State, name: string, { observation }: View): number =>
  (uses[name]?.load ?? 0) / (observation.currentInfo.signals[name]?.target ?? Infinity)

const isConsumed = (name: string): boolean => !ceilings.isUrgent(name) && name !== "maxConcurrency"

const warmUp = (state: State, phase: coldStart.ColdStart, view: View): State => {
  const { elapsed, observation, time, urgent } = view
  const { level, measurement, pace } = state
  const outcome = coldStart.step(phase, {
    level,
    pace,
    measurement,
    observation,
    elapsed,
    time,
    ceiling: urgent.concurrency
  })
  if (outcome._tag === "Wait") return { ...state, measurement: outcome.measurement }
  if (outcome._tag === "Raise") return at({ ...state, phase: outcome.next }, outcome.level, view)
  const known = { ...state, phase: slowStart.initial, measurement: null }
  if (outcome.reading === null) return known
  return grow(known, slowStart.step(slowStart.initial, outcome.reading, view.variation), view)
}

const follow = (state: State, phase: tracking.Tracking, view: View): State => {
  const { lowest } = view
  if ((view.ceilings[phase.signal] ?? Infinity) > 1.6 * state.level) {
    const next = lowest.concurrency > 1.6 * state.level ? slowStart.initial : settle(state, view)
    return { ...state, phase: next, since: view.now, measurement: null }
  }
  const outcome = tracking.follow(phase, {
    now: view.now,
    elapsed: view.elapsed,
    time: view.time,
    level: state.level,
    inFlight: state.uses[phase.signal]?.inFlight ?? 0,
    use: state.uses[phase.signal]?.own ?? 0,
    usedShare: usedShare(state, phase.signal, view),
    ceiling: lowest.concurrency
  })
  if (outcome._tag === "Refuted") {
    return at({ ...state, phase: probing.initial(outcome.level) }, outcome.level, view)
  }
  return drift({ ...state, phase: outcome.next }, outcome.level, view)
}

/** What to do where slow start has ended: follow the resource that is used up, if one is, else probe. */
const settle = (state: State, view: View, wantsMore = false): tracking.Tracking | probing.Probing => {
  const { name } = view.lowest
  return isConsumed(name) && usedShare(state, name, view) > tracking.slack
    ? tracking.initial(name)
    : probing.initial(state.level, wantsMore)
}

const measure = (state: State, phase: slowStart.SlowStart | probing.Probing, view: View): State => {
  const plan: Plan = phase._tag === "SlowStart"
    ? planOfGrowth(
      view.time,
      view.variation,
      phase.readings.length === 0,
      memory.unseenFor(memory.of(state.memories, view.observation.currentInfo.signals["memory"])),
      view.isShaken
    )
    : planOfProbe(view.turnover, view.variation)
  if (state.measurement === null) {
    if (!isReached(state.level, view.observation)) return { ...state, since: view.now }
    // While the event loop was blocked, nothing could settle.
    const since = state.since + view.late
    return view.now - since < plan.settle ? { ...state, since } : { ...state, measurement: begin }
  }
  const measurement = add(state.measurement, view.observation, view.elapsed)
  const reading = finish(measurement, plan)
  if (reading === undefined) return { ...state, measurement }
  const rested = { ...state, measurement: null }
  if (phase._tag === "SlowStart") {
    return grow(rested, slowStart.step(phase, reading, view.variation, view.isShaken), view)
  }
  const outcome = probing.step(phase, reading, boundsOf(view))
  return outcome._tag === "Restart"
    ? growAnew(rested, outcome, view)
    : at({ ...rested, phase: outcome.next }, outcome.level, view)
}

const boundsOf = ({ least, lowest, time, variation }: View): probing.Bounds => ({
  least,
  most: lowest.concurrency,
  isFirm: lowest.name === "memory",
  variation,
  time
})

/** Growth begins anew, but where what was tried is too much by what has been read since, there is no need to. */
const growAnew = (state: State, { known, level, tried }: probing.Restart, view: View): State => {
  const outcome = tried === null ? null : slowStart.step(slowStart.resume(known, null), tried, view.variation)
  return outcome?._tag === "Land"
    ? grow(state, outcome, view)
    : at({ ...state, phase: slowStart.resume(known, tried) }, level, view)
}

/** Whether so many tasks have ended since the level was lowered that it is what runs. */
const isReached = (level: number, { current }: Observation): boolean => current <= 1.15 * level + 1

/** While it is only a bound that stands in the way, the level rises with it. */
const probe = (state: State, phase: probing.Probing, view: View): State => {
  const next = probing.follow(phase, view.lowest.concurrency, view.elapsed, view.time)
  if (next === phase) return measure(state, phase, view)
  return measure(drift({ ...state, phase: next }, next.center, view), next, view)
}

const grow = (state: State, outcome: slowStart.Outcome, view: View): State => {
  if (outcome._tag === "Wait") return { ...state, phase: outcome.next }
  if (outcome._tag === "Land") {
    const landed = at(state, outcome.level, view)
    return { ...landed, phase: settle(landed, view) }
  }
  if (outcome._tag === "Descend") {
    const phase = probing.descendFrom(outcome.from, [outcome.above])
    return at({ ...state, phase }, probing.levelBelow(phase.center, view.least), view)
  }
  const { concurrency } = view.lowest
  if (concurrency < Math.max(state.level + 1, 1.05 * state.level)) return settleBelow(state, view)
  const level = Math.min(concurrency, Math.max(state.level + 1, 2 * state.level))
  return at({ ...state, phase: outcome.next }, level, view)
}

/** A bound stands in the way of growth, which has paid. */
const settleBelow = (state: State, view: View): State => {
  const phase = settle(state, view, true)
  return { ...state, phase: phase._tag === "Tracking" ? phase : probing.prove(phase, boundsOf(view)) }
}
