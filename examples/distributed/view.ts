/**
 * What the workers are doing, under each other: the view of a pool for each, of the snapshots that they send.
 */
import type { PoolSnapshot } from "@autoscaled-pool/core"
import type { Worker } from "./fleet.ts"

type Snapshot = PoolSnapshot.PoolSnapshot

/** Of the workers that have said something, the last that they said. */
export const snapshotsOf = (workers: ReadonlyArray<Worker>): ReadonlyArray<Snapshot> =>
  workers.flatMap((worker) => worker.snapshot === undefined ? [] : [shown(worker, worker.snapshot)])

const shown = (worker: Worker, snapshot: Snapshot): Snapshot => {
  // One signal each, so that three workers fit into a terminal: the one that is nearest to its target.
  const signals = snapshot.signals.toSorted((a, b) => b.load / b.target - a.load / a.target).slice(0, 1)
  if (!hasEnded(worker)) return { ...snapshot, signals }
  const words = worker.ending === undefined ? "It has ended." : `It has ended by ${worker.ending.signal}.`
  const holding = {
    since: snapshot.at,
    isAtMaximum: false,
    ...snapshot.holding,
    blocker: { _tag: "Draining" },
    words
  } as const
  return { ...snapshot, phase: "Idle", current: 0, oldestAges: [], signals: [], holding }
}

const hasEnded = ({ child }: Worker): boolean => child.exitCode !== null || child.signalCode !== null

/** On one line, where there is no terminal. */
export const lineOf = (workers: ReadonlyArray<Worker>, done: number, jobs: number): string => {
  const each = workers.map((worker) => {
    const { name, snapshot } = worker
    const completed = snapshot === undefined ? [] : [`${snapshot.totals.succeeded} done`]
    return `${name}: ${[...completed, ...standingOf(worker)].join(", ")}`
  })
  return [`${done} of ${jobs} jobs done`, ...each].join("  ")
}

const standingOf = (worker: Worker): ReadonlyArray<string> => {
  const { ending, snapshot } = worker
  if (hasEnded(worker)) return [ending === undefined ? "ended" : `ended by ${ending.signal}`]
  if (snapshot === undefined) return ["starting up"]
  const { current, desired, holding } = snapshot
  return [`${current} of ${desired} in flight`, holding?.blocker._tag ?? "starting tasks"]
}
