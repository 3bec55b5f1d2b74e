/**
 * Doubles until duration grows as fast as concurrency does, which means that throughput no longer does (Little's law:
 * concurrency = throughput x duration), and lands on the bandwidth-delay product.
 */
import { elasticity, pool, type Reading, throughput } from "./measurement.ts"
import { clamp } from "./numbers.ts"

/**
 * - `readings`: one of each level so far, the lowest first.
 * - `unsure`: readings of the present level that look congested without being significant, as one, and how many.
 */
export interface SlowStart {
  readonly _tag: "SlowStart"
  readonly readings: ReadonlyArray<Reading>
  readonly unsure: { readonly reading: Reading; readonly times: number } | null
}

export const initial: SlowStart = { _tag: "SlowStart", readings: [], unsure: null }

export type Outcome =
  | { readonly _tag: "Grow"; readonly next: SlowStart }
  | { readonly _tag: "Wait"; readonly next: SlowStart }
  | { readonly _tag: "Land"; readonly level: number }

/** More of a rise in concurrency than this lost to duration, and doubling does not pay. */
const congested = 0.6
const mostUnsure = 4

export const step = ({ readings, unsure }: SlowStart, latest: Reading, variation: number): Outcome => {
  const reading = unsure === null ? latest : pool(unsure.reading, latest)
  const times = (unsure?.times ?? 0) + 1
  const doubts = readings.filter((lower) => reading.concurrency > 1.15 * lower.concurrency)
    .map((lower) => ({ lower, ...elasticity(lower, reading, variation) }))
    .filter(({ value }) => value > congested)
  if (doubts.length > 0 && times < mostUnsure && doubts.every(({ error, value }) => value < 2.5 * error)) {
    return { _tag: "Wait", next: { _tag: "SlowStart", readings, unsure: { reading, times } } }
  }
  const proven = doubts.find(({ error, value }) => value > 1.2 * error)
  if (proven !== undefined) return { _tag: "Land", level: landing([...readings, reading]) }
  return { _tag: "Grow", next: { _tag: "SlowStart", readings: [...readings, reading], unsure: null } }
}

/** The bandwidth-delay product, with a little to spare: throughput at its best times duration without congestion. */
const landing = (readings: ReadonlyArray<Reading>): number => {
  const highest = readings[readings.length - 1]
  const best = Math.max(...readings.map(throughput))
  const lowest = readings.reduce((found, reading) => reading.duration < found.duration ? reading : found)
  return clamp(1.15 * best * lowest.duration, lowest.concurrency, highest.concurrency)
}
