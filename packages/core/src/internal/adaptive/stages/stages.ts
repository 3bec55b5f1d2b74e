/**
 * The stages behind one interface.
 */
import type { View } from "../view.ts"
import * as coldStart from "./coldStart.ts"
import * as descending from "./descending.ts"
import * as following from "./following.ts"
import type { Phase, Verdict } from "./phases.ts"
import * as slowStart from "./slowStart.ts"
import * as steady from "./steady.ts"

type Step<P> = (phase: P, level: number, view: View) => Verdict

const steps: { readonly [Tag in Phase["_tag"]]: Step<Extract<Phase, { readonly _tag: Tag }>> } = {
  ColdStart: coldStart.step,
  SlowStart: slowStart.step,
  Descending: descending.step,
  Following: following.step,
  Steady: steady.step
}

/** What the stage in force decides. */
export const step: Step<Phase> = (phase, level, view) => steps[phase._tag](phase as never, level, view) // of its tag
