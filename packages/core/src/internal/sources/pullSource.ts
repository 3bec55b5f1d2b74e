/**
 * A source of whatever an effect gives, asked by several free slots at once.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"

export const make = <A, E, R>(pull: Effect.Effect<Option.Option<A>, E | Cause.Done, R>) => {
  const pulled: Effect.Effect<Option.Option<A> | "Done", Pull.ExcludeDone<E>, R> = Pull.catchDone(
    pull,
    () => Effect.succeed("Done" as const)
  )
  return {
    take: <X, E2, R2>(
      handle: (item: A) => Effect.Effect<X, E2, R2>
    ): Effect.Effect<"Taken" | "Empty" | "Done", Pull.ExcludeDone<E> | E2, R | R2> =>
      Effect.flatMap(pulled, (next) => {
        if (next === "Done") return Effect.succeed(next)
        return Option.isNone(next) ? Effect.succeed("Empty" as const) : Effect.as(handle(next.value), "Taken" as const)
      })
  }
}
