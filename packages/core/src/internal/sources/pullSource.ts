/**
 * A source of whatever an effect gives, asked by several free slots at once.
 *
 * What the effect has given is gone from where it came from, so the source keeps it until a task has ended with it: what
 * was interrupted is handed out first, to this run or the next.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"

export class PullSource<A, E, R> {
  private readonly kept: Array<A> = []
  private readonly pulled: Effect.Effect<Option.Option<A> | "Done", E, R>

  constructor(pull: Effect.Effect<Option.Option<A>, E | Cause.Done, R>) {
    this.pulled = Pull.catchDone(pull, () => Effect.succeed("Done" as const)) as typeof this.pulled
  }

  readonly take = <X, E2, R2>(
    handle: (item: A) => Effect.Effect<X, E2, R2>
  ): Effect.Effect<"Taken" | "Empty" | "Done", E | E2, R | R2> =>
    // An answer that comes as the take is interrupted still reaches what follows it.
    Effect.uninterruptibleMask((restore) => {
      const lend = (item: A) =>
        Effect.as(
          Effect.onExit(restore(Effect.suspend(() => handle(item))), (exit) =>
            Effect.sync(() => {
              if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) this.kept.push(item)
            })),
          "Taken" as const
        )
      if (this.kept.length > 0) return lend(this.kept.shift() as A) // there is one: an item may itself be undefined
      return Effect.flatMap(restore(this.pulled), (next) => {
        if (next === "Done") return Effect.succeed(next)
        return Option.isNone(next) ? Effect.succeed("Empty" as const) : lend(next.value)
      })
    })
}
