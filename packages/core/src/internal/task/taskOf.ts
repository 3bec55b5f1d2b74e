/**
 * The task that a function of the caller gives, which may be none.
 */
import * as Effect from "effect/Effect"

/** What a function of the caller gives for an item; a defect where it throws, or gives something else. */
export const taskOf = <A>(
  make: (item: A) => Effect.Effect<unknown, unknown>,
  item: A
): Effect.Effect<unknown, unknown> => {
  try {
    const task = make(item)
    return isEffect(task) ? task : Effect.die(new TypeError(noEffect(task)))
  } catch (defect) {
    return Effect.die(defect)
  }
}

// As `Effect.isEffect` decides, at a tenth of its cost, which each task pays.
const isEffect = (given: { readonly [Effect.TypeId]?: unknown } | null | undefined): boolean =>
  given?.[Effect.TypeId] !== undefined

/** Who writes JavaScript forgets a `return`, or gives an async function: no compiler tells. */
const noEffect = (given: unknown): string => {
  const what = given === undefined
    ? "nothing"
    : given instanceof Promise
    ? "a promise"
    : `something else (${typeof given})`
  return `A task is to be an Effect, and its function gave ${what}. Effect.tryPromise makes an Effect of a promise.`
}
