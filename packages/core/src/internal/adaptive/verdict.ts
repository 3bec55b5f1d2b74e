/**
 * What every part of the law answers.
 */
import type { Phase } from "./stages/phases.ts"

/**
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
