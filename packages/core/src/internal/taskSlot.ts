/**
 * The pool's record of one running task. Slots are used again, so that a task costs no record, no observer and no
 * context of its own.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { CurrentTask, type TaskHandle } from "./currentTask.ts"

type Task = Effect.Effect<unknown, unknown>

export class TaskSlot<A> implements TaskHandle {
  readonly run: object
  readonly fork: (task: Task) => Fiber.Fiber<unknown, unknown>
  readonly observe: (exit: Exit.Exit<unknown, unknown>) => void
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  item: A | undefined
  startedAt = 0
  wasRejected = false
  /** How far a time limit has come: not reached, reached and interrupting, or reached and absorbed by a handler. */
  timeLimit: "Ahead" | "Reached" | "Absorbing" = "Ahead"
  previous: TaskSlot<A> | undefined
  next: TaskSlot<A> | undefined

  constructor(
    run: object,
    context: Context.Context<never>,
    onEnd: (slot: TaskSlot<A>, exit: Exit.Exit<unknown, unknown>) => void
  ) {
    this.run = run
    this.fork = Effect.runForkWith(Context.add(context, CurrentTask, this))
    this.observe = (exit) => onEnd(this, exit)
  }

  reject(): void {
    this.wasRejected = true
  }
}

/** Running tasks in the order of their start, so that ages and deadlines are in order too. */
export class RunningTasks<A> {
  first: TaskSlot<A> | undefined
  private last: TaskSlot<A> | undefined

  add(slot: TaskSlot<A>): void {
    slot.previous = this.last
    slot.next = undefined
    if (this.last === undefined) this.first = slot
    else this.last.next = slot
    this.last = slot
  }

  remove(slot: TaskSlot<A>): void {
    if (slot.previous === undefined) this.first = slot.next
    else slot.previous.next = slot.next
    if (slot.next === undefined) this.last = slot.previous
    else slot.next.previous = slot.previous
    slot.previous = slot.next = undefined
  }

  *[Symbol.iterator](): Generator<TaskSlot<A>> {
    for (let slot = this.first; slot !== undefined; slot = slot.next) yield slot
  }
}
