/**
 * Where a run stands, in the words of `PoolState`.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type { Blocker, PoolState } from "../../PoolState.ts"
import type { BudgetConsumer } from "../budget/consumer.ts"
import * as monotonic from "../time/monotonic.ts"
import type { BlockerTag, Dispatcher } from "./dispatcher.ts"
import type { Hold } from "./hold.ts"
import type { RunCourse } from "./runCourse.ts"
import type { Finalizing } from "./tasks.ts"

/** A moment of both clocks, so that monotonic times can be told as times of day. */
export interface Moment {
  readonly monotonic: number
  /** Epoch milliseconds of a monotonic time. */
  readonly wallTimeOf: (monotonic: number) => number
}

export const momentOf = (clock: Clock.Clock): Moment => {
  const now = monotonic.nowOf(clock)
  const wall = clock.currentTimeMillisUnsafe()
  return { monotonic: now, wallTimeOf: (at) => Math.round(wall + at - now) }
}

/** What a blocker is read from. */
export interface Facts {
  readonly budget: BudgetConsumer
  readonly hold: Hold
  readonly run: Pick<Dispatcher<never>, "delayed" | "finalizingAt" | "heldByKeys" | "ledger"> | undefined
}

export const blockerOf = (facts: Facts, moment: Moment): Blocker | undefined => {
  const tag: BlockerTag = facts.run?.ledger.blocker
  switch (tag) {
    case undefined:
      return undefined
    case "Overloaded":
      return { _tag: tag, signals: facts.budget.overloadedUnsafe() }
    case "Paused":
      return facts.hold.isPaused ? { _tag: tag } : { _tag: tag, until: moment.wallTimeOf(facts.hold.until) }
    case "Delayed":
      return { _tag: tag, ...(delayedOf(facts, moment) ?? { tasks: 0, next: moment.wallTimeOf(moment.monotonic) }) }
    case "KeysFull":
      return heldByKeys(facts, moment)
    case "Finalizing":
      return { _tag: tag, ...durationOf(facts.run?.finalizingAt(moment.monotonic) ?? { tasks: 0, oldest: 0 }) }
    default:
      return { _tag: tag }
  }
}

const heldByKeys = ({ run }: Facts, moment: Moment): Blocker => {
  const { key, tasks, until } = run?.heldByKeys() ?? { key: "", tasks: 0 }
  const held = { _tag: "KeysFull", key, tasks } as const
  return until === undefined ? held : { ...held, until: moment.wallTimeOf(until) }
}

export const finalizingOf = ({ run }: Facts, moment: Moment): PoolState["finalizing"] => {
  const finalizing = run?.finalizingAt(moment.monotonic)
  return finalizing === undefined || finalizing.tasks === 0 ? undefined : durationOf(finalizing)
}

export const delayedOf = ({ run }: Facts, moment: Moment): PoolState["delayed"] => {
  const delayed = run?.delayed()
  if (delayed === undefined || delayed.tasks === 0) return undefined
  return { tasks: delayed.tasks, next: moment.wallTimeOf(delayed.next) }
}

export const pausedUntil = ({ hold }: Facts, moment: Moment): number | undefined =>
  hold.until > moment.monotonic ? moment.wallTimeOf(hold.until) : undefined

export const phaseOf = (course: RunCourse | undefined): Exclude<PoolState["phase"], "Idle"> => {
  if (course?.ending !== undefined) return "Ending"
  return course?.stage === "Draining" ? "Draining" : "Running"
}

/** What to log where interrupted tasks run their finalizers for long. */
export const warningOf = ({ oldest, tasks }: Finalizing, finalizerTimeout: number): string => {
  const who = tasks === 1 ? "1 interrupted task is" : `${tasks} interrupted tasks are`
  const remedy = finalizerTimeout === Infinity
    ? "Slots are taken until the finalizers return; the option finalizerTimeout gives them up after a while."
    : "Tasks whose finalizers take as long as finalizerTimeout are abandoned."
  return `${who} still running finalizers after ${Math.round(oldest)} ms. ${remedy}`
}

/** What to log where a run has no task left and does not end. */
export const sourceWarningOf = (waited: number, finalizerTimeout: number): string => {
  const remedy = finalizerTimeout === Infinity
    ? "The run ends when it does; the option finalizerTimeout gives it up after a while."
    : "It is given up after finalizerTimeout."
  return `A run that is to end still waits for its source, or a check, after ${
    Math.round(waited)
  } ms: it was interrupted, or is ` +
    `to close, and has not ended. ${remedy}`
}

const durationOf = ({ oldest, tasks }: Finalizing) => ({ tasks, oldest: Duration.millis(oldest) })
