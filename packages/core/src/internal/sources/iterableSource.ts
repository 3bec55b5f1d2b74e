/**
 * The items of an iterable, asked of its iterator one at a time.
 */
import * as Effect from "effect/Effect"
import { ReturningSource } from "./directSource.ts"

export class IterableSource<A> extends ReturningSource<A, never, never> {
  readonly arrival: Effect.Effect<void> = Effect.void
  private readonly iterable: Iterable<A>
  private iterator: Iterator<A> | undefined

  constructor(iterable: Iterable<A>) {
    super()
    this.iterable = iterable
  }

  protected pollNext(): "Item" | "Done" {
    this.iterator ??= this.iterable[Symbol.iterator]()
    const next = this.iterator.next()
    if (next.done) return "Done"
    this.item = next.value
    return "Item"
  }
}
