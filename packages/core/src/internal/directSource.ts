/**
 * A source that can be polled synchronously, so that its items reach the dispatcher as data and not through a fiber.
 */
import * as Effect from "effect/Effect"
import type { TaskSource } from "../TaskSource.ts"

/**
 * - `poll`: leaves the next item in `item`, or says that there is none now or ever. May throw what its iterator throws.
 * - `arrival`: completes when polling is worth it again; fails where the source does. Only asked after `Empty`.
 * - `giveBack`: takes an item back, to be polled first.
 * - `close`: lets go of what the source holds open until it is polled again.
 */
export interface DirectSource<A, E, R> {
  readonly item: A
  readonly poll: () => "Item" | "Empty" | "Done"
  readonly arrival: Effect.Effect<void, E, R>
  readonly giveBack: (item: A) => void
  readonly close: Effect.Effect<void>
}

const Direct: unique symbol = Symbol.for("@autoscaled-pool/core/TaskSource/direct")

interface PollableTaskSource<A, E, R> extends TaskSource<A, E, R> {
  readonly [Direct]: DirectSource<A, E, R>
}

/** The public face of a direct source, for whoever takes from it one item at a time. */
export const fromDirect = <A, E, R>(source: DirectSource<A, E, R>): TaskSource<A, E, R> => {
  const take: TaskSource<A, E, R>["take"] = (handle) =>
    Effect.suspend(() => {
      const polled = source.poll()
      if (polled === "Done") return Effect.succeed(polled)
      if (polled === "Empty") return Effect.andThen(source.arrival, take(handle))
      const item = source.item
      return handle(item).pipe(
        Effect.onInterrupt(() => Effect.sync(() => source.giveBack(item))),
        Effect.as("Taken" as const)
      )
    })
  const pollable: PollableTaskSource<A, E, R> = { take, [Direct]: source }
  return pollable
}

export const directOf = <A, E, R>(source: TaskSource<A, E, R>): DirectSource<A, E, R> | undefined =>
  isPollable(source) ? source[Direct] : undefined

const isPollable = <A, E, R>(source: TaskSource<A, E, R>): source is PollableTaskSource<A, E, R> => Direct in source

/** Items that were given back, to be polled before any other. */
export abstract class ReturningSource<A, E, R> implements DirectSource<A, E, R> {
  item!: A
  readonly close: Effect.Effect<void> = Effect.void
  abstract readonly arrival: Effect.Effect<void, E, R>
  private readonly returned: Array<A> = []

  poll(): "Item" | "Empty" | "Done" {
    if (this.returned.length === 0) return this.pollNext()
    this.item = this.returned.shift() as A // there is one: an item may itself be undefined
    return "Item"
  }

  giveBack(item: A): void {
    this.returned.push(item)
  }

  /** The next item that was never handed out. */
  protected abstract pollNext(): "Item" | "Empty" | "Done"
}
