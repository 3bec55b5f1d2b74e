/**
 * Arithmetic that the modules of the law share.
 */
export const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value))

/** The share of the way to a new value that a mean of time constant `tau` goes in the time `elapsed`. */
export const approach = (elapsed: number, tau: number): number => 1 - Math.exp(-elapsed / tau)

/**
 * Means of time constant `tau` after the time `elapsed`: from what they were, if anything, to what was measured now;
 * `known`, the time that they span with it, makes them plain ones as long as that is short.
 */
export const smoothing = (
  elapsed: number,
  tau: number,
  known = Infinity
): (from: number | null | undefined, to: number) => number => {
  const share = known > 0 ? Math.max(approach(elapsed, tau), elapsed / known) : 1
  return (from, to) => from == null ? to : from + share * (to - from)
}
