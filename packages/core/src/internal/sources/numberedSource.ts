/**
 * The items of an iterable with their numbers. An iterator that is not used up when the run ends is closed.
 */
import * as Effect from "effect/Effect"
import { ReturningSource } from "./directSource.ts"
import { sizeOf } from "./sizeOf.ts"

export interface Numbered<A> {
  readonly item: A
  readonly index: number
}

export class NumberedSource<A> extends ReturningSource<Numbered<A>, never, never> {
  readonly arrival: Effect.Effect<void> = Effect.void
  private readonly items: Iterable<A>
  private iterator: Iterator<A> | undefined
  private index = 0
  private isUsedUp = false

  constructor(items: Iterable<A>) {
    super()
    this.items = items
  }

  protected pollNext(): "Item" | "Done" {
    if (this.isUsedUp) return "Done"
    this.iterator ??= this.items[Symbol.iterator]()
    const next = this.iterator.next()
    if (next.done) {
      this.isUsedUp = true
      return "Done"
    }
    this.item = { item: next.value, index: this.index++ }
    return "Item"
  }

  override total(): number | undefined {
    return sizeOf(this.items)
  }

  override readonly close: Effect.Effect<void> = Effect.sync(() => {
    if (!this.isUsedUp) this.iterator?.return?.()
  })
}
