/**
 * The best that a fixed concurrency can do in each phase of a workload, found by a sweep that knows the phase.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { FixedConcurrency } from "./internal/fixedConcurrency.ts"
import { onlyPhase, type Plant } from "./internal/plant.ts"
import * as Workload from "./Workload.ts"

/**
 * The best of one phase.
 *
 * **Details**
 *
 * - `best`: the fixed concurrency with the most successes that does not run out of memory.
 * - `throughput`: its successes per second.
 * - `knee`: the least concurrency that reaches 97 % of that.
 * - `kneeDuration`: mean milliseconds of a task at the knee.
 *
 * @category models
 * @since 0.1.0
 */
export interface PhaseOptimum {
  readonly best: number
  readonly throughput: number
  readonly knee: number
  readonly kneeDuration: number
}

/**
 * The optimum of each phase, in order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Oracle {
  readonly phases: ReadonlyArray<PhaseOptimum>
}

/**
 * Finds the optimum of each phase, as if there were always a task to start.
 *
 * **Details**
 *
 * - `maxConcurrency`: where the sweep ends, default 200.
 *
 * A concurrency that comes near to the memory limit counts only if it never runs out of memory in three runs of the whole
 * phase with different tasks: one that survives by luck is nothing to aim at. The sweep has seeds of its own, so that one
 * oracle serves runs of any seed. It takes about a second of real time.
 *
 * **Example** (Finding the knee of a service)
 *
 * ```ts import.meta.vitest
 * import { Oracle, Workload } from "@autoscaled-pool/simulator"
 * import { Effect } from "effect"
 *
 * const workload = Workload.make({
 *   name: "twelve servers",
 *   duration: "2 minutes",
 *   phases: [{ downstream: { servers: 12, slowdown: 0.1 } }],
 *   task: () => ({ stages: [Workload.call(100)] })
 * })
 *
 * const oracle = await Effect.runPromise(Oracle.find(workload))
 * oracle.phases[0].knee // => 12
 * Math.round(oracle.phases[0].throughput) // => 120
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const find = Effect.fn("Oracle.find")(function*(
  workload: Workload.Workload,
  options: { readonly maxConcurrency?: number | undefined } = {}
) {
  const { maxConcurrency = 200 } = options
  const phases: Array<PhaseOptimum> = []
  const ends = Workload.phaseEnds(workload)
  for (const [index, phase] of workload.phases.entries()) {
    const alone = onlyPhase(workload, phase, ends[index] - phase.startsAt)
    phases.push(yield* optimumOf(new Sweep(alone), maxConcurrency))
  }
  return { phases } satisfies Oracle
})

const optimumOf = Effect.fnUntraced(function*(sweep: Sweep, maxConcurrency: number) {
  const best = function*(candidates: ReadonlyArray<number>, tasks: number) {
    let best = candidates[0]
    for (const concurrency of candidates) {
      if (sweep.at(concurrency, tasks).throughput > sweep.at(best, tasks).throughput) best = concurrency
      yield* Effect.yieldNow
    }
    return best
  }
  const rough = yield* best(upTo(1, maxConcurrency, 1.5), roughTasks)
  const around = upTo(Math.max(1, Math.floor(rough / 1.5)), Math.min(maxConcurrency, Math.ceil(rough * 1.5)), 1.08)
  let top = yield* best(around, fineTasks)
  while (top > 1 && !sweep.survives(top)) {
    top = Math.min(top - 1, Math.round(top * 0.97))
    yield* Effect.yieldNow
  }
  const { throughput } = sweep.at(top, fineTasks)

  let below = 0
  let knee = top
  while (knee - below > 1) {
    const middle = (below + knee) >> 1
    if (sweep.at(middle, fineTasks).throughput >= kneeShare * throughput) knee = middle
    else below = middle
    yield* Effect.yieldNow
  }
  return { best: top, throughput, knee, kneeDuration: sweep.at(knee, fineTasks).meanDuration } satisfies PhaseOptimum
})

const kneeShare = 0.97
const roughTasks = 1500
const fineTasks = 6000

/** Geometric steps of this ratio, each at least one, both ends included. */
const upTo = (from: number, to: number, ratio: number): ReadonlyArray<number> => {
  const steps: Array<number> = []
  for (let step = from; step < to; step = Math.max(step + 1, Math.round(step * ratio))) steps.push(step)
  return [...steps, to]
}

interface Point {
  readonly throughput: number
  readonly meanDuration: number
}

const seeds = [101, 102, 103]
const warmUp = 0.1
const stepMillis = 5000
/** A run that stays below this share of the memory limit needs no second look. */
const safeMemory = 0.8

/** Runs of one phase at fixed concurrencies, each made once. */
class Sweep {
  private readonly workload: Workload.Workload
  private readonly points = new Map<string, Point>()

  constructor(workload: Workload.Workload) {
    this.workload = workload
  }

  /** What a concurrency achieves over so many tasks; nothing, where it runs out of memory. */
  at(concurrency: number, tasks: number): Point {
    const key = `${concurrency} ${tasks}`
    const known = this.points.get(key)
    if (known !== undefined) return known
    const run = this.run(concurrency, seeds[0], ({ ledger }) => ledger.succeeded.length >= tasks)
    const point = run.plant.kills.length > 0 ? { throughput: 0, meanDuration: Infinity } : pointOf(run)
    this.points.set(key, point)
    return point
  }

  /** Whether a concurrency that came near to the memory limit never reaches it, whatever the tasks. */
  survives(concurrency: number): boolean {
    const rough = this.run(concurrency, seeds[0], ({ ledger }) => ledger.succeeded.length >= fineTasks)
    if (rough.plant.peakMemory < safeMemory) return true
    return seeds.every((seed) => this.run(concurrency, seed, () => false).plant.kills.length === 0)
  }

  private run(concurrency: number, seed: number, isEnough: (plant: Plant) => boolean): FixedConcurrency {
    const run = new FixedConcurrency(this.workload, seed, concurrency)
    while (run.now < this.workload.duration && !isEnough(run.plant) && run.plant.kills.length === 0) {
      run.advanceTo(Math.min(this.workload.duration, run.now + stepMillis))
    }
    return run
  }
}

const pointOf = (run: FixedConcurrency): Point => {
  const { succeeded, succeededMillis } = run.plant.ledger
  const from = run.now * warmUp
  const counted = succeeded.filter((at) => at > from).length
  return {
    throughput: (counted / (run.now - from)) * 1000,
    meanDuration: succeededMillis / Math.max(1, succeeded.length)
  }
}
