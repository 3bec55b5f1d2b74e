/**
 * How many tasks each resource can bear.
 *
 * The use of a resource that tasks consume is close to proportional to their number, so the number that brings it to its
 * target can be computed: `n * (target - others) / own` (as the Kubernetes horizontal autoscaler does), and need not be
 * searched for. What others use is subtracted, but a part of the target stays ours however much they use: who gives way
 * to every neighbour ends with nothing.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import type { Observation } from "../../ScalingPolicy.ts"
import { clamp, smoothing } from "./numbers.ts"

/**
 * Use of a resource and the tasks in flight meanwhile, smoothed alike, so that their quotient is of one time; `known`:
 * milliseconds that they span so far.
 */
export interface Use {
  readonly load: number
  readonly own: number
  readonly inFlight: number
  readonly known: number
}

/** The use of each resource. */
export type Uses = Readonly<Record<string, Use>>

/** The signal of a service's rate limits is a matter of losses: it is no resource of ours. */
const isResource = (name: string): boolean => name !== "client"

// A task uses a resource in bursts, and tasks that began together do so together: a mean must span some tasks, and a
// part of a task's time, to tell what a task uses.
const span = (time: number, inFlight: number): number =>
  clamp(Math.max(fewestTasks / Math.max(1, inFlight), leastPart) * time, 1000, Math.max(3000, time))

const fewestTasks = 8
const leastPart = 0.25

export const observe = (before: Uses, observation: Observation, elapsed: number, time: number): Uses => {
  const uses: Record<string, Use> = {}
  for (const [name, signal] of Object.entries(observation.currentInfo.signals)) {
    if (!isResource(name)) continue
    const use = signal.isStale ? before[name] : useAfter(before[name], signal, observation, elapsed, time)
    if (use !== undefined) uses[name] = use
  }
  return uses
}

// A plain mean at first, then one that forgets.
const useAfter = (
  before: Use | undefined,
  { load, own }: SignalInfo,
  { meanConcurrency }: Observation,
  elapsed: number,
  time: number
): Use => {
  const known = (before?.known ?? 0) + elapsed
  const toward = smoothing(elapsed, span(time, before?.inFlight ?? meanConcurrency), known)
  return {
    load: toward(before?.load, load),
    own: toward(before?.own, own),
    inFlight: toward(before?.inFlight, meanConcurrency),
    known
  }
}

/** The part of a target that is ours whatever others use. */
const fairShare = 0.5

/** Below this a use is noise, and a quotient of it is too. */
const noise = 0.05

/** By what the tasks in flight may be multiplied until `own` use fills what others leave of the target. */
const room = ({ load, own }: Use, target: number): number | undefined => {
  if (own < noise * target) return undefined
  const others = Math.max(0, load - own)
  return clamp(Math.max(target - others, fairShare * target) / own, 0.5, 8)
}

/** How far beyond its target a JavaScript thread is kept busy, as a factor, while nothing comes too late for it. */
const beyond = 1.06

/**
 * The load to aim at. What a thread leaves free of its time serves only that nothing waits for long, and whether it does
 * its signal says: the more often it is overloaded, the nearer to the target.
 */
export const aimOf = (name: string, { actualRatio, limitRatio, target }: SignalInfo): number => {
  if (name !== "eventLoop") return target
  const overloaded = clamp(actualRatio / Math.max(limitRatio, 0.01), 0, 1)
  return target + (1 - overloaded) * Math.max(0, Math.min(1, beyond * target) - target)
}

const exhausted = 0.985

/** Demand beyond a resource that is used up shows nowhere in its use. */
const isExhausted = ({ load, own }: Use, target: number): boolean => load > exhausted && own > fairShare * target

/** A tenth fewer; where tasks are few, so many fewer that it rounds to one less. */
const fewer = (inFlight: number): number => Math.min(0.9 * inFlight, inFlight - 0.75)

/**
 * The ceiling that one use sets, if it sets one. Where the pool has too little to do, what is in flight says nothing of
 * what could be: use below the target sets no ceiling then, and use above it lowers what is desired by its excess.
 */
export const ceiling = (
  use: Use,
  { target }: Pick<SignalInfo, "target">,
  desired: number,
  isSaturated: boolean
): number | undefined => {
  const most = isSaturated ? use.inFlight : Math.max(use.inFlight, desired)
  if (isExhausted(use, target)) return Math.max(1, fewer(most))
  const factor = room(use, target)
  if (factor === undefined || (!isSaturated && factor >= 1)) return undefined
  return Math.max(1, most * factor)
}

/** What allows how many tasks. */
export interface Bound {
  readonly name: string
  readonly concurrency: number
}

/** Memory kills, and what is lost is lost; other resources only make tasks slow, so that one may wait to be sure. */
export const isUrgent = (name: string): boolean => name === "memory" || name === "losses"

/** The lowest of the ceilings, or of those that `counts` tells, and of the maximum. */
export const lowest = (
  ceilings: Readonly<Record<string, number>>,
  maxConcurrency: number,
  counts: (name: string) => boolean = () => true
): Bound => {
  let found: Bound = { name: "maxConcurrency", concurrency: maxConcurrency }
  for (const [name, concurrency] of Object.entries(ceilings)) {
    if (counts(name) && concurrency < found.concurrency) found = { name, concurrency }
  }
  return found
}
