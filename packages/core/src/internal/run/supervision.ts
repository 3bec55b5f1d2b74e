/**
 * The fibers of a run in its `FiberSet`, which interrupts what is in it when the run's scope closes.
 *
 * `FiberSet.addUnsafe` gives each fiber an observer that takes it out again. The tasks and the questions of a run have an
 * observer already, and take out themselves: that saves a closure and a list of observers per task.
 */
import type * as Fiber from "effect/Fiber"
import type * as FiberSet from "effect/FiberSet"

export const add = ({ state }: FiberSet.FiberSet, fiber: Fiber.Fiber<unknown, unknown>): void => {
  if (state._tag === "Open") state.backing.add(fiber)
  else fiber.interruptUnsafe()
}

export const remove = ({ state }: FiberSet.FiberSet, fiber: Fiber.Fiber<unknown, unknown>): void => {
  if (state._tag === "Open") state.backing.delete(fiber)
}
