/**
 * The items of an iterable, asked of its iterator one at a time.
 */
import * as Effect from "effect/Effect"
import { ReturningSource } from "./directSource.ts"

export class IterableSource<A> extends ReturningSource<A, never, never> {
  readonly arrival: Effect.Effect<void> = Effect.void
  private readonly iterable: Iterable<A>
  private iterator: Iterator<A> | undefined
  private isDone = false

  constructor(iterable: Iterable<A>) {
    super()
    this.iterable = iterable
  }

  protected pollNext(): "Item" | "Done" {
    if (this.isDone) return "Done"
    this.iterator ??= this.iterable[Symbol.iterator]()
    const next = this.iterator.next()
    if (next.done) {
      this.isDone = true
      return "Done"
    }
    this.item = next.value
    return "Item"
  }

  override readonly leave: Effect.Effect<void> = Effect.sync(() => {
    const isOpen = this.iterator !== undefined && !this.isDone
    this.isDone = true
    if (isOpen) this.iterator?.return?.()
  })
}
