/**
 * Random numbers that depend on their seed alone.
 *
 * The generator is mulberry32 (Tommy Ettinger, public domain); the seeds are mixed as in the finalizer of MurmurHash3.
 */
import type { TaskRandom } from "../Workload.ts"

const mix = (value: number): number => {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** One seed of several numbers, such as a run's seed and the index of a task. */
export const seedOf = (...parts: ReadonlyArray<number>): number =>
  parts.reduce((seed, part) => mix(Math.imul(seed, 31) + 0x9e3779b9 + part), 0x2545f491)

export class SeededRandom implements TaskRandom {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  /** Evenly on a logarithmic scale. */
  logBetween(low: number, high: number): number {
    return Math.exp(this.between(Math.log(low), Math.log(high)))
  }

  pick<A>(choices: ReadonlyArray<A>): A {
    return choices[Math.floor(this.next() * choices.length)]
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  lognormal(mean: number, variation: number): number {
    const variance = Math.log(1 + variation * variation)
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
    return Math.exp(Math.log(mean) - variance / 2 + Math.sqrt(variance) * normal)
  }
}
