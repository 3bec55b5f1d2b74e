/**
 * Pools that are broken on purpose, each in one way, to show that the property can fail.
 */
import type { AutoscaledPool } from "@autoscaled-pool/core"
import { Effect } from "effect"
import type { Wrap } from "./PoolRun.ts"

type Pool = AutoscaledPool.AutoscaledPool<unknown>

/** The pool, with some of its members replaced. */
const replace = (members: (pool: Pool) => Partial<Pool>): Wrap => (pool) => {
  const {
    abort,
    configure,
    currentConcurrency,
    desiredConcurrency,
    drain,
    events,
    notify,
    pause,
    pauseFor,
    resume,
    run,
    settings,
    snapshot,
    state
  } = pool
  const whole = {
    abort,
    configure,
    currentConcurrency,
    desiredConcurrency,
    drain,
    events,
    notify,
    pause,
    pauseFor,
    resume,
    run,
    settings,
    snapshot,
    state
  }
  return { ...whole, ...members(pool) }
}

type Change = Parameters<Pool["configure"]>[0]

const without = (change: Change, field: keyof Change): Change =>
  Object.fromEntries(Object.entries(change).filter(([name]) => name !== field))

export const mutants: Readonly<Record<string, Wrap>> = {
  "does not pause": replace(() => ({ pause: Effect.void })),
  "does not resume": replace(() => ({ resume: Effect.void })),
  "does not hear notify": replace(() => ({ notify: Effect.void })),
  "does not abort": replace(() => ({ abort: Effect.void })),
  "pauses instead of aborting": replace(({ pause }) => ({ abort: pause })),
  "does not drain": replace(() => ({ drain: Effect.void })),
  "aborts instead of draining": replace(({ abort }) => ({ drain: abort })),
  "does not hold": replace(() => ({ pauseFor: () => Effect.void })),
  "holds until it is resumed": replace(({ pause }) => ({ pauseFor: () => pause })),
  "counts what it abandoned as a success": replace(({ state }) => ({
    state: Effect.map(state, (state) => ({ ...state, abandoned: 0, succeeded: state.succeeded + state.abandoned }))
  })),
  "does not count tries": replace(({ state }) => ({ state: Effect.map(state, (state) => ({ ...state, retried: 0 })) })),
  "hides what waits for its next try": replace(({ state }) => ({
    state: Effect.map(state, (state) => ({ ...state, delayed: undefined }))
  })),
  "forgets a new maximum": replace(({ configure }) => ({
    configure: (change) => configure(without(change, "maxConcurrency"))
  })),
  "takes one more than desired": replace(({ configure }) => ({
    configure: ({ desiredConcurrency: desired, ...change }) =>
      configure(desired === undefined ? change : { ...change, desiredConcurrency: desired + 1 })
  })),
  "forgets the pace": replace(({ configure }) => ({
    configure: (change) => configure(without(change, "maxTasksPerMinute"))
  })),
  "resumes by itself when it runs again": replace(({ resume, run }) => ({ run: Effect.andThen(resume, run) })),
  "starts each run at one": replace(({ configure, run }) => ({
    run: Effect.andThen(Effect.ignore(configure({ desiredConcurrency: 1 })), run)
  })),
  "says that it was aborted when it had finished": replace(({ run }) => ({
    run: Effect.map(run, (report) => ({ ...report, outcome: "Aborted" as const }))
  }))
}
