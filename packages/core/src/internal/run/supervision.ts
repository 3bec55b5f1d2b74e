/**
 * The fibers of a run, in a `FiberSet` that interrupts them when the run's scope closes.
 *
 * A task has a slot, which knows its fiber. The set looks there when it is asked what is in it, because a task may be over
 * within a microsecond, and to enter it and take it out again would be a tenth of that. What else a run forks is entered.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** Tells the fibers of the tasks. */
export type TaskFibers = () => Iterable<AnyFiber>

export class Supervision {
  /** Whether the scope of the run has closed, so that nothing may run any more. */
  isOver = false
  private readonly members = new Members()

  constructor(fibers: FiberSet.FiberSet) {
    fibers.state = { _tag: "Open", backing: this.members }
  }

  /** From now on the tasks are in the set too. */
  includeTasks(tasks: TaskFibers): void {
    this.members.tasks = tasks
  }

  add(fiber: AnyFiber): void {
    if (this.isOver) fiber.interruptUnsafe()
    else this.members.add(fiber)
  }

  remove(fiber: AnyFiber): void {
    this.members.delete(fiber)
  }
}

export const make: Effect.Effect<Supervision, never, Scope.Scope> = Effect.flatMap(FiberSet.make(), (fibers) => {
  const supervision = new Supervision(fibers)
  return Effect.as(Effect.addFinalizer(() => Effect.sync(() => supervision.isOver = true)), supervision)
})

/** What was entered, and the fibers of the tasks. */
class Members extends Set<AnyFiber> {
  tasks: TaskFibers = () => []

  override get size(): number {
    return this.all().size
  }

  override has(fiber: AnyFiber): boolean {
    return this.all().has(fiber)
  }

  override [Symbol.iterator](): SetIterator<AnyFiber> {
    return this.all().values()
  }

  private all(): Set<AnyFiber> {
    return new Set([...super.values(), ...this.tasks()])
  }
}
