/**
 * The items of an iterable, asked of its iterator one at a time.
 */
import * as Effect from "effect/Effect"
import { ReturningSource } from "./directSource.ts"
import { sizeOf } from "./sizeOf.ts"

export class IterableSource<A> extends ReturningSource<A, never, never> {
  readonly arrival: Effect.Effect<void> = Effect.void
  private readonly iterable: Iterable<A>
  private iterator: Iterator<A> | undefined
  private isDone = false
  /** What was asked last, in an earlier run, has thrown. */
  private hasThrown = false
  private polled = 0
  /** Items of earlier runs that are done with. */
  private consumed = 0

  constructor(iterable: Iterable<A>) {
    super()
    this.iterable = iterable
  }

  protected pollNext(): "Item" | "Done" {
    if (this.isDone) return "Done"
    const next = this.next()
    if (next.done) {
      if (this.hasThrown) throw new Error(endedByThrowing)
      this.isDone = true
      return "Done"
    }
    this.hasThrown = false
    this.item = next.value
    this.polled++
    return "Item"
  }

  private next(): IteratorResult<A> {
    try {
      this.iterator ??= this.iterable[Symbol.iterator]()
      return this.iterator.next()
    } catch (defect) {
      this.hasThrown = true
      throw defect
    }
  }

  override total(): number | undefined {
    const size = sizeOf(this.iterable)
    return size === undefined ? undefined : size - this.consumed
  }

  override readonly close: Effect.Effect<void> = Effect.sync(() => {
    this.consumed = this.polled - this.returned.count
  })

  override readonly leave: Effect.Effect<void> = Effect.sync(() => {
    const isOpen = this.iterator !== undefined && !this.isDone
    this.isDone = true
    if (isOpen) this.iterator?.return?.()
  })
}

const endedByThrowing =
  "An iterable that threw when a run asked for its next item has ended with that, as a generator does, so that no further run " +
  "can go on with it. Make a source and a pool for each run, or catch what it throws where it comes from."
