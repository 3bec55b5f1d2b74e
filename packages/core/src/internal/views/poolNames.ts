/**
 * Unique names of pools that run at the same time: `crawl`, `crawl#2`, `crawl#3` and so on, the lowest number that is free.
 */

/** Numbers of one wanted name: how many are in use, and the lowest that may be free. */
interface Numbers {
  used: number
  lowest: number
}

/** A name that is in use, until it is left. */
export interface Name {
  readonly name: string
  readonly leave: () => void
}

export class PoolNames {
  private readonly inUse = new Set<string>()
  private readonly numbers = new Map<string, Numbers>()

  enter(wanted: string): Name {
    const numbers = this.numbers.get(wanted) ?? { used: 0, lowest: 1 }
    this.numbers.set(wanted, numbers)
    numbers.used++
    // Pools may be called `crawl#2` by their programs too.
    while (this.inUse.has(numbered(wanted, numbers.lowest))) numbers.lowest++
    const number = numbers.lowest++
    const name = numbered(wanted, number)
    this.inUse.add(name)
    return { name, leave: () => this.leave(wanted, numbers, number) }
  }

  private leave(wanted: string, numbers: Numbers, number: number): void {
    if (!this.inUse.delete(numbered(wanted, number))) return
    numbers.lowest = Math.min(numbers.lowest, number)
    if (--numbers.used === 0) this.numbers.delete(wanted)
  }
}

const numbered = (wanted: string, number: number): string => number === 1 ? wanted : `${wanted}#${number}`
