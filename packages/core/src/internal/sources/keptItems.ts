/**
 * Items that a source has got and no task has ended with: it hands them out before it asks for others. Runs that take from
 * the source are told of them, because what they ask for themselves may take long to be answered.
 */
export class KeptItems<A> {
  private readonly items: Array<A> = []
  private readonly takers = new Set<() => void>()

  get count(): number {
    return this.items.length
  }

  keep(item: A): void {
    this.items.push(item)
    for (const onKept of this.takers) onKept()
  }

  /** The oldest one, where there is one. */
  next(): A {
    return this.items.shift() as A // asked only where there is one: an item may itself be undefined
  }

  /** Lets go of all: they will be handed out anew. */
  clear(): void {
    this.items.length = 0
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

export const keeping = <S extends object>(kept: KeptItems<unknown>, source: S): S =>
  Object.assign(source, { [Kept]: kept })

export const keptOf = (source: object): KeptItems<unknown> | undefined =>
  Kept in source ? source[Kept] as KeptItems<unknown> : undefined // only `keeping` gives a source this property
