import {
  AutoscaledPool,
  ConcurrencyGovernor,
  KeyedLimits,
  type LoadSignal,
  PoolMetrics,
  PoolRegistry,
  SystemStatus,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, type Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { after, begin, jobs, sampled } from "./stage.ts"

/** A test with a registry of pools and one of metrics of its own. */
const test = (
  name: string,
  body: () => Generator<
    Effect.Effect<unknown, unknown, SystemStatus.SystemStatus | SystemStatus.TestSystemStatus | Scope.Scope>,
    void,
    never
  >
) =>
  it.effect(name, () =>
    Effect.andThen(TestClock.adjust(0), Effect.gen(body)).pipe(
      Effect.provide(Layer.merge(SystemStatus.layerTest, PoolMetrics.layer)),
      Effect.provideService(PoolRegistry.PoolRegistry, PoolRegistry.makeUnsafe()),
      Effect.provideService(Metric.MetricRegistry, new Map())
    ))

const scrape = Effect.map(PrometheusMetrics.format({ metricNameMapper: PoolMetrics.prometheusName }), parse)

interface Scrape {
  readonly types: ReadonlyMap<string, string>
  readonly samples: ReadonlyMap<string, number>
}

/** The text format of Prometheus, version 0.0.4; a line that is not of it fails. */
function parse(text: string): Scrape {
  const types = new Map<string, string>()
  const samples = new Map<string, number>()
  for (const line of text.split("\n").filter(Boolean)) {
    const type = /^# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram)$/.exec(line)
    if (type !== null) {
      assert.isFalse(types.has(type[1]), `${type[1]} is declared twice`)
      types.set(type[1], type[2])
      continue
    }
    if (/^# HELP [a-z_]+ \S.*\.$/.test(line)) continue
    const sample = /^([a-z_:][a-z0-9_:]*(?:\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})?) (-?[\d.e+-]+|\+Inf|NaN)$/.exec(line)
    assert.isNotNull(sample, `not a line of the format: ${line}`)
    if (sample === null) continue
    assert.isFalse(samples.has(sample[1]), `${sample[1]} is there twice`)
    samples.set(sample[1], Number(sample[2]))
  }
  return { types, samples }
}

const poolOf = (name: string, count = 4) =>
  AutoscaledPool.make({ ...jobs(count, () => Effect.sleep("1 second")).work, name, loggingInterval: null })

describe("PoolMetrics", () => {
  test("are what the pool does, under the names of Prometheus' conventions", function*() {
    const { set } = yield* SystemStatus.TestSystemStatus
    yield* set("memory", { load: 0.5, target: 0.9, isOverloaded: false })
    const pool = yield* poolOf("resize")
    const run = yield* begin(pool.run)
    const during = yield* scrape
    const of = (name: string, labels = "") => `autoscaled_pool_${name}{autoscaled_pool_name="resize"${labels}}`
    assert.strictEqual(during.samples.get(of("task_in_flight")), 4)
    assert.strictEqual(during.samples.get(of("task_started_total")), 4)
    yield* after("500 millis")
    assert.strictEqual((yield* scrape).samples.get(of("task_oldest_age_seconds")), 0.5)
    assert.strictEqual(during.samples.get(of("signal_utilization_ratio", ",signal=\"memory\"")), 0.5)
    assert.strictEqual(during.samples.get(of("signal_target_ratio", ",signal=\"memory\"")), 0.9)
    yield* after("1 second")
    yield* Fiber.join(run)
    const { samples, types } = yield* scrape
    assert.strictEqual(samples.get(of("task_in_flight")), 0)
    assert.strictEqual(samples.get(of("task_ended_total", ",outcome=\"succeeded\"")), 4)
    assert.strictEqual(samples.get(of("run_count_total", ",outcome=\"finished\"")), 1)
    assert.strictEqual(samples.get(of("blocked_time_seconds_total", ",reason=\"NoTaskReady\"")), 1)
    assert.strictEqual(samples.get(of("task_duration_seconds_bucket", ",le=\"0.5\"")), 0)
    assert.strictEqual(samples.get(of("task_duration_seconds_bucket", ",le=\"1\"")), 4)
    assert.strictEqual(samples.get(of("task_duration_seconds_bucket", ",le=\"+Inf\"")), 4)
    assert.strictEqual(samples.get(of("task_duration_seconds_sum")), 4)
    for (const [name, type] of types) assert.strictEqual(type === "counter", name.endsWith("_total"), name)
  })

  test("go on counting over runs, and over pools of one name", function*() {
    for (const expected of [4, 8, 12]) {
      const pool = yield* poolOf("resize")
      const run = yield* begin(pool.run)
      yield* after("1 second")
      yield* Fiber.join(run)
      const { samples } = yield* scrape
      assert.strictEqual(samples.get(`autoscaled_pool_task_started_total{autoscaled_pool_name="resize"}`), expected)
    }
  })

  test("of several pools are told apart, and belong to one family", function*() {
    const runs = yield* Effect.forEach(["a", "b"], (name) => Effect.flatMap(poolOf(name), (pool) => begin(pool.run)))
    const { samples } = yield* scrape
    for (const name of ["a", "b"]) {
      assert.strictEqual(samples.get(`autoscaled_pool_task_in_flight{autoscaled_pool_name="${name}"}`), 4)
    }
    yield* Effect.forEach(runs, Fiber.interrupt)
  })

  test("of pools that the registry has forgotten go, so that names made up for each run do not pile up", function*() {
    for (let n = 0; n < 130; n++) {
      yield* Effect.flatMap(poolOf(`page ${n}`, 0), (pool) => pool.run)
    }
    const { samples } = yield* scrape
    const names = [...samples.keys()].filter((key) => key.startsWith("autoscaled_pool_task_in_flight{"))
    assert.isAtMost(names.length, 101)
    assert.isTrue(names.includes(`autoscaled_pool_task_in_flight{autoscaled_pool_name="page 129"}`))
  })

  test("of keys are those of the ten that most items wait for, and a share is there while there is one", function*() {
    const governor = yield* ConcurrencyGovernor.make({ desiredConcurrency: 20 })
    const keys = yield* KeyedLimits.make({ key: (n: number) => n % 12, concurrency: (key) => key === 11 ? 2 : 1 })
    // 2 items of key 0, 3 of key 1 and so on: of the first two keys least items wait.
    const items = Array.from({ length: 12 }, (_, key) => Array.from({ length: key + 2 }, (_, n) => 12 * n + key)).flat()
    const crawl = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(items), () => Effect.sleep("1 second"), {
      name: "crawl",
      governor,
      keys,
      loggingInterval: null
    })
    const run = yield* begin(crawl.run)
    yield* scrape // which finds the keys
    const { samples, types } = yield* scrape
    const of = (metric: string, key: number) =>
      samples.get(`autoscaled_pool_${metric}{autoscaled_pool_name="crawl",key="${key}"}`)
    assert.deepStrictEqual([of("key_parked", 11), of("key_in_flight", 11), of("key_limit", 11)], [11, 2, 2])
    assert.deepStrictEqual([of("key_parked", 2), of("key_in_flight", 2), of("key_limit", 2)], [3, 1, 1])
    assert.deepStrictEqual([of("key_parked", 0), of("key_parked", 1)], [undefined, undefined])
    assert.strictEqual([...samples.keys()].filter((name) => name.startsWith("autoscaled_pool_key_parked")).length, 10)
    assert.strictEqual(types.get("autoscaled_pool_governor_share"), "gauge")
    assert.strictEqual(samples.get(`autoscaled_pool_governor_share{autoscaled_pool_name="crawl"}`), 20)
    yield* after("20 seconds")
    yield* Fiber.join(run)
    yield* scrape
    const later = [...(yield* scrape).samples.keys()]
    assert.isFalse(later.some((name) => name.includes("_key_") || name.includes("governor_share")))
    assert.isTrue(later.includes(`autoscaled_pool_task_in_flight{autoscaled_pool_name="crawl"}`))
  })

  it.effect("of a signal that is not there any more are 0", () => {
    const registry = PoolRegistry.makeUnsafe()
    const runWith = (signals: ReadonlyArray<LoadSignal.LoadSignal>) =>
      Effect.flatMap(poolOf("resize", 0), (pool) => pool.run).pipe(Effect.provide(SystemStatus.layer({ signals })))
    const disk = sampled(Effect.succeed({ load: 0.5 }))
    return Effect.gen(function*() {
      yield* runWith([disk])
      const load = `autoscaled_pool_signal_utilization_ratio{autoscaled_pool_name="resize",signal="disk"}`
      assert.isTrue((yield* scrape).samples.has(load))
      yield* runWith([])
      assert.strictEqual((yield* scrape).samples.get(load), 0)
    }).pipe(
      Effect.provide(PoolMetrics.layer),
      Effect.provideService(PoolRegistry.PoolRegistry, registry),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
  })

  it.effect("go with the layer", () =>
    Effect.gen(function*() {
      const pool = yield* poolOf("resize", 0)
      yield* Effect.provide(pool.run, PoolMetrics.layer)
      assert.strictEqual((yield* scrape).samples.size, 0)
    }).pipe(
      Effect.provide(SystemStatus.layerTest),
      Effect.provideService(Metric.MetricRegistry, new Map())
    ))

  it("leaves names of others as they are", () => {
    assert.strictEqual(PoolMetrics.prometheusName("http_requests"), "http_requests")
    assert.strictEqual(
      PoolMetrics.prometheusName("autoscaled_pool.task.duration"),
      "autoscaled_pool.task.duration_seconds"
    )
  })
})
