/**
 * The stages behind one interface.
 */
import type { Verdict } from "../verdict.ts"
import type { View } from "../view.ts"
import * as coldStart from "./coldStart.ts"
import * as descending from "./descending.ts"
import * as following from "./following.ts"
import type { Phase } from "./phases.ts"
import * as slowStart from "./slowStart.ts"
import * as steady from "./steady.ts"

/** What a stage decides, and what users call it. */
interface Stage<P extends Phase> {
  readonly label: string
  readonly step: (phase: P, level: number, view: View) => Verdict
}

type Stages = { readonly [Tag in Phase["_tag"]]: Stage<Extract<Phase, { readonly _tag: Tag }>> }

const stages: Stages = {
  ColdStart: coldStart,
  SlowStart: slowStart,
  Descending: descending,
  Following: following,
  Steady: steady
}

export const step = (phase: Phase, level: number, view: View): Verdict =>
  stages[phase._tag].step(phase as never, level, view) // each is given a phase of its tag

export const labelOf = ({ _tag }: Phase): string => stages[_tag].label
