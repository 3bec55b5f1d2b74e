/**
 * The metric series of a pool: their names, units, attributes, and how each is read from a snapshot.
 */
import * as Metric from "effect/Metric"
import type { HeldBackKey } from "../../KeyedLimits.ts"
import type { DurationHistogram, PoolSnapshot } from "../../PoolSnapshot.ts"
import { blockers as reasons } from "./reason.ts"

/** A series that is read when somebody asks, and costs nothing else. */
export interface Series {
  readonly key: string
  readonly register: (
    context: Parameters<typeof Metric.registerUnsafe>[1],
    snapshot: () => PoolSnapshot
  ) => Metric.Registration
}

interface Family {
  readonly id: string
  readonly type: "gauge" | "counter" | "histogram"
  /** What Prometheus' conventions add to the name. */
  readonly suffix: string
  readonly unit: string
  readonly description: string
}

type Read<A> = (snapshot: PoolSnapshot) => A

const family = (type: Family["type"], id: string, unit: string, suffix: string, description: string): Family => ({
  id: `autoscaled_pool.${id}`,
  type,
  unit,
  suffix,
  description
})

const families = {
  inFlight: family("gauge", "task.in_flight", "{task}", "", "Tasks in flight."),
  desired: family("gauge", "concurrency.desired", "{task}", "", "Tasks that the policy wants in flight."),
  min: family("gauge", "concurrency.min", "{task}", "", "Tasks that may always run."),
  max: family("gauge", "concurrency.max", "{task}", "", "Tasks that may be in flight at most."),
  started: family("counter", "task.started", "{task}", "_total", "Tasks that have started."),
  ended: family("counter", "task.ended", "{task}", "_total", "Tasks that have ended, by outcome."),
  rejected: family(
    "counter",
    "task.rejected",
    "{task}",
    "_total",
    "Tasks that met a rate limit of a service they call."
  ),
  duration: family("histogram", "task.duration", "s", "_seconds", "How long tasks took."),
  oldestAge: family(
    "gauge",
    "task.oldest_age",
    "s",
    "_seconds",
    "Age of the task that has run longest; 0 where none runs."
  ),
  blocked: family("counter", "blocked.time", "s", "_seconds_total", "Time in which no task could start, by reason."),
  decisions: family("counter", "decision.count", "{decision}", "_total", "Decisions of the policy, by direction."),
  utilization: family("gauge", "signal.utilization", "1", "_ratio", "Load of a signal as a share of its resource."),
  target: family("gauge", "signal.target", "1", "_ratio", "The load that policies aim at."),
  overloaded: family("gauge", "signal.overloaded", "1", "_ratio", "1 while the signal is overloaded, else 0."),
  stale: family("gauge", "signal.stale", "1", "_ratio", "1 while the signal does not report, else 0."),
  runs: family("counter", "run.count", "{run}", "_total", "Runs that have ended, by outcome."),
  share: family("gauge", "governor.share", "{permit}", "", "Permits that are the pool's due, under a shared governor."),
  keyParked: family("gauge", "key.parked", "{task}", "", "Items that wait for their key, of the ten keys with most."),
  keyInFlight: family("gauge", "key.in_flight", "{task}", "", "Tasks in flight of a key that items wait for."),
  keyLimit: family(
    "gauge",
    "key.limit",
    "{task}",
    "",
    "Tasks of such a key that may be in flight, where it has a limit."
  )
} as const satisfies Record<string, Family>

const suffixes: ReadonlyMap<string, string> = new Map(Object.values(families).map(({ id, suffix }) => [id, suffix]))

/** The name by Prometheus' conventions; names that are not the library's stay as they are. */
export const prometheusName = (name: string): string => `${name}${suffixes.get(name) ?? ""}`

/** What there is to say of each metric, for documents and dashboards. */
export const described = Object.values(families)

/** Every series of a pool as it is now: the signals are those of the snapshot. */
export const seriesOf = (pool: PoolSnapshot): ReadonlyArray<Series> => [
  gauge(families.inFlight, pool, {}, ({ current }) => current),
  gauge(families.desired, pool, {}, ({ desired }) => desired),
  gauge(families.min, pool, {}, ({ settings }) => settings.minConcurrency),
  gauge(families.max, pool, {}, ({ settings }) => settings.maxConcurrency),
  counter(families.started, pool, {}, ({ totals }) => totals.started),
  ...outcomes.map(([outcome, read]) => counter(families.ended, pool, { outcome }, read)),
  counter(families.rejected, pool, {}, ({ totals }) => totals.rejected),
  durations(pool),
  gauge(families.oldestAge, pool, {}, ({ oldestAges }) => (oldestAges[0] ?? 0) / 1000),
  ...reasons.map((reason) =>
    counter(families.blocked, pool, { reason }, ({ totals }) => (totals.blockedMillis[reason] ?? 0) / 1000)
  ),
  ...directions.flatMap((direction) =>
    ["none", ...pool.signals.map(({ name }) => name)].map((binding) =>
      counter(
        families.decisions,
        pool,
        { direction, binding_signal: binding },
        ({ totals }) => totals.decisions[direction][binding] ?? 0
      )
    )
  ),
  ...pool.signals.flatMap(({ name }) => signalSeries(pool, name)),
  ...runOutcomes.map((outcome) =>
    counter(families.runs, pool, { outcome: outcome.toLowerCase() }, ({ totals }) => totals.runs[outcome])
  )
]

/**
 * Series that come and go with what the pool is doing. Keys may be any number of hosts or tenants: there are series for
 * no more of them at once than a snapshot tells.
 */
export const passingSeriesOf = (pool: PoolSnapshot): ReadonlyArray<Series> => [
  ...(pool.share === undefined ? [] : [gauge(families.share, pool, {}, ({ share = 0 }) => share)]),
  ...pool.heldBackKeys.flatMap((held) => keySeries(pool, held))
]

const keySeries = (pool: PoolSnapshot, { key, limit }: HeldBackKey): ReadonlyArray<Series> => {
  const of = (of: Family, read: (held: HeldBackKey) => number) =>
    gauge(of, pool, { key }, ({ heldBackKeys }) => {
      const held = heldBackKeys.find((held) => held.key === key)
      return held === undefined ? 0 : read(held)
    })
  return [
    of(families.keyParked, ({ parked }) => parked),
    of(families.keyInFlight, ({ inFlight }) => inFlight),
    ...(limit === Infinity ? [] : [of(families.keyLimit, ({ limit }) => limit)])
  ]
}

const outcomes: ReadonlyArray<readonly [string, Read<number>]> = [
  ["succeeded", ({ totals }) => totals.succeeded],
  ["failed", ({ totals }) => totals.failed],
  ["timed_out", ({ totals }) => totals.timedOut],
  ["interrupted", ({ totals }) => totals.interrupted],
  ["abandoned", ({ totals }) => totals.abandoned]
]

const directions = ["up", "down", "hold"] as const

const runOutcomes = ["Finished", "Drained", "Aborted", "Failed", "Interrupted"] as const

const signalSeries = (pool: PoolSnapshot, name: string): ReadonlyArray<Series> => {
  const of = (of: Family, read: (signal: PoolSnapshot["signals"][number]) => number) =>
    gauge(of, pool, { signal: name }, ({ signals }) => {
      const signal = signals.find((signal) => signal.name === name)
      return signal === undefined ? 0 : read(signal)
    })
  return [
    of(families.utilization, ({ load }) => load),
    of(families.target, ({ target }) => target),
    of(families.overloaded, ({ isOverloaded }) => Number(isOverloaded)),
    of(families.stale, ({ isStale }) => Number(isStale))
  ]
}

type Attributes = Readonly<Record<string, string>>

const gauge = (family: Family, pool: PoolSnapshot, attributes: Attributes, read: Read<number>): Series =>
  series(
    family,
    pool,
    attributes,
    (options) => Metric.gauge(family.id, options),
    (pool) => ({ value: finite(read(pool)) })
  )

/** What a signal reports may be any number; exporters write numbers as JSON, which has no others than these. */
const finite = (value: number): number =>
  Number.isNaN(value) ? 0 : Math.max(-Number.MAX_VALUE, Math.min(value, Number.MAX_VALUE))

const counter = (family: Family, pool: PoolSnapshot, attributes: Attributes, read: Read<number>): Series =>
  series(
    family,
    pool,
    attributes,
    (options) => Metric.counter(family.id, { ...options, incremental: true }),
    (snapshot) => ({ count: read(snapshot), incremental: true })
  )

/** Upper bounds in seconds; each is a bound of the pool's own buckets, so that sums over those are exact. */
const boundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

const durations = (pool: PoolSnapshot): Series =>
  series(
    families.duration,
    pool,
    {},
    (options) => Metric.histogram(families.duration.id, { ...options, boundaries }),
    ({ durations }) => ({
      buckets: boundaries.map((bound): [number, number] => [bound, atMost(durations, bound * 1000)]),
      count: durations.count,
      // A histogram without a value has extremes that no exporter can show.
      min: 0,
      max: durations.max / 1000,
      sum: durations.sum / 1000
    })
  )

const atMost = ({ bounds, counts }: DurationHistogram, millis: number): number =>
  counts.reduce((sum, count, bucket) => (bounds[bucket] ?? Infinity) <= millis ? sum + count : sum, 0)

const series = <Input, State>(
  { description, unit }: Family,
  { name }: PoolSnapshot,
  own: Attributes,
  make: (options: { readonly description: string; readonly attributes: Attributes }) => Metric.Metric<Input, State>,
  read: Read<State>
): Series => {
  const attributes = { "autoscaled_pool.name": name, ...own, unit }
  const metric = make({ description, attributes })
  return {
    key: JSON.stringify([metric.id, attributes]),
    register: (context, snapshot) =>
      Metric.registerUnsafe(metric, context, { get: () => read(snapshot()), update: () => {}, modify: () => {} })
  }
}
