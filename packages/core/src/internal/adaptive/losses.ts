/**
 * Work that was not served: rejections, timeouts, failures. It never counts as throughput.
 *
 * A loss cuts concurrency to what is being served, by Little's law on the tasks that were. From there the limit returns
 * quickly to just below where the loss began, and then probes upward, waiting longer after each probe that failed.
 *
 * Not every loss is one of concurrency: a service may fail a part of all calls, and no cut cures that. Where a cut has cost
 * more served tasks than it has saved lost ones, so large a share of losses is put up with.
 */
import type { CompletionStats } from "../../ScalingPolicy.ts"
import { clamp } from "./numbers.ts"
import { lostCount, servedCount } from "./pace.ts"

/**
 * The limit after a loss.
 *
 * - `cap`: the limit.
 * - `lostAt`, `share`: the concurrency at which the loss occurred, and the share of tasks that were lost.
 * - `cutAt`, `probedAt`: when it was cut, and raised, last.
 * - `step`: the next probe, in fiftieths of the cap.
 * - `interval`: how long to wait before the first probe beyond `lostAt`.
 */
export interface Backoff {
  readonly cap: number
  readonly lostAt: number
  readonly share: number
  readonly cutAt: number
  readonly probedAt: number | null
  readonly step: number
  readonly interval: number
}

/**
 * - `since`, `served`, `lost`, `rejected`, `taskTime`: the period under judgement: its begin, tasks served, their durations in all,
 *   and tasks lost, of which rejected.
 * - `accepted`: the share of losses that is put up with, because a cut was in vain.
 * - `cooling`: slots of rejected tasks, and until when they stay empty, the next to be free first.
 */
export interface Losses {
  readonly since: number
  readonly served: number
  readonly taskTime: number
  readonly lost: number
  readonly rejected: number
  readonly accepted: number
  readonly cooling: ReadonlyArray<readonly [until: number, slots: number]>
  readonly backoff: Backoff | null
}

export const initial = (now: number): Losses => ({
  since: now,
  served: 0,
  taskTime: 0,
  lost: 0,
  rejected: 0,
  accepted: 0,
  cooling: [],
  backoff: null
})

/** The share of losses that is put up with, and the number that is no pattern yet. */
const tolerated = 0.01
const fewest = 2

/** Tasks that a period without significant losses must have seen end before the next begins. */
const enough = 40

const firstWait = 4000
const longestWait = 60_000

export const coolingSlots = ({ cooling }: Losses): number => cooling.reduce((sum, [, slots]) => sum + slots, 0)

/** Counts what ended. A slot that a rejected task leaves cools down for about a task's duration. */
export const observe = (losses: Losses, completions: CompletionStats, now: number, time: number): Losses => {
  const cooling = losses.cooling.filter(([until]) => until > now)
  if (completions.rejections > 0) {
    cooling.push([now + clamp(time === 0 ? 1000 : time, 250, 15_000), completions.rejections])
  }
  const served = servedCount(completions)
  return {
    ...losses,
    cooling,
    served: losses.served + served,
    taskTime: losses.taskTime + served * completions.meanDuration,
    lost: losses.lost + lostCount(completions),
    rejected: losses.rejected + completions.rejections
  }
}

/** What there is to know of the pool when its losses are judged; `inFlight` is their mean, `current` their number now. */
export interface Circumstances {
  readonly now: number
  readonly time: number
  readonly inFlight: number
  readonly current: number
  readonly level: number
  readonly least: number
}

export type Verdict = "None" | "Cut" | "Raised" | "Over"

/** Judges a period that is long enough; the verdict is what became of the cap. */
export const judge = (losses: Losses, at: Circumstances): readonly [Verdict, Losses] => {
  const elapsed = at.now - losses.since
  const period = clamp(at.time, 500, 5000)
  const { backoff, lost, served } = losses
  const judged: Losses = { ...losses, since: at.now, served: 0, taskTime: 0, lost: 0, rejected: 0 }
  // What ends soon after a cut began before it.
  if (backoff !== null && at.now - backoff.cutAt < period) return ["None", judged]
  if (elapsed < period || served + lost === 0) return ["None", losses]
  if (isSignificant(losses)) return answer(losses, judged, elapsed, at)
  const next = elapsed < 5 * period || lost + served < enough ? losses : judged
  if (backoff === null || lost > borne(losses) || !isUsed(losses, backoff, at) || !isDue(backoff, at)) {
    return ["None", next]
  }
  const raised = probe(backoff, at.now)
  return raised.cap > 2 * raised.lostAt
    ? ["Over", { ...judged, backoff: null }]
    : ["Raised", { ...judged, backoff: raised }]
}

const answer = (
  losses: Losses,
  judged: Losses,
  elapsed: number,
  at: Circumstances
): readonly [Verdict, Losses] => {
  const { backoff, lost, served } = losses
  const share = lost / (lost + served)
  if (backoff !== null && isInVain(backoff, share, at)) return ["None", { ...judged, accepted: 1.2 * share }]
  return ["Cut", { ...judged, backoff: cut(backoff, servedConcurrency(losses, elapsed, at), share, at) }]
}

const borne = ({ accepted, lost, served }: Losses): number => Math.max(tolerated, accepted) * (lost + served)

/** More than is borne, and more than chance would make of what is. */
const isSignificant = (losses: Losses): boolean =>
  losses.lost >= fewest && losses.lost - 1.5 * Math.sqrt(losses.lost) > borne(losses)

/** More than this share of losses is never put up with. */
const worst = 0.1

/**
 * Whether the last cut has cost more served tasks than it has saved lost ones, so that another one would, too. With the
 * share `s` of losses and its elasticity `e` to concurrency, `n (1 - 2 s)` falls with `n` where `2 s e < 1 - 2 s`.
 */
const isInVain = (
  { lostAt, probedAt, share: before }: Backoff,
  share: number,
  { inFlight }: Circumstances
): boolean => {
  if (probedAt !== null || inFlight > 0.97 * lostAt || share > worst) return false
  const elasticity = Math.log(before / share) / Math.log(lostAt / inFlight)
  return 2 * before * elasticity < 1 - 2 * before
}

/** Whether it is the cap that limits, and not what there is to do or another part of the law. */
const isUsed = (losses: Losses, { cap }: Backoff, { inFlight, level }: Circumstances): boolean =>
  level >= 0.95 * cap && inFlight + coolingSlots(losses) >= 0.85 * Math.floor(level)

/**
 * By Little's law where many were served. Where few were, that varies too much: then what is still in flight, if the lost
 * ones were rejected, for a rejected task is soon gone; else the served share of it.
 */
const servedConcurrency = (
  { lost, rejected, served, taskTime }: Losses,
  elapsed: number,
  { current, inFlight }: Circumstances
): number => {
  const trust = served / (served + 20)
  const share = rejected > 0.5 * lost ? Math.min(inFlight, current) : inFlight * served / (served + lost)
  return trust * taskTime / elapsed + (1 - trust) * share
}

const cut = (
  before: Backoff | null,
  served: number,
  share: number,
  { inFlight, least, level, now, time }: Circumstances
): Backoff => {
  const lostAt = Math.min(level, Math.max(1, inFlight))
  const probeFailed = before !== null && before.probedAt !== null && now - before.probedAt < Math.max(3000, 3 * time)
  return {
    cap: Math.max(least, Math.min(lostAt - 0.5, clamp(0.97 * served, 0.5 * lostAt, 0.98 * lostAt))),
    lostAt,
    share,
    cutAt: now,
    probedAt: null,
    step: 1,
    interval: probeFailed ? Math.min(longestWait, 1.8 * before.interval) : firstWait
  }
}

/** Whether there is room to return into: where few tasks run, one more may be one too many already. */
const isBelowLoss = ({ cap, lostAt }: Backoff): boolean => cap < 0.9 * lostAt && Math.round(cap + 1) < lostAt

const isDue = (backoff: Backoff, { now, time }: Circumstances): boolean => {
  const wait = isBelowLoss(backoff)
    ? clamp(1.5 * time, 750, 5000)
    : Math.max(clamp(3 * time, 1500, 8000), backoff.step > 1 ? 0 : backoff.interval)
  return now - Math.max(backoff.cutAt, backoff.probedAt ?? 0) >= wait
}

// Half the way back while below the loss; then a fiftieth, doubled as long as probes stay clean, and at least one task.
const probe = (backoff: Backoff, now: number): Backoff => {
  const { cap, lostAt, step } = backoff
  if (isBelowLoss(backoff)) return { ...backoff, cap: cap + Math.max(1, 0.5 * (0.95 * lostAt - cap)), probedAt: now }
  return { ...backoff, cap: cap + Math.max(1, 0.02 * cap * step), step: Math.min(16, 2 * step), probedAt: now }
}
