/**
 * What pools do, as metrics of Effect: series that are read when somebody scrapes them, and cost a task nothing.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Metric from "effect/Metric"
import { passingSeriesOf, prometheusName as nameOf, type Series, seriesOf } from "./internal/views/series.ts"
import { PoolRegistry } from "./PoolRegistry.ts"
import type { PoolSnapshot } from "./PoolSnapshot.ts"

/**
 * Registers the metrics of all pools of the `PoolRegistry` in force, for as long as the layer lasts.
 *
 * **Details**
 *
 * Put it beside an exporter: `Otlp.layerJson` or `PrometheusMetrics.layerHttp` of `effect/observability`. The exporter
 * must see the same `Metric.MetricRegistry`. Each series has the attributes `autoscaled_pool.name` and `unit`; durations
 * are in seconds. Counters go on when a run ends and the next one begins under the same name. The share of a pool under a
 * governor, and the ten keys that most items wait for, have series while there are such; a scrape shows what the one before
 * it has found.
 *
 * **Example** (Scraping)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, PoolMetrics, SystemStatus, TaskSource } from "@autoscaled-pool/core"
 * import { Effect, Layer } from "effect"
 * import { PrometheusMetrics } from "effect/observability"
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2]), () => Effect.void, { name: "resize" })
 *   yield* pool.run
 *   return yield* PrometheusMetrics.format({ metricNameMapper: PoolMetrics.prometheusName })
 * }).pipe(Effect.provide(Layer.merge(PoolMetrics.layer, SystemStatus.layerTest)))
 *
 * const text = await Effect.runPromise(program)
 * text.includes(`autoscaled_pool_task_started_total{autoscaled_pool_name="resize"} 2`) // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effectDiscard(Effect.gen(function*() {
  const registry = yield* PoolRegistry
  const context = yield* Effect.context<never>()
  const registered = new Map<string, Registered>()
  const forget = (name: string): void => {
    const { lasting, passing } = registered.get(name) ?? noneRegistered()
    for (const registration of [...lasting.values(), ...passing.values()]) registration.remove()
    registered.delete(name)
  }
  const register = (name: string): void => {
    // A program that makes up names must not fill the memory with series of pools that the registry has forgotten.
    for (const known of registered.keys()) if (registry.find(known) === undefined) forget(known)
    let last = registry.find(name)?.snapshot()
    if (last === undefined) return
    const read = (): PoolSnapshot => last = registry.find(name)?.snapshot() ?? last as PoolSnapshot // set above
    const ofPool = registered.get(name) ?? noneRegistered()
    registered.set(name, ofPool)
    const add = (series: Series, to: Registrations) => {
      if (!to.has(series.key)) to.set(series.key, series.register(context, () => share(series.key)))
    }
    const follow = (snapshot: PoolSnapshot): PoolSnapshot => {
      const now = passingSeriesOf(snapshot)
      for (const [key, registration] of ofPool.passing) {
        if (now.some((series) => series.key === key)) continue
        registration.remove()
        ofPool.passing.delete(key)
      }
      for (const series of now) add(series, ofPool.passing)
      return snapshot
    }
    const share = sharing(() => follow(read()))
    for (const series of seriesOf(last)) add(series, ofPool.lasting)
    follow(last)
  }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const name of [...registered.keys()]) forget(name)
    })
  )
  const stop = registry.onEnter(register)
  yield* Effect.addFinalizer(() => Effect.sync(stop))
  for (const { name } of registry.pools()) register(name)
}))

type Registrations = Map<string, Metric.Registration>

/** The series of a pool: those that it always has, and those that come and go, which follow each scrape. */
interface Registered {
  readonly lasting: Registrations
  readonly passing: Registrations
}

const noneRegistered = (): Registered => ({ lasting: new Map(), passing: new Map() })

/** A scrape reads dozens of series in one turn: each snapshot serves every series once, and no longer than the turn. */
const sharing = (take: () => PoolSnapshot): (key: string) => PoolSnapshot => {
  let snapshot: PoolSnapshot | undefined
  const served = new Set<string>()
  return (key) => {
    if (snapshot === undefined || served.has(key)) {
      snapshot = take()
      served.clear()
      void Promise.resolve().then(() => snapshot = undefined)
    }
    served.add(key)
    return snapshot
  }
}

/**
 * Turns the names of this module's metrics into those that Prometheus' conventions ask for, with unit and `_total`: give
 * it to `PrometheusMetrics` as `metricNameMapper`. Other names stay as they are.
 *
 * **Details**
 *
 * An OpenTelemetry collector that exports to Prometheus adds the same suffixes, so one dashboard fits both ways.
 *
 * @category names
 * @since 0.1.0
 */
export const prometheusName: (name: string) => string = nameOf
