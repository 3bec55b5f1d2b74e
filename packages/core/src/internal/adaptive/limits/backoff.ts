/**
 * The limit that losses set.
 *
 * A loss cuts concurrency to what is being served, by Little's law on the tasks that were. From there the limit returns
 * quickly to just below where the loss began, and then probes upward, waiting longer after each probe that failed.
 *
 * Not every loss is one of concurrency: a service may fail a part of all calls, and no cut cures that. Where a cut has cost
 * more served tasks than it has saved lost ones, so large a share of losses is put up with.
 */
import type { Observation } from "../../../ScalingPolicy.ts"
import { type Backoff, coolingSlots, type Losses, next } from "../model/losses.ts"
import { backoff as tuning, tolerance, wait, waits } from "../tuning.ts"

/** What there is to know of the pool when its losses are judged; `time` is a task's duration. */
export interface Circumstances extends Pick<Observation, "now" | "current" | "meanConcurrency" | "settings"> {
  readonly level: number
  readonly time: number
}

/** Judges a period that is long enough: what is known from then on. */
export const judge = (losses: Losses, at: Circumstances): Losses => {
  const { accepted, backoff, lost, served, since } = losses
  const period = wait(waits.lossPeriod, at.time)
  const elapsed = at.now - since
  const ended = served + lost
  // What ends soon after a cut began before it.
  if (backoff !== null && at.now - backoff.cutAt < period) return next(losses, at.now)
  if (elapsed < period || ended === 0) return losses
  if (isSignificant(losses)) return answer(losses, at)
  if (backoff !== null && lost <= accepted * ended && isDue(backoff, losses, at)) return raise(losses, backoff, at.now)
  return elapsed >= tuning.longestPeriod * period && ended >= tuning.enough ? next(losses, at.now) : losses
}

/** More than is put up with, and more than chance would make of what is. */
const isSignificant = ({ accepted, lost, served }: Losses): boolean =>
  lost - tuning.errors * Math.sqrt(lost) > accepted * (lost + served)

const answer = (losses: Losses, at: Circumstances): Losses => {
  const share = losses.lost / (losses.lost + losses.served)
  return isInVain(losses.backoff, share, at)
    ? { ...next(losses, at.now), accepted: tuning.acceptedMore * share }
    : { ...next(losses, at.now), backoff: cut(share, losses, at) }
}

const hasProbed = ({ cutAt, movedAt }: Backoff): boolean => movedAt > cutAt

/**
 * Whether the last cut has cost more served tasks than it has saved lost ones, so that another one would, too. With the
 * share `s` of losses and its elasticity `e` to concurrency, `n (1 - 2 s)` falls with `n` where `2 s e < 1 - 2 s`.
 */
const isInVain = (before: Backoff | null, share: number, { meanConcurrency: inFlight }: Circumstances): boolean => {
  if (before === null || hasProbed(before) || share > tuning.worst) return false
  const fewer = before.lostAt / inFlight
  const elasticity = Math.log(before.share / share) / Math.log(fewer)
  return fewer > 1 + tolerance.same && 2 * before.share * elasticity < 1 - 2 * before.share
}

/**
 * By Little's law where many were served. Where few were, that varies too much: then what is still in flight, if the lost
 * ones were rejected, for a rejected task is soon gone; else the served share of it.
 */
const servedConcurrency = (
  { lost, rejected, served, since, taskTime }: Losses,
  { current, meanConcurrency: inFlight, now }: Circumstances
): number => {
  const trust = served / (served + tuning.few)
  const share = rejected > lost / 2 ? Math.min(inFlight, current) : inFlight * served / (served + lost)
  return trust * taskTime / (now - since) + (1 - trust) * share
}

const cut = (share: number, losses: Losses, at: Circumstances): Backoff => {
  const { backoff: before } = losses
  const { level, meanConcurrency: inFlight, now, settings, time } = at
  const lostAt = Math.min(level, Math.max(1, inFlight))
  const served = tuning.served * servedConcurrency(losses, at)
  const lower = Math.max(served, tuning.deepest * lostAt)
  const hasFailed = before !== null && hasProbed(before) && now - before.movedAt < wait(waits.failedProbe, time)
  return {
    cap: Math.max(settings.minConcurrency, Math.min(lower, lostAt - tuning.fewerTasks)),
    lostAt,
    share,
    cutAt: now,
    movedAt: now,
    step: 1,
    interval: hasFailed ? Math.min(tuning.longestWait, tuning.longer * before.interval) : tuning.firstWait
  }
}

/** Whether there is room to return into: where few tasks run, one more may be one too many already. */
const isBelowLoss = ({ cap, lostAt }: Backoff): boolean =>
  cap < tuning.belowLoss * lostAt && Math.round(cap + 1) < lostAt

/** Whether the cap is what limits, and not what there is to do or another part of the law, and has for long enough. */
const isDue = (
  backoff: Backoff,
  losses: Losses,
  { level, meanConcurrency: inFlight, now, time }: Circumstances
): boolean => {
  const isUsed = level >= tuning.used * backoff.cap &&
    inFlight + coolingSlots(losses) >= (1 - tolerance.near) * Math.floor(level)
  return isUsed && now - backoff.movedAt >= pause(backoff, time)
}

const pause = (backoff: Backoff, time: number): number => {
  if (isBelowLoss(backoff)) return wait(waits.returning, time)
  return Math.max(wait(waits.lossProbe, time), backoff.step > 1 ? 0 : backoff.interval)
}

/** Up, unless so far up that the loss was of another time: then there is no limit any more. */
const raise = (losses: Losses, before: Backoff, now: number): Losses => {
  const backoff = probe(before, now)
  return { ...next(losses, now), backoff: backoff.cap > tuning.forgotten * backoff.lostAt ? null : backoff }
}

// Half the way back while below the loss; then a fiftieth, doubled as long as probes stay clean, and at least one task.
const probe = (backoff: Backoff, now: number): Backoff => {
  const { cap, lostAt, step } = backoff
  if (isBelowLoss(backoff)) {
    return { ...backoff, cap: cap + Math.max(1, tuning.returned * (tuning.returnTo * lostAt - cap)), movedAt: now }
  }
  return {
    ...backoff,
    cap: cap + Math.max(1, tuning.probe * cap * step),
    step: Math.min(tuning.mostStep, 2 * step),
    movedAt: now
  }
}
