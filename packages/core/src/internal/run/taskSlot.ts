/**
 * The pool's record of one running task. Slots are used again, so that a task costs no record, no observer and no
 * context of its own.
 *
 * - `Free`: no task.
 * - `Running`: the task runs.
 * - `TimedOut`: the task reached its time limit, was interrupted, and runs its finalizers.
 * - `Absorbing`: what stands in for a task that timed out runs.
 * - `Abandoned`: the finalizers of the task took too long, and the slot is not used again.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { Holding, type HoldingBudget } from "../budget/holding.ts"
import { CurrentTask, type TaskHandle } from "../task/currentTask.ts"

type Task = Effect.Effect<unknown, unknown>

/** The run of a task, and the tasks in which that one runs. */
export interface TaskSurroundings {
  readonly runs: ReadonlyArray<object>
  readonly holdings: ReadonlyArray<Holding>
  /** Whose permits the tasks of the run take. */
  readonly budget: HoldingBudget
}

export type SlotStage = "Free" | "Running" | "TimedOut" | "Absorbing" | "Abandoned"

export class TaskSlot<A> implements TaskHandle {
  readonly runs: ReadonlyArray<object>
  readonly holding: Holding
  readonly holdings: ReadonlyArray<Holding>
  readonly fork: (task: Task) => Fiber.Fiber<unknown, unknown>
  readonly observe: (exit: Exit.Exit<unknown, unknown>) => void
  private readonly onRefused: ((item: A, retryAfter: number) => void) | undefined
  stage: SlotStage = "Free"
  /** The fiber of the stage, where it has one that outlives its start. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  item: A | undefined
  startedAt = 0
  /** When its fiber was interrupted; Infinity where it was not. */
  interruptedAt = Infinity
  /** What a task is that something stands in for. */
  absorbedAs: "TimedOut" | "Abandoned" = "TimedOut"
  wasRejected = false
  /** The longest time, in milliseconds, that a service told the task to wait; 0 where none did. */
  retryAfter = 0

  constructor(
    { budget, holdings, runs }: TaskSurroundings,
    context: Context.Context<never>,
    onEnd: (slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>) => void,
    onRefused: ((item: A, retryAfter: number) => void) | undefined
  ) {
    this.onRefused = onRefused
    this.runs = runs
    this.holding = new Holding(budget, 1)
    this.holdings = [this.holding, ...holdings]
    this.fork = Effect.runForkWith(Context.add(context, CurrentTask, this))
    this.observe = (exit) => onEnd(this, exit)
  }

  reject(retryAfter = 0): void {
    this.wasRejected = true
    if (this.stage !== "Free") this.onRefused?.(this.item as A, retryAfter) // an occupied slot has its item
    if (retryAfter > this.retryAfter) this.retryAfter = retryAfter
  }

  occupy(item: A, permits: number, now: number): void {
    this.item = item
    this.holding.permits = permits
    this.startedAt = now
    this.absorbedAs = "TimedOut"
    this.wasRejected = false
    this.retryAfter = 0
    this.stage = "Running"
  }

  /** Takes over the task of a slot that is given up. */
  inherit({ holding, item, retryAfter, startedAt, wasRejected }: TaskSlot<A>): void {
    this.item = item
    this.holding.permits = holding.permits
    this.startedAt = startedAt
    this.wasRejected = wasRejected
    this.retryAfter = retryAfter
    this.absorbedAs = "Abandoned"
  }

  vacate(): void {
    this.stage = "Free"
    this.fiber = undefined
    this.item = undefined
  }
}
