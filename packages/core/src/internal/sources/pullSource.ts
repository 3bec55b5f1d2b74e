/**
 * A source of whatever an effect gives, asked by several free slots at once.
 *
 * What the effect has given is gone from where it came from, so the source keeps it until a task has ended with it: what
 * was interrupted is handed out first, to this run or the next. So is what is answered while a take is interrupted. Where
 * the source is told how to settle an item, it does so instead.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import { isInterruptible } from "./interruptible.ts"
import { KeptItems } from "./keptItems.ts"

type Answer<A> = Option.Option<A> | "Done"

/** Milliseconds between two looks at a pull that could not be interrupted when it was to be. */
const lookMillis = 50

export type Settle<A, E, R> = (item: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, E, R>

export class PullSource<A, E, R> {
  readonly kept = new KeptItems<A>()
  private readonly pulled: Effect.Effect<Answer<A>, E, R>
  private readonly settle: Settle<A, E, R>

  constructor(pull: Effect.Effect<Option.Option<A>, E | Cause.Done, R>, settle?: Settle<A, E, R>) {
    this.settle = settle ?? this.keepInterrupted
    // `catchDone` cannot see that an error of type E is no `Done`.
    this.pulled = Pull.catchDone(pull, () => Effect.succeed("Done" as const)) as Effect.Effect<Answer<A>, E, R>
  }

  readonly take = <X, E2, R2>(
    handle: (item: A) => Effect.Effect<X, E2, R2>
  ): Effect.Effect<"Taken" | "Empty" | "Done", E | E2, R | R2> =>
    Effect.uninterruptibleMask((restore) => {
      const lend = (item: A) =>
        Effect.as(
          Effect.onExit(restore(Effect.suspend(() => handle(item))), (exit) => Effect.asVoid(this.settle(item, exit))),
          "Taken" as const
        )
      if (this.kept.count > 0) return lend(this.kept.next())
      return Effect.flatMap(Effect.forkChild(this.pulled, { startImmediately: true }), (pulling) =>
        Effect.flatMap(this.answerOf(pulling, restore), (answer) => {
          if (answer === "Done") {
            return Effect.succeed(answer)
          }
          return Option.isNone(answer) ? Effect.succeed("Empty" as const) : lend(answer.value)
        }))
    })

  private keepInterrupted(item: A, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.sync(() => {
      if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) this.kept.keep(item)
    })
  }

  private answerOf(
    pulling: Fiber.Fiber<Answer<A>, E>,
    restore: <X, E2, R2>(effect: Effect.Effect<X, E2, R2>) => Effect.Effect<X, E2, R2>
  ): Effect.Effect<Answer<A>, E, R> {
    const exit = pulling.pollUnsafe()
    if (exit !== undefined) return exit
    const answered = Effect.onInterrupt(restore(Fiber.await(pulling)), () => this.keepLast(pulling))
    return Effect.flatMap(answered, identity)
  }

  /** Keeps what a pull answers that is not waited for any more. */
  private keepLast(pulling: Fiber.Fiber<Answer<A>, E>): Effect.Effect<unknown, E, R> {
    return Effect.flatMap(stop(pulling), (exit): Effect.Effect<unknown, E, R> => {
      if (Exit.isFailure(exit)) return Cause.hasInterruptsOnly(exit.cause) ? Effect.void : Effect.failCause(exit.cause)
      if (exit.value === "Done" || Option.isNone(exit.value)) return Effect.void
      return this.settle(exit.value.value, Exit.interrupt())
    })
  }
}

/**
 * Interrupts a pull where that cancels it. One that is in a region which cannot be interrupted goes on until it has
 * answered: to interrupt it would only throw the answer away.
 */
const stop = <A, E>(pulling: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.suspend(() => {
    const exit = pulling.pollUnsafe()
    if (exit !== undefined) return Effect.succeed(exit)
    if (isInterruptible(pulling)) return Effect.andThen(Fiber.interrupt(pulling), Fiber.await(pulling))
    const ended = Effect.interruptible(Fiber.await(pulling))
    return Effect.andThen(Effect.raceFirst(ended, Effect.interruptible(Effect.sleep(lookMillis))), stop(pulling))
  })
