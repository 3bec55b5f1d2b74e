/**
 * The best that a fixed concurrency can do in each phase of a workload, found by a sweep that knows the phase.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { FixedConcurrency } from "./internal/fixedConcurrency.ts"
import { onlyPhase } from "./internal/plant.ts"
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
 * - `seed`: the tasks to sweep with, default 1.
 * - `maxConcurrency`: where the sweep ends, default 200.
 *
 * The sweep takes a few seconds of real time for a workload with hundreds of tasks a second.
 *
 * **Example** (Finding the knee of two cores)
 *
 * ```ts import.meta.vitest
 * import { Oracle, Workload } from "@autoscaled-pool/simulator"
 * import { Effect } from "effect"
 *
 * const workload = Workload.make({
 *   name: "half CPU, half waiting",
 *   duration: "2 minutes",
 *   phases: [{ cores: 2 }],
 *   task: () => ({ stages: [Workload.cpu(100), Workload.wait(100)] })
 * })
 *
 * const oracle = await Effect.runPromise(Oracle.find(workload))
 * oracle.phases[0].knee // => 4
 * Math.round(oracle.phases[0].throughput) // => 20
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const find = Effect.fn("Oracle.find")(function*(
  workload: Workload.Workload,
  options: { readonly seed?: number | undefined; readonly maxConcurrency?: number | undefined } = {}
) {
  const { maxConcurrency = 200, seed = 1 } = options
  const phases: Array<PhaseOptimum> = []
  const ends = Workload.phaseEnds(workload)
  for (const [index, phase] of workload.phases.entries()) {
    const alone = onlyPhase(workload, phase, ends[index] - phase.startsAt)
    phases.push(yield* optimumOf(new Sweep(alone, seed), maxConcurrency))
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
  const range = upTo(Math.max(1, Math.floor(rough / 1.5)), Math.min(maxConcurrency, Math.ceil(rough * 1.5)), 1.08)
  const top = yield* best(range, fineTasks)
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

const warmUp = 0.1
const stepMillis = 5000
/** A run that comes this near to the memory limit is watched for the whole phase. */
const memoryMargin = 0.8

/** Runs of one phase at fixed concurrencies, each made once. */
class Sweep {
  private readonly workload: Workload.Workload
  private readonly seed: number
  private readonly points = new Map<string, Point>()

  constructor(workload: Workload.Workload, seed: number) {
    this.workload = workload
    this.seed = seed
  }

  at(concurrency: number, tasks: number): Point {
    const key = `${concurrency} ${tasks}`
    const known = this.points.get(key)
    if (known !== undefined) return known
    const point = this.measure(concurrency, tasks)
    this.points.set(key, point)
    return point
  }

  private measure(concurrency: number, tasks: number): Point {
    const run = new FixedConcurrency(this.workload, this.seed, concurrency)
    const { kills, ledger } = run.plant
    const isEnough = () => ledger.succeeded.length >= tasks && run.plant.peakMemory < memoryMargin
    while (run.now < this.workload.duration && !isEnough()) {
      run.advanceTo(Math.min(this.workload.duration, run.now + stepMillis))
      if (kills.length > 0) return { throughput: 0, meanDuration: Infinity }
    }
    const from = run.now * warmUp
    const counted = ledger.succeeded.filter((at) => at > from).length
    return {
      throughput: (counted / (run.now - from)) * 1000,
      meanDuration: ledger.succeededMillis / ledger.succeeded.length
    }
  }
}
