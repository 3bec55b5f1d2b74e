/**
 * Arithmetic that the modules of the law share.
 */
export const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value))

/** The share of the way to a new value that a mean of time constant `tau` goes in the time `elapsed`. */
export const approach = (elapsed: number, tau: number): number => 1 - Math.exp(-elapsed / tau)

/** The same for a mean that is a plain one at first; `known` is the time that it spans, `elapsed` included. */
export const approachSoon = (elapsed: number, tau: number, known: number): number =>
  known > 0 ? Math.max(approach(elapsed, tau), elapsed / known) : 1

/** Means of time constant `tau` after the time `elapsed`: from what they were, if anything, to what was measured now. */
export const smoothing = (elapsed: number, tau: number): (from: number | null | undefined, to: number) => number => {
  const share = approach(elapsed, tau)
  return (from, to) => from == null ? to : from + share * (to - from)
}
