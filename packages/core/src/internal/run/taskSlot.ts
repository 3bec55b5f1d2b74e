/**
 * The pool's record of one running task. Slots are used again, so that a task costs no record and no observer of its own.
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
import { CurrentTask } from "../task/currentTask.ts"
import { RunningTask, type TaskSurroundings } from "./runningTask.ts"

type Task = Effect.Effect<unknown, unknown>

export type SlotStage = "Free" | "Running" | "TimedOut" | "Absorbing" | "Abandoned"

export class TaskSlot<A> {
  readonly observe: (exit: Exit.Exit<unknown, unknown>) => void
  private readonly surroundings: TaskSurroundings
  private readonly context: Context.Context<never>
  private readonly onRefused: ((item: A, retryAfter: number) => void) | undefined
  stage: SlotStage = "Free"
  /** What code inside the task sees of it, where it has a fiber. */
  private inside: RunningTask | undefined
  /** The fiber of the stage, where it has one that outlives its start. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  item: A | undefined
  permits = 1
  startedAt = 0
  /** When its fiber was interrupted; Infinity where it was not. */
  interruptedAt = Infinity
  /** What a task is that something stands in for. */
  absorbedAs: "TimedOut" | "Abandoned" = "TimedOut"
  wasRejected = false
  /** The longest time, in milliseconds, that a service told the task to wait; 0 where none did. */
  retryAfter = 0

  constructor(
    surroundings: TaskSurroundings,
    context: Context.Context<never>,
    onEnd: (slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>) => void,
    onRefused: ((item: A, retryAfter: number) => void) | undefined
  ) {
    this.surroundings = surroundings
    this.context = context
    this.onRefused = onRefused
    this.observe = (exit) => onEnd(this, exit)
  }

  fork(task: Task): Fiber.Fiber<unknown, unknown> {
    this.inside = new RunningTask(this.surroundings, this)
    return Effect.runForkWith(Context.addUnsafe(this.context, CurrentTask.key, this.inside))(task)
  }

  /** The task has ended and released its permits: what it has left behind is no part of it any more. */
  endInside(now: number): void {
    this.inside?.end(now)
    this.inside = undefined
  }

  reject(retryAfter: number): void {
    this.wasRejected = true
    this.onRefused?.(this.item as A, retryAfter) // an occupied slot has its item
    if (retryAfter > this.retryAfter) this.retryAfter = retryAfter
  }

  occupy(item: A, permits: number, now: number): void {
    this.item = item
    this.permits = permits
    this.startedAt = now
    this.absorbedAs = "TimedOut"
    this.stage = "Running"
    if (this.wasRejected) this.forgetRejection()
  }

  /** Takes over the task of a slot that is given up. */
  inherit({ item, permits, retryAfter, startedAt, wasRejected }: TaskSlot<A>): void {
    this.item = item
    this.permits = permits
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

  private forgetRejection(): void {
    this.wasRejected = false
    this.retryAfter = 0
  }
}
