/**
 * A binary heap: the least key first, equal keys in the order they came.
 */
interface Entry<A> {
  readonly key: number
  readonly order: number
  readonly value: A
}

const isBefore = <A>(a: Entry<A>, b: Entry<A>): boolean => a.key < b.key || (a.key === b.key && a.order < b.order)

export class Heap<A> {
  private readonly entries: Array<Entry<A>> = []
  private pushed = 0

  get size(): number {
    return this.entries.length
  }

  /** The least key, `Infinity` where there is none. */
  get leastKey(): number {
    return this.entries.length === 0 ? Infinity : this.entries[0].key
  }

  get least(): A | undefined {
    return this.entries[0]?.value
  }

  push(key: number, value: A): void {
    const entry = { key, order: this.pushed++, value }
    let index = this.entries.length
    this.entries.push(entry)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(entry, this.entries[parent])) break
      this.entries[index] = this.entries[parent]
      index = parent
    }
    this.entries[index] = entry
  }

  pop(): A | undefined {
    const least = this.entries[0]
    const last = this.entries.pop()
    if (last !== undefined && this.entries.length > 0) this.sink(last)
    return least?.value
  }

  private sink(entry: Entry<A>): void {
    const { entries } = this
    const half = entries.length >> 1
    let index = 0
    while (index < half) {
      let child = 2 * index + 1
      if (child + 1 < entries.length && isBefore(entries[child + 1], entries[child])) child++
      if (!isBefore(entries[child], entry)) break
      entries[index] = entries[child]
      index = child
    }
    entries[index] = entry
  }
}
