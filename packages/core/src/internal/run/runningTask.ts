/**
 * A task of a run as code inside the task sees it. Fibers that a task leaves behind see it for longer than it lasts, so each
 * task has one of its own.
 */
import { Holding, type HoldingBudget } from "../budget/holding.ts"
import type { TaskHandle } from "../task/currentTask.ts"

/** The run of a task, and the tasks in which that one runs. */
export interface TaskSurroundings {
  readonly runs: ReadonlyArray<object>
  readonly holdings: ReadonlyArray<Holding>
  /** Whose permits the tasks of the run take. */
  readonly budget: HoldingBudget
}

/** The pool's record of a task. */
export interface TaskRecord {
  readonly permits: number
  readonly reject: (retryAfter: number) => void
}

export class RunningTask implements TaskHandle {
  private readonly surroundings: TaskSurroundings
  private record: TaskRecord | undefined
  /** Made when it is asked for: most tasks have nothing inside of them that takes permits. */
  private holding: Holding | undefined

  constructor(surroundings: TaskSurroundings, record: TaskRecord) {
    this.surroundings = surroundings
    this.record = record
  }

  get runs(): ReadonlyArray<object> {
    return this.surroundings.runs
  }

  get holdings(): ReadonlyArray<Holding> {
    const { budget, holdings } = this.surroundings
    if (this.record === undefined) return holdings
    this.holding ??= new Holding(budget, this.record.permits)
    return [this.holding, ...holdings]
  }

  reject(retryAfter = 0): void {
    this.record?.reject(retryAfter)
  }

  /** The task has ended and released its permits. */
  end(now: number): void {
    this.record = undefined
    this.holding?.end(now)
  }
}
