/**
 * The whole law. Each decision goes through the same five steps: observe -> limits -> guards -> stage -> admit.
 *
 *                  some tasks have ended             throughput no longer follows
 *      ColdStart ----------------------> SlowStart -----------------------------> Steady
 *                                         ^ ^  |                                   |  ^
 *                   fewer were no better  | |  | a resource is used up             |  | use did not follow tasks,
 *                                         | |  +----------------> Following -------|--+ or there was slack
 *                                         | |                         |            |
 *                                         | +-------------------------+------------+    far more room, or tasks take less
 *                                         |                           |            |    time than foretold
 *                                         +------- Descending <-------+------------+    throughput collapsed, or tasks take
 *                                                      |                                more time than foretold, or the
 *                                                      +---> Steady: fewer have helped  first doubling was too much
 *
 *      Guards, whatever the stage; the first that speaks decides:
 *        lost       the limit of losses has moved: the level is that limit
 *        exceeded   a limit lies below the level: down to it; what is used up is followed from then on
 *        unused     there is too little to do: nothing is learned, the level stays
 *        blind      a signal does not report: the level stays
 *        collapsed  twice far less got done than before: Descending
 */
import { clamp as clampInto } from "../../ConcurrencySettings.ts"
import type { Observation, ScalingDecision } from "../../ScalingPolicy.ts"
import { admit } from "./admission/admit.ts"
import { guards } from "./guards.ts"
import * as backoff from "./limits/backoff.ts"
import * as model from "./model/model.ts"
import { clamp } from "./numbers.ts"
import { type Phase, unmeasured, type Verdict } from "./stages/phases.ts"
import { step } from "./stages/stages.ts"
import type { Parameters, State } from "./state.ts"
import { look, type View } from "./view.ts"

export const decide = (
  parameters: Parameters,
  before: State,
  observation: Observation
): readonly [ScalingDecision, State] => {
  const { currentInfo: { isStale }, now, settings } = observation
  const elapsed = before.at === null ? 0 : Math.max(0, now - before.at)
  const observed = model.observe(before.model, observation, elapsed, Math.max(0, elapsed - parameters.every))
  const { losses, tasks: { duration: time } } = observed
  const known = { ...observed, losses: backoff.judge(losses, { ...observation, level: before.level, time }) }
  const view = look(parameters, before, known, observation, elapsed)
  const verdict = judge(before.phase, before.level, view)
  const wanted = clamp(verdict.level, settings.minConcurrency, settings.maxConcurrency)
  const level = isStale ? Math.min(wanted, before.level) : wanted
  const state = { at: now, level, ...settledAt(verdict, before, level, view.settled), model: known }
  const desired = clampInto(settings, Math.round(level))
  return [admit(parameters, view, verdict, isStale ? Math.min(desired, observation.desired) : desired), state]
}

/** The first guard that has something to say, or the stage. */
const judge = (phase: Phase, level: number, view: View): Verdict => {
  for (const guard of guards) {
    const verdict = guard(phase, level, view)
    if (verdict !== undefined) return verdict
  }
  return step(phase, level, view)
}

/** A level that has moved by a task settles anew, unless the step was one too small to matter. */
const settledAt = (
  { measurement, phase }: Verdict,
  before: State,
  level: number,
  settled: number
): Pick<State, "phase" | "settled"> => {
  const hasMoved = measurement === "anew" && Math.round(before.level) !== Math.round(level)
  if (hasMoved || measurement === "void") return { phase: unmeasured(phase), settled: 0 }
  return { phase, settled: measurement === "hold" ? before.settled : settled }
}
