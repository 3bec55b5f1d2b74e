/**
 * Arithmetic that the modules of the law share.
 */
export const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value))

/** The share of the way to a new value that a mean of time constant `tau` goes in the time `elapsed`. */
export const approach = (elapsed: number, tau: number): number => 1 - Math.exp(-elapsed / tau)
