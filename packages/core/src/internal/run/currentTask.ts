/**
 * How code inside a task reaches the pool's record of that task.
 */
import * as Context from "effect/Context"

export interface TaskHandle {
  /** The runs that the task is a part of, by identity: its own, and those of the tasks in which that one runs. */
  readonly runs: ReadonlyArray<object>
  /** Marks the task as one that met a rate limit, with the milliseconds after which the service may be asked again. */
  readonly reject: (retryAfter?: number) => void
}

export const CurrentTask: Context.Reference<TaskHandle | undefined> = Context.Reference<TaskHandle | undefined>(
  "@autoscaled-pool/core/CurrentTask",
  { defaultValue: () => undefined }
)
