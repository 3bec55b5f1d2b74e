/**
 * Workloads drawn at random: what a policy meets that was not tuned to a known set.
 *
 * @since 0.1.0
 */
import { SeededRandom, seedOf } from "./internal/random.ts"
import * as Workload from "./Workload.ts"

/**
 * Draws a workload; the same seed gives the same one.
 *
 * **Details**
 *
 * One resource binds: cores (often a fraction of them, as a container's quota is), the JavaScript thread, memory, or a
 * service with a knee, a refusal or a rate limit; another may be close behind. Tasks take 20 ms to 30 s with a variation
 * of 0.3 to 2.5, or are of two kinds. The knee lies between 3 and 160, at no more than about 300 tasks a second. Every
 * other workload has two or three phases: less capacity, a neighbour, longer waits, a different mix.
 *
 * **Example** (Drawing a workload)
 *
 * ```ts import.meta.vitest
 * import { GeneratedWorkloads } from "@autoscaled-pool/simulator"
 *
 * GeneratedWorkloads.make(7).name // => "generated-7"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (seed: number): Workload.Workload => {
  const random = new SeededRandom(seedOf(generatorSeed, seed))
  const traits = drawTraits(random)
  const { baseMemory, duration, kind, knee, length, task, variation } = traits
  const phases = drawPhases(random, traits)
  return Workload.make({
    name: `generated-${seed}`,
    summary: `${summaries[kind]}, tasks of about ${spell(duration)}, variation ` +
      `${variation.toFixed(1)}, knee near ${Math.round(knee)}, ${phases.length} phase${phases.length > 1 ? "s" : ""}`,
    duration: length,
    baseMemory,
    phases,
    task
  })
}

const spell = (millis: number): string =>
  millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(millis < 10_000 ? 1 : 0)} s`

const generatorSeed = 0x6e4e

type Kind = "cpu" | "eventLoop" | "memory" | "knee" | "refusal" | "rateLimit" | "mix"

const summaries: Readonly<Record<Kind, string>> = {
  cpu: "CPU-bound",
  eventLoop: "bound by the one JavaScript thread",
  memory: "memory-bound",
  knee: "calls a service with a knee",
  refusal: "calls a service that refuses beyond its knee",
  rateLimit: "calls a service with a rate limit",
  mix: "light and heavy tasks"
}

const kinds: ReadonlyArray<Kind> = [
  "cpu",
  "cpu",
  "eventLoop",
  "memory",
  "memory",
  "knee",
  "knee",
  "refusal",
  "rateLimit",
  "mix"
]

interface Traits {
  readonly kind: Kind
  /** Mean milliseconds of a task. */
  readonly duration: number
  readonly variation: number
  /** Where the knee is meant to be, about. */
  readonly knee: number
  readonly length: number
  readonly baseMemory: number
  readonly first: Workload.PhaseOptions
  readonly task: (random: Workload.TaskRandom, phase: Workload.Phase) => Workload.Task
}

const mostPerSecond = 300

const drawTraits = (random: SeededRandom): Traits => {
  const kind = random.pick(kinds)
  const bindsMemory = kind === "memory" || kind === "mix"
  const duration = random.logBetween(bindsMemory ? 500 : 20, 30_000)
  const variation = random.logBetween(0.3, 2.5)
  const highest = Math.max(4, Math.min(160, (mostPerSecond * duration) / 1000))
  const knee = random.logBetween(bindsMemory ? Math.min(12, highest) : 3, highest)
  const isFast = (knee / duration) * 1000 > mostPerSecond / 2
  const common = {
    kind,
    duration,
    variation,
    knee,
    length: isFast ? 300_000 : Math.max(60 * duration, random.between(600_000, 900_000)),
    baseMemory: Math.round(random.between(100, 400))
  }
  return { ...common, ...resourcesOf(random, common) }
}

const resourcesOf = (
  random: SeededRandom,
  { baseMemory, duration, kind, knee, variation }: Omit<Traits, "first" | "task">
): Pick<Traits, "first" | "task"> => {
  const bindsMemory = kind === "memory" || kind === "mix"
  /** How many more tasks fit into a resource that does not bind. */
  const headroom = () => random.between(1.4, 4)
  const cpuShare = kind === "cpu" ? random.logBetween(0.05, 0.8) : random.logBetween(0.01, 0.2)
  const loopShare = kind === "eventLoop" ? 1 / knee : random.between(0, 1 / (knee * headroom()))
  const callShare = isCalling(kind) ? random.between(0.4, 0.75) : 0
  const footprint = bindsMemory
    ? random.logBetween(20, 300)
    : random.logBetween(2, 60) * Math.min(1, Math.sqrt(duration / 1000))
  const footprintVariation = random.between(0.2, 0.5)
  const memoryRamp = Math.max(100, duration * random.between(0.1, 0.8))
  const heavy = kind === "mix" ? random.between(4, 12) : 1

  const cores = quarter(knee * cpuShare * (kind === "cpu" ? 1 : headroom()))
  const meanFootprint = footprint * (kind === "mix" ? lightFootprint + heavyTimeShare(heavy) : 1)
  const withGarbage = meanFootprint * (1 + garbageMillis / duration)
  const memoryLimit = Math.round(baseMemory + 64 + withGarbage * knee * (bindsMemory ? 1.2 : headroom()))
  const first = {
    cores,
    memoryLimit,
    downstream: downstreamOf(random, kind, knee * callShare, duration, knee),
    values: { slowness: 1, heavyShare: random.between(0.1, 0.4) }
  }
  const waitShare = Math.max(0.05, 1 - cpuShare - loopShare - callShare)
  const stages = (draw: Workload.TaskRandom, phase: Workload.Phase, scale: number): ReadonlyArray<Workload.Stage> => {
    const part = (share: number) => draw.lognormal(scale * duration * share, variation)
    const before = [Workload.eventLoop(part(loopShare / 2 + 1e-6)), Workload.cpu(part(cpuShare / 2))]
    const middle = [Workload.wait(phase.values.slowness * part(waitShare))]
    if (callShare > 0) middle.push(Workload.call(part(callShare)))
    return [...before, ...middle, Workload.cpu(part(cpuShare / 2)), Workload.eventLoop(part(loopShare / 2 + 1e-6))]
  }
  return {
    first,
    task: (draw, phase) => {
      const isLight = kind === "mix" && !draw.chance(phase.values.heavyShare)
      return {
        stages: stages(draw, phase, isLight ? 1 / heavy : 1),
        memory: (isLight ? lightFootprint : 1) * draw.lognormal(footprint, footprintVariation),
        memoryRamp: isLight ? memoryRamp / heavy : memoryRamp
      }
    }
  }
}

const lightFootprint = 0.08

/** How long, on average, all that a task held would stay as garbage. */
const garbageMillis = 1000

/** The share of the tasks in flight that are heavy where a quarter of those that start are. */
const heavyTimeShare = (heavy: number): number => (0.25 * heavy) / (0.25 * heavy + 0.75)

const isCalling = (kind: Kind): boolean => kind === "knee" || kind === "refusal" || kind === "rateLimit"

const quarter = (cores: number): number => Math.min(64, Math.max(0.5, Math.round(4 * cores) / 4))

const downstreamOf = (
  random: SeededRandom,
  kind: Kind,
  calls: number,
  duration: number,
  knee: number
): Partial<Workload.Downstream> => {
  const servers = Math.max(2, Math.round(calls))
  const timeout = random.chance(0.5) ? Math.max(2000, 20 * duration) : undefined
  switch (kind) {
    case "knee":
      return { servers, slowdown: random.between(0.03, 0.3), timeout }
    case "refusal":
      return {
        servers,
        slowdown: random.between(0, 0.1),
        rejectAbove: Math.round(servers * random.between(1, 1.5)),
        rejectionCost: random.between(0, 0.05)
      }
    case "rateLimit":
      return { rateLimit: (knee / duration) * 1000 }
    default:
      return {}
  }
}

const drawPhases = (random: SeededRandom, traits: Traits): ReadonlyArray<Workload.PhaseOptions> => {
  const { duration, first, length } = traits
  const most = duration > 10_000 ? 2 : 3
  const count = random.chance(0.5) ? 1 : random.pick([2, most])
  if (count === 1) return [first]
  const changed = { ...first, ...changeOf(random, traits), startsAt: length * random.between(0.3, 0.45) }
  if (count === 2) return [first, changed]
  return [first, changed, {
    neighbourThreads: 0,
    neighbourMemory: 0,
    ...first,
    startsAt: length * random.between(0.6, 0.75)
  }]
}

type Change = Workload.PhaseOptions

const changeOf = (random: SeededRandom, { first, kind }: Traits): Change => {
  const { cores = 1, downstream, memoryLimit = 0, values } = first
  const less = random.between(0.3, 0.7)
  const bindsMemory = kind === "memory" || kind === "mix"
  const neighbour = {
    neighbourThreads: Math.max(1, Math.round(cores * random.between(0.5, 1.5))),
    neighbourMemory: bindsMemory ? 0 : Math.round(memoryLimit * random.between(0, 0.2))
  }
  const slower = { values: { ...values, slowness: random.between(1.5, 4) } }
  switch (kind) {
    case "cpu":
      return random.pick<Change>([{ cores: quarter(cores * less) }, neighbour, slower])
    case "mix":
      return random.pick<Change>([{ values: { ...values, heavyShare: random.between(0.4, 0.7) } }, neighbour])
    case "knee":
    case "refusal":
    case "rateLimit":
      return random.pick<Change>([{ downstream: shrunk(downstream ?? {}, less) }, slower])
    default:
      return random.pick<Change>([neighbour, slower])
  }
}

const shrunk = (downstream: Partial<Workload.Downstream>, factor: number): Partial<Workload.Downstream> => {
  const { rateLimit, rejectAbove, servers } = downstream
  const whole = (value: number) => Math.max(1, Math.round(value * factor))
  return {
    ...downstream,
    ...(servers === undefined ? {} : { servers: whole(servers) }),
    ...(rejectAbove === undefined ? {} : { rejectAbove: whole(rejectAbove) }),
    ...(rateLimit === undefined ? {} : { rateLimit: rateLimit * factor })
  }
}
