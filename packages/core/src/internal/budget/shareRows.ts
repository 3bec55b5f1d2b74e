/**
 * The figures by which consumers are compared, as columns of numbers: finding the least of a thousand takes a microsecond
 * and no upkeep. The rows of those that wait come first.
 */
export interface Row {
  readonly weight: number
  readonly permits: number
  /** Permits that its next request takes. */
  readonly size: number
  row: number
}

export class ShareRows<A extends Row> {
  /** How many wait. */
  waiting = 0
  private readonly entries: Array<A> = []
  /** Permits per weight. */
  private level = new Float64Array(8)
  /** Permits per weight once its next request is granted. */
  private next = new Float64Array(8)
  private size = new Float64Array(8)
  /** Permit-time per weight is `base + level * now`. */
  private base = new Float64Array(8)

  /** Of those that wait, the first. */
  get first(): A | undefined {
    return this.waiting > 0 ? this.entries[0] : undefined
  }

  /** One of those that wait, by its row. */
  at(row: number): A {
    return this.entries[row]
  }

  add(entry: A): void {
    entry.row = this.entries.push(entry) - 1
    if (entry.row >= this.level.length) this.grow()
    this.base[entry.row] = 0
    this.level[entry.row] = 0
    this.request(entry)
  }

  /** Removes one that does not wait. */
  remove(entry: A): void {
    this.swap(entry.row, this.entries.length - 1)
    this.entries.pop()
  }

  wait(entry: A): void {
    this.swap(entry.row, this.waiting++)
  }

  rest(entry: A): void {
    this.swap(entry.row, --this.waiting)
  }

  /** Its permits or its weight have changed: the time until now is charged as it was. */
  update(entry: A, now: number): void {
    const { permits, row, weight } = entry
    const used = this.base[row] + this.level[row] * now
    const level = permits / weight
    this.level[row] = level
    this.base[row] = used - level * now
    this.request(entry)
  }

  /** The size of its request has changed. */
  request({ permits, row, size, weight }: A): void {
    this.size[row] = size
    this.next[row] = (permits + size) / weight
  }

  /** Permit-time over weight. */
  used({ row }: A, now: number): number {
    return this.base[row] + this.level[row] * now
  }

  /** Counts as having had at least so much. */
  raise({ row }: A, used: number, now: number): void {
    this.base[row] = Math.max(this.base[row], used - this.level[row] * now)
  }

  /**
   * Who waits and would hold least with what it asks for, unless that is more than `most`; of several, who has had least.
   * Where something else than the permits keeps starts few, all hold about as much, and that alone decides.
   */
  leastNext(most: number, now: number): A | undefined {
    const { base, level, next, waiting } = this
    let best = -1
    let least = most
    let had = Infinity
    for (let row = 0; row < waiting; row++) {
      if (next[row] > least) continue
      const used = base[row] + level[row] * now
      if (next[row] === least && used >= had) continue
      least = next[row]
      had = used
      best = row
    }
    return best < 0 ? undefined : this.entries[best]
  }

  /** Who waits, holds less than `below`, asks for no more than `largest`, and has had least. */
  leastUsed(now: number, below: number, largest: number): A | undefined {
    const { base, level, size, waiting } = this
    let best = -1
    let least = Infinity
    for (let row = 0; row < waiting; row++) {
      const used = base[row] + level[row] * now
      if (used >= least || level[row] >= below || size[row] > largest) continue
      least = used
      best = row
    }
    return best < 0 ? undefined : this.entries[best]
  }

  private swap(a: number, b: number): void {
    if (a === b) return
    const [first, second] = [this.entries[a], this.entries[b]]
    this.entries[a] = second
    this.entries[b] = first
    first.row = b
    second.row = a
    for (const column of [this.level, this.next, this.size, this.base]) {
      const value = column[a]
      column[a] = column[b]
      column[b] = value
    }
  }

  private grow(): void {
    const grown = (column: Float64Array) => {
      const next = new Float64Array(2 * column.length)
      next.set(column)
      return next
    }
    this.level = grown(this.level)
    this.next = grown(this.next)
    this.size = grown(this.size)
    this.base = grown(this.base)
  }
}
