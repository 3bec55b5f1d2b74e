/**
 * A question that the benchmarks answer.
 */
import type { Answer } from "./report.ts"

export interface Question {
  /** What `--only` calls it. */
  readonly key: string
  readonly title: string
  readonly ask: (effort: Effort) => Promise<Answer>
}

/** How much work an answer is worth: `Quick` only shows that everything runs. */
export type Effort = "Quick" | "Full"
