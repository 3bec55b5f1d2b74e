/**
 * The elasticity of duration to concurrency around a level, from readings that are forgotten with time and with
 * distance: a weighted regression `ln W = a + b ln n` that is drawn toward `b = 0` while there is little evidence.
 *
 * 0 means that more concurrency is all throughput, 1 that it is all waiting.
 */
import { elasticity as tuning } from "../tuning.ts"
import type { Reading } from "./reading.ts"

export interface Sample {
  readonly x: number
  readonly y: number
  readonly weight: number
}

export interface Fit {
  readonly intercept: number
  readonly slope: number
  readonly error: number
}

export const sampleOf = ({ concurrency, count, duration }: Reading): Sample => ({
  x: Math.log(concurrency),
  y: Math.log(duration),
  weight: Math.min(count, tuning.heaviest)
})

/** Adds a sample; the others count for `keeping` of what they did. */
export const remember = (
  samples: ReadonlyArray<Sample>,
  sample: Sample,
  keeping: number = tuning.keeping
): ReadonlyArray<Sample> => [
  ...samples.slice(1 - tuning.most).map(({ weight, x, y }) => ({ x, y, weight: keeping * weight })),
  sample
]

/**
 * How strongly the slope is drawn toward 0: more where durations vary, as for a slope that is expected within about 1 of
 * 0, up to a bound.
 */
const ridge = (variation: number): number => Math.min(tuning.mostRidge, tuning.ridge * variation ** 2)

export const fit = (samples: ReadonlyArray<Sample>, level: number, variation: number): Fit => {
  const center = Math.log(Math.max(1, level))
  const near = samples.map(({ weight, x, y }) => ({
    x,
    y,
    weight: weight * Math.exp(-(((x - center) / tuning.reach) ** 2) / 2) + tuning.traceWeight
  }))
  const total = sum(near, () => 1)
  const meanX = sum(near, ({ x }) => x) / total
  const meanY = sum(near, ({ y }) => y) / total
  const spread = ridge(variation) + sum(near, ({ x }) => (x - meanX) ** 2)
  const slope = sum(near, ({ x, y }) => (x - meanX) * (y - meanY)) / spread
  return { slope, intercept: meanY - slope * meanX, error: variation / Math.sqrt(spread) }
}

const sum = (samples: ReadonlyArray<Sample>, valueOf: (sample: Sample) => number): number =>
  samples.reduce((total, sample) => total + sample.weight * valueOf(sample), 0)

/** How far a sample lies above what the fit foretells. */
export const residual = ({ intercept, slope }: Fit, { x, y }: Sample): number => y - intercept - slope * x
