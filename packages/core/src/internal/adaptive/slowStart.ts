/**
 * Doubles until duration grows as fast as concurrency does, which means that throughput no longer does (Little's law:
 * concurrency = throughput x duration), and lands on the bandwidth-delay product.
 */
import { elasticity, pool, type Reading, throughput } from "./measurement.ts"
import { clamp } from "./numbers.ts"

/**
 * - `readings`: one of each level so far, the lowest first.
 * - `unsure`: readings of the present level that look congested without being significant, as one, and how many.
 * - `doubted`: readings of it that looked congested while the event loop was shaken, and that count for nothing.
 */
export interface SlowStart {
  readonly _tag: "SlowStart"
  readonly readings: ReadonlyArray<Reading>
  readonly unsure: { readonly reading: Reading; readonly times: number } | null
  readonly doubted: number
}

/** To go on with what was read before. */
export const resume = (readings: ReadonlyArray<Reading>, tried: Reading | null): SlowStart => ({
  _tag: "SlowStart",
  readings,
  unsure: tried === null ? null : { reading: tried, times: 1 },
  doubted: 0
})

export const initial: SlowStart = resume([], null)

/** `Descend`: the first doubling was one too many already, so that the optimum may lie anywhere below. */
export type Outcome =
  | { readonly _tag: "Grow"; readonly next: SlowStart }
  | { readonly _tag: "Wait"; readonly next: SlowStart }
  | { readonly _tag: "Land"; readonly level: number }
  | { readonly _tag: "Descend"; readonly from: Reading; readonly above: Reading }

/** More of a rise in concurrency than this lost to duration, and doubling does not pay. */
const congested = 0.5
const mostUnsure = 4

/** What blocks the event loop at a new level may be over soon: it is measured so many times more before it counts. */
const mostDoubted = 3

export const step = (phase: SlowStart, latest: Reading, variation: number, isShaken = false): Outcome => {
  const { doubted, readings, unsure } = phase
  const reading = unsure === null ? latest : pool(unsure.reading, latest)
  const times = (unsure?.times ?? 0) + 1
  const lower = readings.filter(({ concurrency }) => reading.concurrency > 1.15 * concurrency)
  if (lower.length > 0) {
    const { error, value } = elasticity(lower.reduce(longer), reading, variation)
    const isCongested = value > congested
    if (isCongested && isShaken && doubted < mostDoubted) {
      return { _tag: "Wait", next: { ...phase, doubted: doubted + 1 } }
    }
    if (isCongested && value <= 2.5 * error && times < mostUnsure) {
      return { _tag: "Wait", next: { ...phase, unsure: { reading, times } } }
    }
    if (isCongested && value > 1.8 * error) {
      return lower.length > 1
        ? { _tag: "Land", level: landing(lower, reading) }
        : { _tag: "Descend", from: lower[0], above: reading }
    }
  }
  return { _tag: "Grow", next: resume([...readings, reading], null) }
}

// The level of the longest duration shows a knee first: the level just below it, unless that was read before any of the
// long tasks had ended.
const longer = (a: Reading, b: Reading): Reading => b.duration < a.duration ? a : b

/** The bandwidth-delay product, with a little to spare: throughput at its best times duration without congestion. */
const landing = (lower: ReadonlyArray<Reading>, highest: Reading): number => {
  const best = Math.max(throughput(highest), throughput(lower[lower.length - 1]))
  const free = Math.min(...lower.map(({ duration }) => duration))
  return clamp(1.15 * best * free, lower[0].concurrency, highest.concurrency)
}
