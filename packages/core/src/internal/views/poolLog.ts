/**
 * What a log tells of a pool: its runs, what holds it back, overload and recovery, and now and then where it stands. Only
 * what has changed is worth a line.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { PoolSnapshot, RunOutcome } from "../../PoolSnapshot.ts"
import type { DecisionRecord } from "../../ScalingPolicy.ts"
import { untilBeat } from "../time/steadyPace.ts"
import { none } from "./durations.ts"
import * as format from "./format.ts"
import * as reason from "./reason.ts"

export interface LogLine {
  readonly level: "Info" | "Debug"
  readonly text: string
}

/** How long something must hold the pool back before it is worth a line. */
const worthALine = 1000

/** How many decisions are kept for the next look: where nothing is to be logged there is none. */
const mostDecisions = 100

export class PoolLog {
  private readonly decisions: Array<DecisionRecord> = []
  private readonly told = new Map<string, number>()
  private overloaded: ReadonlySet<string> = new Set()
  private status = ""
  private statusAt = -Infinity
  /** How long the tasks of earlier runs took, which snapshots add to those of this one. */
  private earlier: { readonly count: number; readonly sum: number } = none

  /** A decision, to be told of at the next look. */
  note(decision: DecisionRecord): void {
    this.decisions.push(decision)
    if (this.decisions.length > mostDecisions) this.decisions.shift()
  }

  began({ at, desired, durations, policy, settings }: PoolSnapshot): LogLine {
    this.statusAt = at
    this.earlier = durations
    const { maxConcurrency, minConcurrency } = settings
    return info(
      `Run started: ${minConcurrency} to ${format.count(maxConcurrency, "task")} at once, ${desired} to begin with, ` +
        `as the policy "${policy}" decides.`
    )
  }

  /** What is new since the last look; a line of the same kind is told again after `every` milliseconds at the earliest. */
  look(pool: PoolSnapshot, every: number): ReadonlyArray<LogLine> {
    return [
      ...this.decisions.splice(0).map((decision): LogLine => ({ level: "Debug", text: reason.decision(decision) })),
      ...this.overload(pool),
      ...this.holding(pool, every),
      ...this.standing(pool, every)
    ]
  }

  ended(outcome: RunOutcome, { at, durations, run, totals }: PoolSnapshot): LogLine {
    const took = run === undefined ? "" : ` after ${format.millis(at - run.startedAt)}`
    const count = durations.count - this.earlier.count
    const mean = count > 0 ? `, ${format.millis((durations.sum - this.earlier.sum) / count)} each on average` : ""
    return info(`Run ${endings[outcome]}${took}: ${format.count(run?.ended ?? totals.started, "task")} ended${mean}.`)
  }

  private overload({ signals }: PoolSnapshot): ReadonlyArray<LogLine> {
    const before = this.overloaded
    this.overloaded = new Set(signals.filter(({ isOverloaded }) => isOverloaded).map(({ name }) => name))
    return signals.flatMap((signal) => {
      if (signal.isOverloaded === before.has(signal.name)) return []
      return info(
        signal.isOverloaded ? `Overload: ${reason.reading(signal)}.` : `No more overload: ${reason.reading(signal)}.`
      )
    })
  }

  private holding({ at, holding }: PoolSnapshot, every: number): ReadonlyArray<LogLine> {
    if (holding === undefined || at - holding.since < worthALine) return []
    const kind = `${holding.blocker._tag} ${holding.isAtMaximum}`
    const toldAt = this.told.get(kind) ?? -Infinity
    // While it still holds it is no news; where it comes and goes, it is told of now and then.
    const isNews = toldAt < holding.since && at - toldAt >= every
    if (!isNews) return []
    this.told.set(kind, at)
    return [info(holding.words)]
  }

  private standing(pool: PoolSnapshot, every: number): ReadonlyArray<LogLine> {
    if (pool.at - this.statusAt < every) return []
    this.statusAt = pool.at
    const status = statusOf(pool)
    const isNews = status !== this.status
    this.status = status
    return isNews ? [info(status)] : []
  }
}

const info = (text: string): LogLine => ({ level: "Info", text })

const endings: Readonly<Record<RunOutcome, string>> = {
  Finished: "finished",
  Drained: "drained",
  Aborted: "aborted",
  Failed: "failed",
  Interrupted: "was interrupted"
}

const statusOf = ({ current, desired, run, signals }: PoolSnapshot): string => {
  const done = run?.total === undefined ? `${run?.ended ?? 0} ended` : `${run.ended} of ${run.total} ended`
  const loads = signals.map(({ load, name }) => `${name} ${format.percent(load)}`)
  return [`${current} of ${format.count(desired, "desired task")} in flight`, done, ...loads].join("; ")
}

const whileBusy = Duration.seconds(1)
const whileIdle = Duration.seconds(4) // as seldom as signals are sampled at rest

/**
 * When the log looks: every second while tasks are in flight, so that what holds for a second is told of. With nothing in
 * flight it sleeps longer, until something `changed`.
 */
export const pace = (isBusy: () => boolean, changed: Effect.Effect<void>): Schedule.Schedule<void> => {
  const inASecond = Effect.map(untilBeat(whileBusy), (wait): [void, Duration.Duration] => [undefined, wait])
  const now: [void, Duration.Duration] = [undefined, Duration.zero]
  const asleep = Effect.raceFirst(
    Effect.andThen(changed, inASecond),
    Effect.as(Effect.flatMap(untilBeat(whileIdle), Effect.sleep), now)
  )
  return Schedule.fromStep(Effect.succeed(() => Effect.suspend(() => isBusy() ? inASecond : asleep)))
}
