/**
 * A source that can be polled synchronously, so that its items reach the dispatcher as data and not through a fiber.
 */
import * as Effect from "effect/Effect"
import { KeptItems } from "./keptItems.ts"

/**
 * - `poll`: leaves the next item in `item`, or says that there is none now or ever. May throw what its iterator throws.
 * - `arrival`: completes when polling is worth it again; fails where the source does. Only asked after `Empty`.
 * - `giveBack`: takes an item back, to be polled first.
 * - `join`: a run begins to take from the source, and is told whenever something is given back, by itself or by another one
 *   that takes from it too; returns what ends that.
 * - `hasReturned`: something was given back, and has not been polled since.
 * - `close`: lets go of what the source holds open until it is polled again, where no run takes from it any more.
 * - `total`: how many items this run has had and will have, those that it gave back aside; `undefined` where nobody knows.
 * - `leave`: lets go of everything: the source is not polled any more.
 */
export interface DirectSource<A, E, R> {
  readonly item: A
  readonly poll: () => "Item" | "Empty" | "Done"
  readonly arrival: Effect.Effect<void, E, R>
  readonly giveBack: (item: A) => void
  readonly join: (onReturn: () => void) => () => void
  readonly hasReturned: boolean
  readonly close: Effect.Effect<void>
  readonly total: () => number | undefined
  readonly leave: Effect.Effect<void>
}

const Direct: unique symbol = Symbol.for("@autoscaled-pool/core/TaskSource/direct")

/** The public face of a direct source, for whoever takes from it one item at a time. */
export const fromDirect = <A, E, R>(source: DirectSource<A, E, R>) => {
  const take = <X, E2, R2>(
    handle: (item: A) => Effect.Effect<X, E2, R2>
  ): Effect.Effect<"Taken" | "Empty" | "Done", E | E2, R | R2> =>
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
  return { take, [Direct]: source }
}

/** The direct source behind a public face, where there is one. */
export const directOf = <A, E, R>(source: {
  readonly take: (handle: (item: A) => Effect.Effect<unknown>) => Effect.Effect<unknown, E, R>
}): DirectSource<A, E, R> | undefined =>
  // Only `fromDirect` gives a source this property, and its items are those of the source.
  Direct in source ? (source[Direct] as DirectSource<A, E, R>) : undefined

/** Items that were given back, to be polled before any other. */
export abstract class ReturningSource<A, E, R> implements DirectSource<A, E, R> {
  item!: A
  readonly close: Effect.Effect<void> = Effect.void
  readonly leave: Effect.Effect<void> = Effect.void
  abstract readonly arrival: Effect.Effect<void, E, R>
  protected readonly returned = new KeptItems<A>()

  poll(): "Item" | "Empty" | "Done" {
    if (this.returned.count === 0) return this.pollNext()
    this.item = this.returned.next()
    return "Item"
  }

  giveBack(item: A): void {
    this.returned.keep(item)
  }

  get hasReturned(): boolean {
    return this.returned.count > 0
  }

  join(onReturn: () => void): () => void {
    return this.returned.join(onReturn)
  }

  total(): number | undefined {
    return undefined
  }

  /** The next item that was never handed out. */
  protected abstract pollNext(): "Item" | "Empty" | "Done"
}
