/**
 * What a key may do, as numbers for one key.
 */

export interface Adapting {
  readonly min: number
  readonly max: number
}

export interface KeyPlan<K> {
  /** Tasks of a key at once, at most. */
  readonly concurrency: (key: K) => number
  /** Milliseconds between two starts of a key. */
  readonly interval: (key: K) => number
  /** Within which bounds a key finds its own limit, if it does. */
  readonly adapt: Adapting | undefined
  /** Items that a pool holds back at most. */
  readonly lookAhead: number
  /** Keys that nothing runs for and that are remembered all the same. */
  readonly maxKeys: number
}
