/**
 * Effects that are exits already, and need no fiber.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Whether an effect is an exit. The tag comes first because reading it is cheap. */
export const isEnded = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => {
  const tag = (effect as { readonly _tag?: unknown })._tag // effects of other kinds may have a tag, or none
  return (tag === "Success" || tag === "Failure") && Exit.isExit(effect)
}
