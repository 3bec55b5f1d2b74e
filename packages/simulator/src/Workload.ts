/**
 * A description of work and of the machine it runs on: what each task needs, how tasks arrive, and how the machine and
 * the service that tasks call change in phases.
 *
 * Time is in milliseconds and memory in megabytes throughout.
 *
 * @since 0.1.0
 */
import { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/**
 * One step of a task; its steps run one after the other.
 *
 * **Details**
 *
 * - `"Cpu"`: `millis` of one core, shared with all that is runnable.
 * - `"EventLoop"`: `millis` of synchronous JavaScript on the process's one thread.
 * - `"Wait"`: `millis` that pass by themselves, such as an answer from afar.
 * - `"Call"`: a call of the phase's `downstream` that takes `millis` of one of its servers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stage {
  readonly kind: "Cpu" | "EventLoop" | "Wait" | "Call"
  readonly millis: number
}

/**
 * What one task needs.
 *
 * **Details**
 *
 * - `stages`: its steps, in order.
 * - `memory`: megabytes that it holds once it has grown, default 1.
 * - `memoryRamp`: milliseconds until it holds all of them, default 500; it begins with 15 %.
 *
 * @category models
 * @since 0.1.0
 */
export interface Task {
  readonly stages: ReadonlyArray<Stage>
  readonly memory?: number | undefined
  readonly memoryRamp?: number | undefined
}

/**
 * The service that tasks call.
 *
 * **Details**
 *
 * - `servers`: calls served at once; more wait in a queue.
 * - `slowdown`: how much longer a call takes per call and server beyond the first, default 0.
 * - `rejectAbove`: calls in the service beyond which it refuses within 20 ms; no limit where it is left out.
 * - `rejectionCost`: how much a refusal per second and server slows the service, default 0.
 * - `rateLimit`: calls a second, with a burst of one second's worth, beyond which it refuses; no limit where left out.
 * - `timeout`: milliseconds after which an answer is worth nothing; no limit where it is left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Downstream {
  readonly servers: number
  readonly slowdown: number
  readonly rejectAbove?: number | undefined
  readonly rejectionCost: number
  readonly rateLimit?: number | undefined
  readonly timeout?: number | undefined
}

/**
 * The conditions that hold from a moment on.
 *
 * **Details**
 *
 * - `startsAt`: milliseconds since the beginning.
 * - `cores`: what the process may use; a container's quota may be a fraction.
 * - `neighbourThreads`: runnable threads of other processes on the same cores.
 * - `memoryLimit`: beyond 1.02 of it, everything is killed.
 * - `neighbourMemory`: what others hold of that limit.
 * - `downstream`: the service that tasks call.
 * - `values`: numbers of the workload's own, for `task` to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Phase {
  readonly startsAt: number
  readonly cores: number
  readonly neighbourThreads: number
  readonly memoryLimit: number
  readonly neighbourMemory: number
  readonly downstream: Downstream
  readonly values: Readonly<Record<string, number>>
}

/**
 * A stretch of arrivals at one mean rate, each independent of the others.
 *
 * @category models
 * @since 0.1.0
 */
export interface ArrivalPeriod {
  readonly perSecond: number
  readonly lasting: number
}

/**
 * The random numbers of one task. Task number `i` gets the same ones whatever runs it.
 *
 * **Details**
 *
 * - `next`: from 0, below 1, evenly.
 * - `chance`: true with this probability.
 * - `between`: evenly between two numbers.
 * - `exponential`: of this mean.
 * - `lognormal`: of this mean and this variation, the standard deviation over the mean.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskRandom {
  readonly next: () => number
  readonly chance: (probability: number) => boolean
  readonly between: (low: number, high: number) => number
  readonly exponential: (mean: number) => number
  readonly lognormal: (mean: number, variation: number) => number
}

/**
 * A workload as the simulation reads it; {@link make} builds one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Workload {
  readonly name: string
  readonly summary: string
  readonly duration: number
  readonly baseMemory: number
  readonly garbageShare: number
  readonly phases: ReadonlyArray<Phase>
  readonly arrivals: ReadonlyArray<ArrivalPeriod>
  readonly task: (random: TaskRandom, phase: Phase, index: number) => Task
}

/**
 * What {@link make} takes for one phase; what is left out stays as it was in the phase before.
 *
 * **Details**
 *
 * - `startsAt`: default 0 for the first phase, which must begin there; the others must say.
 * - `cores`: default 8.
 * - `neighbourThreads`: default 0.
 * - `memoryLimit`: default 16,000.
 * - `neighbourMemory`: default 0.
 * - `downstream`: default a service without bounds.
 * - `values`: default none.
 *
 * @category models
 * @since 0.1.0
 */
export interface PhaseOptions {
  readonly startsAt?: Duration.Input | undefined
  readonly cores?: number | undefined
  readonly neighbourThreads?: number | undefined
  readonly memoryLimit?: number | undefined
  readonly neighbourMemory?: number | undefined
  readonly downstream?: Partial<Downstream> | undefined
  readonly values?: Readonly<Record<string, number>> | undefined
}

/**
 * Describes a workload.
 *
 * **Details**
 *
 * - `name`: for tables and reports.
 * - `summary`: one sentence on what it is, default none.
 * - `duration`: how long a run takes in virtual time, default 15 minutes.
 * - `baseMemory`: megabytes of the process without tasks, default 200.
 * - `garbageShare`: the share of a task's memory, as far as its ramp has come, that stays as garbage when it ends, 0 to
 *   1, until it is collected; default 0.5.
 * - `phases`: at least one, in the order of time; default one with the defaults of {@link PhaseOptions}.
 * - `arrivals`: periods that repeat. Where they are left out there is always a task to start.
 * - `task`: the task of an index, from its random numbers and the phase in which it starts. It must be pure.
 *
 * A workload is a constant of a program: invalid options throw an `InvalidOptionsError`.
 *
 * **Example** (Describing a crawl on two cores)
 *
 * ```ts import.meta.vitest
 * import { Workload } from "@autoscaled-pool/simulator"
 *
 * const crawl = Workload.make({
 *   name: "crawl",
 *   duration: "10 minutes",
 *   phases: [{ cores: 2, memoryLimit: 2048 }, { startsAt: "5 minutes", neighbourThreads: 4 }],
 *   task: (random) => ({
 *     stages: [Workload.wait(random.lognormal(300, 0.5)), Workload.cpu(random.lognormal(40, 1))],
 *     memory: 25
 *   })
 * })
 *
 * crawl.phases.map(({ cores, neighbourThreads }) => [cores, neighbourThreads]) // => [[2, 0], [2, 4]]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly name: string
  readonly summary?: string | undefined
  readonly duration?: Duration.Input | undefined
  readonly baseMemory?: number | undefined
  readonly garbageShare?: number | undefined
  readonly phases?: ReadonlyArray<PhaseOptions> | undefined
  readonly arrivals?: ReadonlyArray<{ readonly perSecond: number; readonly lasting: Duration.Input }> | undefined
  readonly task: (random: TaskRandom, phase: Phase, index: number) => Task
}): Workload => ({
  name: options.name,
  summary: options.summary ?? "",
  duration: positiveMillis("duration", options.duration ?? "15 minutes"),
  baseMemory: atLeastZero("baseMemory", options.baseMemory ?? 200),
  garbageShare: shareOf("garbageShare", options.garbageShare ?? 0.5),
  phases: phasesOf(options.phases ?? [{}]),
  arrivals: (options.arrivals ?? []).map(({ lasting, perSecond }) => ({
    perSecond: positive("arrivals.perSecond", perSecond),
    lasting: positiveMillis("arrivals.lasting", lasting)
  })),
  task: options.task
})

/**
 * A step on a core.
 *
 * @category stages
 * @since 0.1.0
 */
export const cpu = (millis: number): Stage => ({ kind: "Cpu", millis })

/**
 * A step of synchronous JavaScript.
 *
 * @category stages
 * @since 0.1.0
 */
export const eventLoop = (millis: number): Stage => ({ kind: "EventLoop", millis })

/**
 * A step that waits.
 *
 * @category stages
 * @since 0.1.0
 */
export const wait = (millis: number): Stage => ({ kind: "Wait", millis })

/**
 * A call of the downstream service.
 *
 * @category stages
 * @since 0.1.0
 */
export const call = (millis: number): Stage => ({ kind: "Call", millis })

/**
 * The same workload over a shorter or a longer time; phases that would begin after its end are left out.
 *
 * @category combinators
 * @since 0.1.0
 */
export const lasting = (workload: Workload, duration: Duration.Input): Workload => {
  const millis = positiveMillis("duration", duration)
  return { ...workload, duration: millis, phases: workload.phases.filter(({ startsAt }) => startsAt < millis) }
}

/**
 * The moment at which each phase ends, in order.
 *
 * @category getters
 * @since 0.1.0
 */
export const phaseEnds = (workload: Workload): ReadonlyArray<number> =>
  workload.phases.map((_, index) => workload.phases[index + 1]?.startsAt ?? workload.duration)

const boundless: Downstream = { servers: Infinity, slowdown: 0, rejectionCost: 0 }

const phasesOf = (options: ReadonlyArray<PhaseOptions>): ReadonlyArray<Phase> => {
  if (options.length === 0) throw invalid("phases", options, "Give at least one phase.")
  const phases: Array<Phase> = []
  for (const phase of options) phases.push(phaseOf(phase, phases.at(-1)))
  if (phases[0].startsAt !== 0) throw invalid("phases[0].startsAt", options[0].startsAt, "Begin the first phase at 0.")
  return phases
}

const phaseOf = (options: PhaseOptions, before: Phase | undefined): Phase => {
  const startsAt = millisOf("phases.startsAt", options.startsAt ?? 0)
  if (before !== undefined && startsAt <= before.startsAt) {
    throw invalid(
      "phases.startsAt",
      options.startsAt,
      `Begin it after the phase before, which is at ${before.startsAt} ms.`
    )
  }
  return {
    startsAt,
    cores: positive("phases.cores", options.cores ?? before?.cores ?? 8),
    neighbourThreads: atLeastZero("phases.neighbourThreads", options.neighbourThreads ?? before?.neighbourThreads ?? 0),
    memoryLimit: positive("phases.memoryLimit", options.memoryLimit ?? before?.memoryLimit ?? 16_000),
    neighbourMemory: atLeastZero("phases.neighbourMemory", options.neighbourMemory ?? before?.neighbourMemory ?? 0),
    downstream: downstreamOf({ ...(before?.downstream ?? boundless), ...options.downstream }),
    values: { ...before?.values, ...options.values }
  }
}

const downstreamOf = (downstream: Downstream): Downstream => {
  positive("phases.downstream.servers", downstream.servers)
  atLeastZero("phases.downstream.slowdown", downstream.slowdown)
  atLeastZero("phases.downstream.rejectionCost", downstream.rejectionCost)
  positive("phases.downstream.rejectAbove", downstream.rejectAbove ?? Infinity)
  positive("phases.downstream.rateLimit", downstream.rateLimit ?? Infinity)
  positive("phases.downstream.timeout", downstream.timeout ?? Infinity)
  return downstream
}

const invalid = (field: string, value: unknown, remedy: string): InvalidOptionsError =>
  new InvalidOptionsError({ field, value, remedy })

const positive = (field: string, value: number): number => {
  if (value > 0) return value
  throw invalid(field, value, "Use a number greater than 0.")
}

const atLeastZero = (field: string, value: number): number => {
  if (value >= 0 && value < Infinity) return value
  throw invalid(field, value, "Use a finite number of at least 0.")
}

const shareOf = (field: string, value: number): number => {
  if (value >= 0 && value <= 1) return value
  throw invalid(field, value, "Use a number from 0 to 1.")
}

const millisOf = (field: string, input: Duration.Input): number => {
  const millis = Option.getOrElse(Option.map(Duration.fromInput(input), Duration.toMillis), () => NaN)
  if (millis >= 0 && millis < Infinity) return millis
  throw invalid(field, input, `Use a finite duration, such as "10 minutes"; a plain number is milliseconds.`)
}

const positiveMillis = (field: string, input: Duration.Input): number => {
  const millis = millisOf(field, input)
  if (millis > 0) return millis
  throw invalid(field, input, `Use a duration longer than 0, such as "10 minutes".`)
}
