/**
 * The metrics as a receiver of OTLP sees them: Effect's exporter sends them over HTTP to a server of the test.
 */
import {
  AutoscaledPool,
  ConcurrencyGovernor,
  KeyedLimits,
  LoadSignal,
  PoolMetrics,
  PoolRegistry,
  SystemStatus,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, Queue } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp, OtlpExporter } from "effect/observability"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { described } from "../../packages/core/src/internal/views/series.ts"

interface Point {
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: { readonly stringValue: string } }>
  readonly asDouble?: number
  readonly count?: number
  readonly sum?: number
  readonly explicitBounds?: ReadonlyArray<number>
  readonly bucketCounts?: ReadonlyArray<number>
}

interface Received {
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly sum?: {
    readonly isMonotonic: boolean
    readonly aggregationTemporality: number
    readonly dataPoints: ReadonlyArray<Point>
  }
  readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly histogram?: { readonly aggregationTemporality: number; readonly dataPoints: ReadonlyArray<Point> }
}

type Export = ReadonlyMap<string, Received>

/** A receiver on a port of its own; `exports` are the bodies that it got, oldest first. */
const receiver = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly exports: Array<Export>; readonly close: () => void }>((resume) => {
    const exports: Array<Export> = []
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        if (request.url === "/v1/metrics") {
          const { resourceMetrics } = JSON.parse(Buffer.concat(chunks).toString("utf8"))
          const metrics: ReadonlyArray<Received> = resourceMetrics[0].scopeMetrics[0].metrics
          assert.strictEqual(new Set(metrics.map(({ name }) => name)).size, metrics.length, "a metric comes twice")
          exports.push(new Map(metrics.map((metric) => [metric.name, metric])))
        }
        response.writeHead(200, { "content-type": "application/json" }).end("{}")
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo // it listens at a port
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, exports, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const cumulative = 2

const pointsOf = (metric: Received | undefined): ReadonlyArray<Point> =>
  metric?.sum?.dataPoints ?? metric?.gauge?.dataPoints ?? metric?.histogram?.dataPoints ?? []

const attributesOf = ({ attributes }: Point) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]))

/** The value of the series with these attributes. */
const valueOf = (exported: Export, name: string, attributes: Readonly<Record<string, string>>): number | undefined =>
  pointsOf(exported.get(name)).find((point) => {
    const own = attributesOf(point)
    return Object.entries(attributes).every(([key, value]) => own[key] === value)
  })?.asDouble

const signal = (name: string, load: () => number) =>
  LoadSignal.makeUnsafe({
    name,
    overloadedRatio: 0.3,
    target: 0.9,
    every: "10 millis",
    sample: Effect.sync(() => ({
      load: load(),
      isOverloaded: false,
      measure: { used: load(), limit: Infinity, unit: "By", of: "a test" }
    }))
  })

describe("PoolMetrics over OTLP", () => {
  // Live: the exporter sends over HTTP to a receiver on loopback, which no test clock moves.
  it.live("have the names, units, types and buckets that are documented, while pools enter and leave", () =>
    Effect.gen(function*() {
      const { exports, url } = yield* receiver
      const otlp = Otlp.layerJson({ baseUrl: url, resource: { serviceName: "test" }, metricsExportInterval: "1 hour" })
      yield* Effect.gen(function*() {
        const { flush } = yield* OtlpExporter.Flusher
        const take = Effect.map(flush, () => exports[exports.length - 1])
        const governor = yield* ConcurrencyGovernor.make()
        const keys = yield* KeyedLimits.make({ key: (n: number) => n, concurrency: 1 })
        const poolOf = (name: string, items: Queue.Dequeue<number, never>) =>
          AutoscaledPool.fromSource(TaskSource.fromQueue(items), (n) => n === 0 ? Effect.never : Effect.void, {
            name,
            governor,
            keys,
            loggingInterval: null
          })
        const items = yield* Queue.unbounded<number>()
        const run = yield* Effect.forkChild((yield* poolOf("resize", items)).run)
        yield* Queue.offerAll(items, [1, 2, 3, 0, 0]) // the last waits for its key
        yield* Effect.sleep("100 millis")
        yield* take // which finds the key that is held back
        const first = yield* take

        assert.sameMembers([...first.keys()].filter((name) => name.startsWith("autoscaled_pool.")), [
          ...described.map(({ id }) => id)
        ])
        for (const { description, id, type, unit } of described) {
          const metric = first.get(id)
          assert.deepStrictEqual([metric?.unit, metric?.description], [unit, description], id)
          assert.strictEqual(metric?.sum !== undefined, type === "counter", id)
          assert.strictEqual(metric?.gauge !== undefined, type === "gauge", id)
          assert.strictEqual(metric?.histogram !== undefined, type === "histogram", id)
          if (metric?.sum !== undefined) {
            assert.deepStrictEqual([metric.sum.isMonotonic, metric.sum.aggregationTemporality], [true, cumulative], id)
          }
          for (const point of pointsOf(metric)) {
            assert.strictEqual(attributesOf(point)["autoscaled_pool.name"], "resize", id)
            if (metric?.histogram === undefined) assert.isTrue(Number.isFinite(point.asDouble), id)
          }
        }
        const [durations] = pointsOf(first.get("autoscaled_pool.task.duration"))
        assert.strictEqual(durations.count, 3)
        assert.strictEqual(durations.bucketCounts?.length, (durations.explicitBounds?.length ?? 0) + 1)
        assert.strictEqual(durations.bucketCounts?.reduce((sum, count) => sum + count, 0), 3)
        assert.deepStrictEqual([durations.explicitBounds?.[0], durations.explicitBounds?.at(-1)], [0.001, 300])
        // A load that is no number, or infinite, is no reason to lose the whole export.
        assert.strictEqual(valueOf(first, "autoscaled_pool.signal.utilization", { signal: "nan" }), 0)
        assert.strictEqual(valueOf(first, "autoscaled_pool.signal.utilization", { signal: "infinite" }), 0)
        assert.strictEqual(valueOf(first, "autoscaled_pool.signal.stale", { signal: "infinite" }), 1)

        // A second pool enters between two exports, and the first one leaves.
        const others = yield* Queue.unbounded<number>()
        const other = yield* Effect.forkChild((yield* poolOf("upload", others)).run)
        yield* Effect.sleep("100 millis")
        yield* Fiber.interrupt(run)
        const second = yield* take
        const started = "autoscaled_pool.task.started"
        assert.strictEqual(valueOf(second, started, { "autoscaled_pool.name": "resize" }), 4)
        assert.strictEqual(valueOf(second, started, { "autoscaled_pool.name": "upload" }), 0)
        yield* Fiber.interrupt(other)
        assert.strictEqual(valueOf(yield* take, started, { "autoscaled_pool.name": "resize" }), 4)
      }).pipe(
        Effect.provide(
          Layer.mergeAll(
            SystemStatus.layer({ signals: [signal("nan", () => NaN), signal("infinite", () => Infinity)] }),
            PoolMetrics.layer,
            Layer.provide(otlp, FetchHttpClient.layer)
          )
        ),
        Effect.provideService(PoolRegistry.PoolRegistry, PoolRegistry.makeUnsafe()),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
    }))
})
