/**
 * The best throughput that there was, and whether it has collapsed: whether as many tasks as before, or more, get far less
 * done.
 *
 * A service that is asked too much may serve less the longer its queue grows, so that a comparison of two levels, which
 * takes as long as tasks do, comes too late. How much is done per time shows it sooner than how long tasks take.
 */
import type { Observation } from "../../../ScalingPolicy.ts"
import { clamp } from "../numbers.ts"
import { best as tuning, saturated, tolerance, wait, waits } from "../tuning.ts"
import { add, begin, type Measurement, type Reading, soFar, throughput } from "./reading.ts"
import { type Tasks, variation } from "./tasks.ts"

/**
 * - `window`: what is being watched now.
 * - `reading`: the best there was, by Little's law.
 * - `isSuspect`: whether in the last window throughput had collapsed. While tasks of another duration take the place of
 *   those before, few end for a while: only a second one tells.
 * - `collapsed`: the last window, if it was such a second.
 */
export interface Best {
  readonly window: Measurement
  readonly reading: Reading | null
  readonly isSuspect: boolean
  readonly collapsed: Reading | null
}

export const initial: Best = { window: begin, reading: null, isSuspect: false, collapsed: null }

/** Only where the limit was made use of is throughput one of it. What has collapsed is not the best any more. */
export const observe = (before: Best, observation: Observation, elapsed: number, tasks: Tasks): Best => {
  const best = before.collapsed === null ? before : initial
  if (observation.saturatedShare < saturated) return { ...initial, reading: best.reading }
  const window = add(best.window, observation, elapsed)
  if (!isComplete(window, best.reading, tasks)) return { ...best, window, collapsed: null }
  const latest = soFar(window)
  if (best.reading === null) return { ...initial, reading: latest }
  return hasCollapsed(latest, best.reading)
    ? { ...best, window: begin, isSuspect: true, collapsed: best.isSuspect ? latest : null }
    : { ...initial, reading: after(best.reading, latest) }
}

/** Long enough to see tasks end that began in it; where hardly any do, as long as twice as many should have. */
const isComplete = ({ count, elapsed }: Measurement, best: Reading | null, tasks: Tasks): boolean => {
  const enough = clamp(tuning.perVariance * variation(tasks) ** 2, tuning.fewest, tuning.most)
  const expected = best === null ? 0 : throughput(best) * elapsed / 2
  return elapsed >= wait(waits.window, best?.duration ?? tasks.duration) && Math.max(count, expected) >= enough
}

const hasCollapsed = (latest: Reading, best: Reading): boolean =>
  latest.concurrency >= (1 - tolerance.near) * best.concurrency &&
  throughput(latest) < tuning.collapsed * throughput(best)

// The best of many noisy windows is better than any is in truth: of about the same level, it is their mean that counts.
const after = (best: Reading, latest: Reading): Reading => {
  const isNear = Math.abs(Math.log(latest.concurrency / best.concurrency)) < tolerance.near
  if (!isNear && throughput(latest) > throughput(best)) return latest
  const share = isNear ? tuning.nearShare : tuning.farShare
  const next = throughput(best) + share * (throughput(latest) - throughput(best))
  return { ...best, duration: best.concurrency / next }
}
