/**
 * The steady state: now and then the limit is tried a little above and a little below its center, and the center moves
 * where the elasticity of duration says so. It moves on evidence only.
 */
import { fit, readingOf, remember, residual, type Sample, sampleOf } from "./elasticityFit.ts"
import type { Reading } from "./measurement.ts"
import { approach, clamp } from "./numbers.ts"

/**
 * - `center`: the level around which is probed.
 * - `stage`: what is being measured: the center, above it, below it, or, after durations rose unforeseen, far below it.
 * - `hold`, `interval`: readings still to wait at the center, and how many to wait after the next undecided probe.
 * - `ups`, `downs`: moves in one direction so far.
 * - `surprises`: readings in a row that the samples did not foretell.
 * - `wantsMore`: whether more gained throughput when it was tried last, so that only a bound stands in the way.
 * - `samples`: readings, the latest last.
 */
export interface Probing {
  readonly _tag: "Probing"
  readonly center: number
  readonly stage: "Hold" | "Above" | "Below" | "Descend"
  readonly hold: number
  readonly interval: number
  readonly ups: number
  readonly downs: number
  readonly surprises: number
  readonly wantsMore: boolean
  readonly samples: ReadonlyArray<Sample>
}

export const initial = (center: number, wantsMore = false): Probing => ({
  _tag: "Probing",
  center,
  stage: "Hold",
  hold: 1,
  interval: 2,
  ups: 0,
  downs: 0,
  surprises: 0,
  wantsMore,
  samples: []
})

const far = 1.5

/** To seek far below a reading that may be congested; `above`: what was read above it, if anything. */
export const descendFrom = (reading: Reading, above: ReadonlyArray<Reading> = []): Probing => ({
  ...initial(reading.concurrency),
  stage: "Descend",
  samples: [...above, reading].map(sampleOf)
})

export const levelBelow = (center: number, least: number): number => Math.max(least, Math.min(center - 1, center / far))

/** Within which bounds to probe, and by what clock; `isFirm`: whether it is memory that sets the upper one. */
export interface Bounds {
  readonly least: number
  readonly most: number
  readonly isFirm: boolean
  readonly variation: number
  readonly time: number
}

/**
 * More may be better, so the optimum is to be sought from here.
 *
 * - `known`: readings of lower levels, the lowest first.
 * - `tried`: the reading of this level that seemed too much, to be made sure of.
 */
export interface Restart {
  readonly _tag: "Restart"
  readonly level: number
  readonly known: ReadonlyArray<Reading>
  readonly tried: Reading | null
}

export type Outcome = { readonly _tag: "Probe"; readonly next: Probing; readonly level: number } | Restart

/** Samples of the center alone tell no slope, so that they push out less of what does. */
const recall = ({ samples, stage }: Probing, sample: Sample): ReadonlyArray<Sample> =>
  remember(samples, sample, stage === "Hold" ? 0.95 : 0.8)

export const step = (probing: Probing, reading: Reading, bounds: Bounds): Outcome => {
  const sample = sampleOf(reading)
  if (probing.stage === "Descend") return descend(probing, sample, bounds)
  const error = surprise(probing, sample, reading.count, bounds.variation)
  if (error === 0) return proceed({ ...probing, surprises: 0, samples: recall(probing, sample) }, reading, bounds)
  if (probing.surprises === 0) {
    return proceed({ ...probing, surprises: 1, samples: recall(probing, sample) }, reading, bounds)
  }
  if (error < 0) return restart(probing.center)
  return startDescent(probing, sample, bounds)
}

/** How far a reading is off what was foretold, 0 if that is within what variation explains. */
const surprise = ({ center, samples }: Probing, sample: Sample, count: number, variation: number): number => {
  if (samples.length < 2) return 0
  const error = residual(fit(samples, center, variation), sample)
  return Math.abs(error) > Math.max(0.3, 3 * variation / Math.sqrt(count)) ? error : 0
}

const moved = (probing: Probing, center: number): Probing => ({
  ...probing,
  center,
  stage: "Hold",
  hold: 0,
  interval: 1
})

// Durations rose: by congestion or not? Far below the center tells quickly.
const startDescent = (probing: Probing, sample: Sample, bounds: Bounds): Outcome => {
  const next: Probing = {
    ...probing,
    stage: "Descend",
    surprises: 0,
    ups: 0,
    downs: 0,
    wantsMore: false,
    samples: [sample]
  }
  return { _tag: "Probe", next, level: levelBelow(probing.center, bounds.least) }
}

const descend = (probing: Probing, sample: Sample, bounds: Bounds): Outcome => {
  const before = probing.samples[probing.samples.length - 1]
  const slope = (before.y - sample.y) / Math.max(0.05, before.x - sample.x)
  const samples = recall(probing, sample)
  if (slope > 0.6) {
    // What was tried may lie far below, where more was served before a collapse.
    const center = Math.min(levelBelow(probing.center, bounds.least), Math.exp(sample.x))
    const next: Probing = { ...probing, center, samples, downs: probing.downs + 1, wantsMore: false }
    return { _tag: "Probe", next, level: levelBelow(center, bounds.least) }
  }
  // What was begun upon an unfinished or a mixed reading is not gone on with where nothing confirms it.
  if (slope < 0.3 && probing.downs <= 1) return retry(probing, sample)
  // Unclear: to be read again, and measured against the lower one.
  if (probing.downs === 0) return restart(probing.center, [sample], before)
  const next = { ...moved(probing, probing.center), samples }
  return { _tag: "Probe", next, level: probing.center }
}

const restart = (level: number, known: ReadonlyArray<Sample> = [], tried?: Sample): Restart => ({
  _tag: "Restart",
  level,
  known: known.map(readingOf),
  tried: tried === undefined ? null : readingOf(tried)
})

/** Fewer did not help. Where more was tried before that, it may have seemed too much by chance. */
const retry = ({ center, samples }: Probing, below: Sample): Restart => {
  const tried = samples.find(({ x }) => x > Math.log(1.15 * center))
  return tried === undefined
    ? restart(center, [below])
    : restart(Math.exp(tried.x), [below, samples[samples.length - 1]], tried)
}

/** The center after a bound rose that stood in its way. */
export const follow = (probing: Probing, most: number, elapsed: number, time: number): Probing => {
  const { center, stage, wantsMore } = probing
  if (!wantsMore || stage !== "Hold" || most <= 1.03 * center) return probing
  if (most > 1.6 * center) return { ...probing, wantsMore: false }
  const rise = (most - center) * approach(elapsed, clamp(10 * time, 5000, 30_000))
  return { ...probing, center: center + Math.min(rise, 0.25 * center) }
}

/** The center after a bound sank below it. */
export const giveWay = (probing: Probing, level: number): Probing => ({
  ...probing,
  center: Math.min(probing.center, level),
  stage: "Hold",
  wantsMore: true
})

/** The same around another center, which losses have set. */
export const recenter = (probing: Probing, center: number): Probing => ({
  ...probing,
  center,
  stage: "Hold"
})

const distance = (reading: Reading, variation: number): number =>
  clamp(Math.max(0.2, 1.6 * variation / Math.sqrt(Math.max(15, reading.count))), 0.1, 0.5)

const levelOf = (probing: Probing, { least, most, variation }: Bounds, reading: Reading): number => {
  const { center, stage } = probing
  const factor = 1 + distance(reading, variation)
  if (stage === "Above") return Math.min(most, Math.max(center + 1, center * factor))
  if (stage === "Below") return Math.max(least, Math.min(center - 1, center / factor))
  return center
}

const proceed = (probing: Probing, reading: Reading, bounds: Bounds): Outcome => {
  const at = (next: Probing): Outcome => ({ _tag: "Probe", next, level: levelOf(next, bounds, reading) })
  if (probing.stage === "Hold") {
    if (probing.hold > 0) return at({ ...probing, hold: probing.hold - 1 })
    const hasRoomAbove = levelOf({ ...probing, stage: "Above" }, bounds, reading) >= 1.02 * probing.center
    return at({ ...probing, stage: hasRoomAbove ? "Above" : "Below" })
  }
  const { error, slope } = fit(probing.samples, probing.center, bounds.variation)
  if (probing.stage === "Above") return at({ ...probing, stage: "Below" })
  if (probing.ups >= 2 && slope + error < 0.35 && bounds.most > 2 * probing.center) {
    return restart(probing.center)
  }
  if (slope + 1.2 * error < 0.6 || slope < 0.4) return at(raise(probing, bounds))
  if (slope > 0.8 && slope - error > 0.4) return at(lower(probing, bounds))
  return at({
    ...probing,
    stage: "Hold",
    ups: 0,
    downs: 0,
    wantsMore: false,
    hold: Math.round(probing.interval),
    interval: Math.min(longestHold(bounds.time), 1.6 * probing.interval)
  })
}

const raise = (probing: Probing, bounds: Bounds): Probing => {
  const { most } = bounds
  const ups = probing.ups + 1
  const center = Math.min(most, Math.max(probing.center + 1, 1.2 * probing.center))
  const next = { ...moved(probing, center), ups, downs: 0, wantsMore: center >= 0.98 * most }
  return center < 0.98 * most ? next : prove(next, bounds)
}

/**
 * More has paid up to a bound, so that there is nothing to gain by trying soon, and the later the more often it has. The
 * bound of memory wavers least of all, and what a try below it frees has to be got from the system again.
 */
export const prove = (probing: Probing, { isFirm, time }: Bounds): Probing => {
  const interval = longestHold(time)
  const times = (isFirm ? firmly : 1) * clamp(probing.ups, 1, 4)
  return { ...probing, hold: Math.round(times * interval), interval }
}

/** By what to wait longer below a bound of memory. */
const firmly = 4

/** Readings to wait at most between two probes where no bound is proven: about 20 seconds' worth. */
const longestHold = (time: number): number => clamp(20_000 / clamp(time, 1000, 10_000), 2, 12)

// Gently at first: the evidence that calls for it is weak, and the move free.
const lower = (probing: Probing, { least }: Bounds): Probing => {
  const downs = probing.downs + 1
  const factor = downs === 1 ? 1.15 : downs === 2 ? 1.3 : 1.6
  const center = Math.max(least, Math.min(probing.center - 1, probing.center / factor))
  return { ...moved(probing, center), downs, ups: 0, wantsMore: false }
}
