/**
 * Takes snapshots of a pool from the plain fields of its parts.
 */
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { HeldBackKey } from "../../KeyedLimits.ts"
import type { PoolSnapshot, RunOutcome, RunProgress, Totals } from "../../PoolSnapshot.ts"
import type { Blocker } from "../../PoolState.ts"
import type { DecisionCounts, DecisionRecord } from "../../ScalingPolicy.ts"
import type { SystemInfo } from "../../SystemStatus.ts"
import { type Durations, none, sumOf } from "./durations.ts"
import { isAtMaximum, words } from "./reason.ts"

/** What the budget of a pool tells. */
export interface BudgetFacts {
  readonly settings: ConcurrencySettings
  readonly policy: string
  readonly desired: number
  readonly current: number
  /** Permits that are its share, where it has a budget with others. */
  readonly due: number | undefined
  readonly lastDecision: DecisionRecord | undefined
  readonly verdictUnsafe: () => SystemInfo
}

/** What a run tells. */
export interface RunFacts {
  readonly ledger: {
    readonly startedAt: number
    readonly succeeded: number
    readonly failed: number
    readonly timedOut: number
    readonly interrupted: number
    readonly abandoned: number
    readonly rejected: number
    readonly retried: number
    readonly durations: Durations
    readonly blockedSince: number
    readonly blockedTimes: (now: number) => ReadonlyMap<Blocker["_tag"], number>
  }
  readonly started: number
  readonly ages: (now: number) => ReadonlyArray<number>
  /** Tasks that failed and wait for another try. */
  readonly delayed: () => { readonly tasks: number } | undefined
}

export interface Moment {
  readonly name: string
  readonly at: number
  readonly phase: PoolSnapshot["phase"]
  readonly isPaused: boolean
  readonly budget: BudgetFacts
  readonly blocker: Blocker | undefined
  readonly run: RunFacts | undefined
  /** How many items the run will have, where that is known. */
  readonly total: number | undefined
  readonly heldBackKeys: ReadonlyArray<HeldBackKey>
  /** The decisions of this run. */
  readonly decisions: DecisionCounts
  /** The outcome of the run, at its end. */
  readonly outcome: RunOutcome | undefined
  /** What earlier runs under this name have left. */
  readonly before: PoolSnapshot | undefined
}

/** How many of the oldest tasks are told of. */
const mostAges = 10

export const take = (moment: Moment): PoolSnapshot => {
  const { at, before, blocker, budget, name, phase, run } = moment
  const { current, desired, lastDecision, policy, settings } = budget
  const facts = {
    name,
    policy,
    at,
    phase,
    isPaused: moment.isPaused,
    settings,
    current,
    desired,
    totals: totalsOf(moment),
    durations: run === undefined
      ? before?.durations ?? none
      : sumOf(before?.durations ?? none, run.ledger.durations.histogram()),
    oldestAges: run?.ages(at).slice(0, mostAges) ?? [],
    signals: Object.entries(budget.verdictUnsafe().signals).map(([name, info]) => ({ name, ...info })),
    lastDecision,
    run: run === undefined ? before?.run : progressOf(run, moment.total),
    share: run === undefined ? undefined : budget.due,
    heldBackKeys: moment.heldBackKeys
  }
  if (blocker === undefined || run === undefined) return { ...facts, holding: undefined }
  const since = run.ledger.blockedSince
  return {
    ...facts,
    holding: {
      blocker,
      since,
      isAtMaximum: blocker._tag === "AtDesired" && isAtMaximum(facts),
      words: words(facts, blocker, since)
    }
  }
}

const progressOf = (run: RunFacts, total: number | undefined): RunProgress => ({
  startedAt: run.ledger.startedAt,
  started: run.started,
  ended: endedOf(run, total !== undefined),
  total
})

/** Where items are counted, the tries of one item are one. */
const endedOf = (run: RunFacts, countsItems: boolean): number => {
  const { failed, retried, succeeded, timedOut } = run.ledger
  const ended = succeeded + failed + timedOut
  return countsItems ? ended - retried - (run.delayed()?.tasks ?? 0) : ended
}

const totalsOf = ({ at, before, decisions, outcome, run }: Moment): Totals => {
  const earlier = before?.totals ?? noTotals
  if (run === undefined) return earlier
  const { ledger, started } = run
  return {
    started: earlier.started + started,
    succeeded: earlier.succeeded + ledger.succeeded,
    failed: earlier.failed + ledger.failed,
    timedOut: earlier.timedOut + ledger.timedOut,
    interrupted: earlier.interrupted + ledger.interrupted,
    abandoned: earlier.abandoned + ledger.abandoned,
    rejected: earlier.rejected + ledger.rejected,
    blockedMillis: added(earlier.blockedMillis, Object.fromEntries(ledger.blockedTimes(at))),
    decisions: {
      up: added(earlier.decisions.up, decisions.up),
      down: added(earlier.decisions.down, decisions.down),
      hold: added(earlier.decisions.hold, decisions.hold)
    },
    runs: outcome === undefined ? earlier.runs : { ...earlier.runs, [outcome]: earlier.runs[outcome] + 1 }
  }
}

export const noDecisions: DecisionCounts = { up: {}, down: {}, hold: {} }

export const noTotals: Totals = {
  started: 0,
  succeeded: 0,
  failed: 0,
  timedOut: 0,
  interrupted: 0,
  abandoned: 0,
  rejected: 0,
  blockedMillis: {},
  decisions: noDecisions,
  runs: { Finished: 0, Drained: 0, Aborted: 0, Failed: 0, Interrupted: 0 }
}

type Counts = Readonly<Record<string, number>>

const added = (a: Counts, b: Counts): Counts => {
  const sum = { ...a }
  for (const [key, count] of Object.entries(b)) sum[key] = (sum[key] ?? 0) + count
  return sum
}

/** The decisions between two counts. */
export const decisionsSince = (before: DecisionCounts, after: DecisionCounts): DecisionCounts => ({
  up: less(after.up, before.up),
  down: less(after.down, before.down),
  hold: less(after.hold, before.hold)
})

const less = (counts: Counts, subtracted: Counts): Counts =>
  Object.fromEntries(Object.entries(counts).map(([key, count]) => [key, count - (subtracted[key] ?? 0)]))
