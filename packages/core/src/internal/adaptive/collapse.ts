/**
 * Watches for congestion collapse: where as many tasks as before, or more, get far less done.
 *
 * A service that is asked too much may serve less the longer its queue grows, so that a comparison of two levels, which
 * takes as long as tasks do, comes too late. How much is done per time shows it sooner than how long tasks take.
 */
import type { Observation } from "../../ScalingPolicy.ts"
import { add, begin, isSaturated, type Measurement } from "./measurement.ts"
import { clamp } from "./numbers.ts"
import { type Pace, variation } from "./pace.ts"

/** The best there was: tasks served per millisecond, and the mean in flight at which they were. */
export interface Peak {
  readonly throughput: number
  readonly concurrency: number
}

/**
 * - `window`: what is being watched now.
 * - `isSuspect`: whether in the last one throughput had collapsed. While tasks of another duration take the place of
 *   those before, few end for a while: only a second one tells.
 * - `collapsed`: the last one, if it was such a second.
 */
export interface Watch {
  readonly window: Measurement
  readonly peak: Peak | null
  readonly isSuspect: boolean
  readonly collapsed: Measurement | null
}

export const initial: Watch = { window: begin, peak: null, isSuspect: false, collapsed: null }

/** Only where the limit was made use of is throughput one of it. */
export const observe = (watch: Watch, observation: Observation, elapsed: number, pace: Pace): Watch => {
  if (!isSaturated(observation)) return { ...watch, window: begin, isSuspect: false, collapsed: null }
  const window = add(watch.window, observation, elapsed)
  if (!isComplete(window, watch.peak, pace)) return { ...watch, window, collapsed: null }
  if (watch.peak === null) return { ...initial, peak: peakOf(window) }
  if (!hasCollapsed(window, watch.peak)) return { ...initial, peak: after(watch.peak, window) }
  return { ...watch, window: begin, isSuspect: true, collapsed: watch.isSuspect ? window : null }
}

const peakOf = ({ count, elapsed, taskTime }: Measurement): Peak => ({
  throughput: count / elapsed,
  concurrency: taskTime / elapsed
})

/** Tasks that must end in a window for it to count. */
const fewestEnds = 20

/** Long enough to see tasks end that began in it; where hardly any do, as long as twice as many should have. */
const isComplete = ({ count, elapsed }: Measurement, peak: Peak | null, pace: Pace): boolean => {
  const time = peak === null ? pace.duration : peak.concurrency / peak.throughput
  if (elapsed < Math.max(1000, 1.25 * time)) return false
  const enough = clamp(20 * variation(pace) ** 2, fewestEnds, 100)
  return count >= enough || (peak !== null && peak.throughput * elapsed >= 2 * enough)
}

/** Less than this share of the best throughput, at as many tasks or more, and it has collapsed. */
const collapsedShare = 0.6

const hasCollapsed = ({ count, elapsed, taskTime }: Measurement, { concurrency, throughput }: Peak): boolean =>
  taskTime >= 0.85 * concurrency * elapsed && count < collapsedShare * throughput * elapsed

// The best of many noisy windows is better than any is in truth: of about the same level, it is their mean that counts.
const after = (peak: Peak, window: Measurement): Peak => {
  const latest = peakOf(window)
  const isNear = Math.abs(Math.log(latest.concurrency / peak.concurrency)) < 0.15
  if (!isNear && latest.throughput > peak.throughput) return latest
  if (!isNear && latest.concurrency < peak.concurrency) return peak
  const share = isNear ? 0.3 : 0.1
  return {
    throughput: peak.throughput + share * (latest.throughput - peak.throughput),
    concurrency: peak.concurrency
  }
}
