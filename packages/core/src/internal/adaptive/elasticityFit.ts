/**
 * The elasticity of duration to concurrency around a level, from readings that are forgotten with time and with
 * distance: a weighted regression `ln W = a + b ln n` that is drawn toward `b = 0` while there is little evidence.
 *
 * 0 means that more concurrency is all throughput, 1 that it is all waiting.
 */
import type { Reading } from "./measurement.ts"

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

const reach = 0.22

/**
 * How strongly the slope is drawn toward 0: more where durations vary, as for a slope that is expected within about 1 of
 * 0, up to a bound.
 */
const ridge = (variation: number): number => Math.min(0.6, 0.8 * variation * variation)

const heaviest = 200
const most = 24

export const sampleOf = ({ concurrency, count, duration }: Reading): Sample => ({
  x: Math.log(concurrency),
  y: Math.log(duration),
  weight: Math.min(count, heaviest)
})

export const readingOf = ({ weight, x, y }: Sample): Reading => ({
  concurrency: Math.exp(x),
  duration: Math.exp(y),
  count: weight
})

/** Adds a sample; the others count for `keeping` of what they did. */
export const remember = (
  samples: ReadonlyArray<Sample>,
  sample: Sample,
  keeping: number
): ReadonlyArray<Sample> => [
  ...samples.slice(-most + 1).map(({ weight, x, y }) => ({ x, y, weight: keeping * weight })),
  sample
]

export const fit = (samples: ReadonlyArray<Sample>, level: number, variation: number): Fit => {
  const center = Math.log(Math.max(1, level))
  const near = ({ weight, x }: Sample) => weight * Math.exp(-0.5 * ((x - center) / reach) ** 2) + 1e-6
  let total = 0, sumX = 0, sumY = 0
  for (const sample of samples) {
    const weight = near(sample)
    total += weight
    sumX += weight * sample.x
    sumY += weight * sample.y
  }
  const meanX = sumX / total
  const meanY = sumY / total
  let spread = ridge(variation), common = 0
  for (const sample of samples) {
    const weight = near(sample)
    spread += weight * (sample.x - meanX) ** 2
    common += weight * (sample.x - meanX) * (sample.y - meanY)
  }
  const slope = common / spread
  return { slope, intercept: meanY - slope * meanX, error: variation / Math.sqrt(spread) }
}

/** How far a sample lies above what the fit foretells. */
export const residual = ({ intercept, slope }: Fit, { x, y }: Sample): number => y - intercept - slope * x
