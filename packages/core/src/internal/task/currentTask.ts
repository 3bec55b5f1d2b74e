/**
 * How code inside a task reaches the pool's record of that task.
 */
import * as Context from "effect/Context"
import type { Holding } from "../budget/holding.ts"

export interface TaskHandle {
  /** The runs that the task is a part of, by identity: its own, and those of the tasks in which that one runs. */
  readonly runs: ReadonlyArray<object>
  /** Marks the task as one that met a rate limit, with the milliseconds after which the service may be asked again. */
  readonly reject: (retryAfter?: number) => void
  /** The permits that it holds, and those of the tasks in which it runs, innermost first. */
  readonly holdings: ReadonlyArray<Holding>
}

export const CurrentTask: Context.Reference<TaskHandle | undefined> = Context.Reference<TaskHandle | undefined>(
  "@autoscaled-pool/core/CurrentTask",
  { defaultValue: () => undefined }
)
