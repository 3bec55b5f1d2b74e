/**
 * The stages that the law may be in, as plain data: each has all that it has found out, so that leaving it drops it.
 */
import type { Sample } from "../model/elasticity.ts"
import type { Measurement, Reading } from "../model/reading.ts"
import { steady as tuning } from "../tuning.ts"

/** `measurement`: of the level that no more may run than while nothing is known. */
export interface ColdStart {
  readonly _tag: "ColdStart"
  readonly measurement: Measurement | null
}

/**
 * - `readings`: one of each level so far, the lowest first.
 * - `doubted`: readings of the present level that looked congested while the event loop was blocked, and that count for nothing.
 */
export interface SlowStart {
  readonly _tag: "SlowStart"
  readonly readings: ReadonlyArray<Reading>
  readonly doubted: number
  readonly measurement: Measurement | null
}

/**
 * - `from`: the reading that may be of congestion; a lower level is being measured.
 * - `above`: a reading of a level above it that seemed too much, if there is one.
 */
export interface Descending {
  readonly _tag: "Descending"
  readonly from: Reading
  readonly above: Reading | null
  readonly measurement: Measurement | null
}

/** Tasks in flight and use of the resource when the last step up was checked, and how long ago that was. */
export interface Check {
  readonly inFlight: number
  readonly use: number
  readonly age: number
}

/**
 * - `check`: of whether use rises with tasks.
 * - `slackFor`: for how many milliseconds the resource has been far below its target, which is none of one that binds.
 */
export interface Following {
  readonly _tag: "Following"
  readonly signal: string
  readonly check: Check | null
  readonly slackFor: number
}

/**
 * - `center`: the level around which is probed; `position`: which side of it is being measured.
 * - `hold`, `interval`: readings still to wait at the center, and how many to wait after the next undecided probe.
 * - `downs`: moves down in a row so far.
 * - `isSurprised`: whether the last reading was one that the samples did not foretell.
 * - `isHeld`: whether more gained throughput when it was tried last, so that only a limit stands in the way.
 * - `samples`: readings, the latest last.
 */
export interface Steady {
  readonly _tag: "Steady"
  readonly center: number
  readonly position: "Center" | "Above" | "Below"
  readonly hold: number
  readonly interval: number
  readonly downs: number
  readonly isSurprised: boolean
  readonly isHeld: boolean
  readonly samples: ReadonlyArray<Sample>
  readonly measurement: Measurement | null
}

export type Phase = ColdStart | SlowStart | Descending | Following | Steady

/**
 * What guards and stages answer.
 *
 * - `phase`: the stage to be in, with all that it has found out.
 * - `level`: the concurrency to have in force, unrounded.
 * - `measurement`: whether the level goes on settling and being measured ("keep", for a step too small to matter), does so
 *   anew if it has moved by a task ("anew"), does so anew in any case ("void"), or waits for more to do ("hold").
 * - `why`: the reason, as a sentence for whoever runs the pool.
 */
export interface Verdict {
  readonly phase: Phase
  readonly level: number
  readonly measurement: "keep" | "anew" | "void" | "hold"
  readonly why: string
}

export const coldStart: ColdStart = { _tag: "ColdStart", measurement: null }

export const slowStart = (readings: ReadonlyArray<Reading> = []): SlowStart => ({
  _tag: "SlowStart",
  readings,
  doubted: 0,
  measurement: null
})

export const following = (signal: string): Following => ({ _tag: "Following", signal, check: null, slackFor: 0 })

export const steady = (center: number, options: Partial<Steady> = {}): Steady => ({
  _tag: "Steady",
  center,
  position: "Center",
  hold: tuning.firstHold,
  interval: tuning.secondInterval,
  downs: 0,
  isSurprised: false,
  isHeld: false,
  samples: [],
  measurement: null,
  ...options
})

/** The same stage with nothing being measured. */
export const unmeasured = (phase: Phase): Phase => "measurement" in phase ? { ...phase, measurement: null } : phase
