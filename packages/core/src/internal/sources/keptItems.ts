/**
 * Items that a source has got and no task has ended with: it hands them out before it asks for others. Runs that take from
 * the source are told of them, because what they ask for themselves may take long to be answered.
 */
import * as MutableList from "effect/MutableList"

export class KeptItems<A> {
  // Not an array: taking the first of a hundred thousand would move all the others.
  private readonly items = MutableList.make<A>()
  private readonly takers = new Set<() => void>()

  get count(): number {
    return this.items.length
  }

  keep(item: A): void {
    MutableList.append(this.items, item)
    for (const onKept of this.takers) onKept()
  }

  /** The oldest one, where there is one. */
  next(): A {
    return MutableList.take(this.items) as A // asked only where there is one: an item may itself be undefined
  }

  /** Lets go of all: they will be handed out anew. */
  clear(): void {
    MutableList.clear(this.items)
  }

  /** How many runs take from the source. */
  get takerCount(): number {
    return this.takers.size
  }

  /** A run begins to take from the source; returns what ends that. */
  join(onKept: () => void): () => void {
    this.takers.add(onKept)
    return () => void this.takers.delete(onKept)
  }
}

const Kept: unique symbol = Symbol.for("@autoscaled-pool/core/TaskSource/kept")

export const keeping = <A, S extends object>(kept: KeptItems<A>, source: S): S =>
  Object.assign(source, { [Kept]: kept })

export const keptOf = (source: object): KeptItems<unknown> | undefined =>
  Kept in source ? source[Kept] as KeptItems<unknown> : undefined // only `keeping` gives a source this property
