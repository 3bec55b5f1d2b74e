/**
 * What a pool is doing at one moment, whole, as plain data: the one source of logs, metrics, the terminal view and the
 * page.
 *
 * `pool.snapshot` takes one, `PoolRegistry` takes those of all pools of the process. Rates and percentiles are
 * differences of two snapshots: see {@link between}.
 *
 * @since 0.1.0
 */
import type { ConcurrencySettings } from "./ConcurrencySettings.ts"
import * as format from "./internal/views/format.ts"
import * as words from "./internal/views/reason.ts"
import type { HeldBackKey } from "./KeyedLimits.ts"
import type { Measure, SignalInfo } from "./LoadSignal.ts"
import type { Blocker } from "./PoolState.ts"
import type { DecisionCounts, DecisionRecord } from "./ScalingPolicy.ts"

/**
 * What holds a pool back.
 *
 * **Details**
 *
 * - `blocker`: why nothing starts.
 * - `since`: monotonic milliseconds at which it began to hold; tasks that replace each other do not interrupt it.
 * - `isAtMaximum`: as many tasks are in flight as the caller's own `maxConcurrency` allows, and not fewer because the
 *   policy wishes so.
 * - `words`: one sentence that says what, the value against the limit, since when, and what would change it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Holding {
  readonly blocker: Blocker
  readonly since: number
  readonly isAtMaximum: boolean
  readonly words: string
}

/**
 * Counts that only grow, over all runs of pools of one name.
 *
 * **Details**
 *
 * - `started`, `succeeded`, `failed`, `timedOut`, `interrupted`, `abandoned`: tasks, as in a `RunReport`.
 * - `rejected`: tasks that reported a rate-limit answer, whatever became of them.
 * - `blockedMillis`: milliseconds in which nothing started, by reason.
 * - `decisions`: of the policy, by what they did to the desired concurrency and by the signal that limited it.
 * - `runs`: runs that have ended, by outcome.
 *
 * @category models
 * @since 0.1.0
 */
export interface Totals {
  readonly started: number
  readonly succeeded: number
  readonly failed: number
  readonly timedOut: number
  readonly interrupted: number
  readonly abandoned: number
  readonly rejected: number
  readonly blockedMillis: { readonly [Reason in Blocker["_tag"]]?: number }
  readonly decisions: DecisionCounts
  readonly runs: { readonly [Outcome in RunOutcome]: number }
}

/**
 * How a run can end.
 *
 * @category models
 * @since 0.1.0
 */
export type RunOutcome = "Finished" | "Drained" | "Aborted" | "Failed" | "Interrupted"

/**
 * How long tasks took, from their start to the end of their last finalizer; interrupted ones are left out.
 *
 * **Details**
 *
 * - `bounds`: upper bounds of the buckets in milliseconds, each inclusive; the last bucket has none.
 * - `counts`: tasks per bucket, one more than there are bounds.
 * - `count`, `sum`, `max`: of all of them, in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface DurationHistogram {
  readonly bounds: ReadonlyArray<number>
  readonly counts: ReadonlyArray<number>
  readonly count: number
  readonly sum: number
  readonly max: number
}

/**
 * What a signal says, with its name.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignalReading extends SignalInfo {
  readonly name: string
}

/**
 * What a run has done so far, or in all.
 *
 * **Details**
 *
 * - `startedAt`: monotonic milliseconds.
 * - `started`: tasks; each try of a task starts once.
 * - `ended`: tasks; where `total` is known, those that fail and are tried again are left out.
 * - `total`: how many items the run has in all. Arrays, sets and maps tell; `undefined` where the source cannot.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunProgress {
  readonly startedAt: number
  readonly started: number
  readonly ended: number
  readonly total: number | undefined
}

/**
 * What a pool is doing.
 *
 * **Details**
 *
 * - `name`: the pool's, unique among the pools that run in the process.
 * - `policy`: the name of the policy.
 * - `at`: when this was taken, in monotonic milliseconds; every other time here is to be subtracted from it.
 * - `phase`: `"Idle"` between runs, `"Running"`, `"Draining"` while running tasks may still end, or `"Ending"`
 *   while a run ends.
 * - `isPaused`: whether `pause` holds back new tasks.
 * - `settings`: the bounds in force.
 * - `current`, `desired`: tasks in flight, and how many there should be.
 * - `holding`: what holds the pool back; `undefined` while tasks start, and between runs.
 * - `totals`, `durations`: over all runs; they only grow.
 * - `oldestAges`: milliseconds since the start of the tasks that have run longest, oldest first, ten at most.
 * - `signals`: of the `SystemStatus`, in its order.
 * - `lastDecision`: what the policy decided last.
 * - `share`: permits that are the pool's due, where it shares a governor and takes part.
 * - `heldBackKeys`: where the pool has limits per key, the keys that most items wait for, ten at most.
 * - `run`: the run in progress, or the last one; `undefined` before the first.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolSnapshot {
  readonly name: string
  readonly policy: string
  readonly at: number
  readonly phase: "Idle" | "Running" | "Draining" | "Ending"
  readonly isPaused: boolean
  readonly settings: ConcurrencySettings
  readonly current: number
  readonly desired: number
  readonly holding: Holding | undefined
  readonly totals: Totals
  readonly durations: DurationHistogram
  readonly oldestAges: ReadonlyArray<number>
  readonly signals: ReadonlyArray<SignalReading>
  readonly lastDecision: DecisionRecord | undefined
  readonly run: RunProgress | undefined
  readonly share: number | undefined
  readonly heldBackKeys: ReadonlyArray<HeldBackKey>
}

/**
 * What happened between two snapshots of one pool.
 *
 * **Details**
 *
 * - `millis`: the time between them.
 * - `perSecond`: tasks that ended in a second, interrupted ones left out.
 * - `p50`, `p95`: durations in milliseconds which half and 95 % of those tasks did not exceed, to the accuracy of a
 *   bucket; `undefined` where none ended.
 * - `timeLeft`: milliseconds until the run is done at this rate; `undefined` where the total or the rate is not known.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly millis: number
  readonly perSecond: number
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly timeLeft: number | undefined
}

/**
 * Computes rates and percentiles from two snapshots of one pool, the earlier one first.
 *
 * **Example** (Reading a rate)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, PoolSnapshot, SystemStatus, TaskSource } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2, 3]), () => Effect.void)
 *   const before = yield* pool.snapshot
 *   yield* pool.run
 *   return PoolSnapshot.between(before, yield* pool.snapshot)
 * })
 *
 * const change = await Effect.runPromise(Effect.provide(program, SystemStatus.layerTest))
 * change.p50 === undefined // => false
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const between = (before: PoolSnapshot, after: PoolSnapshot): Change => {
  const millis = after.at - before.at
  const counts = after.durations.counts.map((count, bucket) => count - before.durations.counts[bucket])
  const perSecond = millis > 0 ? (after.durations.count - before.durations.count) / millis * 1000 : 0
  const { run } = after
  const left = run?.total === undefined ? undefined : Math.max(0, run.total - run.ended)
  return {
    millis,
    perSecond,
    p50: percentile(after.durations, counts, 0.5),
    p95: percentile(after.durations, counts, 0.95),
    timeLeft: left === undefined || perSecond === 0 ? undefined : left / perSecond * 1000
  }
}

/** Within a bucket durations are taken to be spread evenly, as Prometheus' `histogram_quantile` does. */
const percentile = (
  { bounds, max }: DurationHistogram,
  counts: ReadonlyArray<number>,
  share: number
): number | undefined => {
  const count = counts.reduce((sum, each) => sum + each, 0)
  if (count === 0) return undefined
  const rank = share * count
  let below = 0
  for (const [bucket, each] of counts.entries()) {
    if (below + each >= rank && each > 0) {
      const from = bounds[bucket - 1] ?? 0
      const to = Math.min(max, bounds[bucket] ?? max)
      return from + Math.max(0, to - from) * (rank - below) / each
    }
    below += each
  }
  return max
}

/**
 * A span of time as a person reads it, such as `61 ms`, `2.5 s` or `1m 12s`.
 *
 * @category formatting
 * @since 0.1.0
 */
export const formatMillis: (millis: number) => string = format.millis

/**
 * An amount against its limit, such as `20.3 of 22.4 GiB (cgroup /x)`.
 *
 * @category formatting
 * @since 0.1.0
 */
export const formatMeasure: (measure: Measure) => string = format.measure

/**
 * A decision of a policy as one sentence.
 *
 * @category formatting
 * @since 0.1.0
 */
export const formatDecision: (decision: DecisionRecord) => string = words.decision
