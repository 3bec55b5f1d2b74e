/**
 * The "client" signal: new rate-limit answers per interval, over those that are allowed.
 *
 * Defects of Crawlee's signal that are impossible here: a count that is absolute, so that errors of long ago stop the
 * crawl for ever; an overload by it that stops the minimum too; a baseline that is shared, so that two readers split each
 * other's differences.
 */
import { AutoscaledPool, ClientErrors, InvalidOptionsError, type LoadSignal, SystemStatus } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { after, begin, jobs, resultOf, settled } from "./stage.ts"

const reports = (count: number) => Effect.replicateEffect(ClientErrors.report, count, { discard: true })

const follow = Effect.fnUntraced(function*(signal: LoadSignal.LoadSignal) {
  const snapshots: Array<LoadSignal.LoadSnapshot> = []
  yield* begin(Stream.runForEach(signal.snapshots, (snapshot) => Effect.sync(() => snapshots.push(snapshot))))
  return snapshots
})

const clientTest = (name: string, body: () => Generator<Effect.Effect<unknown, unknown, never>, void, never>): void => {
  it.effect(name, () => Effect.provide(Effect.gen(body), Layer.fresh(ClientErrors.layer)))
}

describe("ClientErrors.signal", () => {
  clientTest("load is the number of new answers over 3 allowed; more than 3 in a second are an overload", function*() {
    const snapshots = yield* follow(yield* ClientErrors.signal())
    for (const count of [0, 1, 3, 4, 30, 0]) {
      yield* reports(count)
      yield* after("1 second")
    }
    assert.deepStrictEqual(snapshots.map(({ load }) => load), [0, 0, 1 / 3, 1, 4 / 3, 10, 0])
    assert.deepStrictEqual(snapshots.map(({ isOverloaded }) => isOverloaded), [
      false,
      false,
      false,
      false,
      true,
      true,
      false
    ])
  })

  clientTest("answers of before it was made do not count", function*() {
    yield* reports(100)
    const snapshots = yield* follow(yield* ClientErrors.signal())
    yield* after("1 second")
    assert.deepStrictEqual(snapshots.map(({ load }) => load), [0, 0])
  })

  clientTest("answers expire: a burst closes the gate and lets go of it", function*() {
    const client = yield* ClientErrors.signal()
    yield* Effect.gen(function*() {
      const status = yield* SystemStatus.SystemStatus
      yield* SystemStatus.attend
      for (let i = 0; i < 3; i++) {
        yield* reports(10)
        yield* after("1 second")
      }
      assert.isFalse((yield* status.current).isSystemIdle)
      yield* after("6 seconds")
      assert.isTrue((yield* status.current).isSystemIdle)
    }).pipe(Effect.scoped, Effect.provide(SystemStatus.layer({ signals: [client] })))
  })

  clientTest("is named client, aims at 1, and takes the options of its caller", function*() {
    const signal = yield* ClientErrors.signal()
    assert.deepInclude(signal, { name: "client", target: 1, overloadedRatio: 0.3 })
    const other = yield* ClientErrors.signal({ allowed: 0.5, every: "10 seconds", overloadedRatio: 0 })
    assert.strictEqual(other.overloadedRatio, 0)
    const snapshots = yield* follow(other)
    yield* reports(1)
    yield* after("10 seconds")
    assert.deepStrictEqual(snapshots.map(({ at, load }) => [at, load]), [[0, 0], [10_000, 2]])
  })

  clientTest("options that cannot be are an InvalidOptionsError of field, value and remedy", function*() {
    const wrong: ReadonlyArray<Parameters<typeof ClientErrors.signal>[0]> = [
      { allowed: 0 },
      { allowed: -1 },
      { allowed: NaN },
      { allowed: Infinity },
      { every: 0 },
      { every: Infinity },
      { overloadedRatio: -0.1 },
      { overloadedRatio: 1.5 }
    ]
    for (const options of wrong) {
      const [[field, value]] = Object.entries(options ?? {})
      const error = yield* Effect.flip(ClientErrors.signal(options))
      assert.instanceOf(error, InvalidOptionsError.InvalidOptionsError)
      assert.deepInclude(error, { field, value })
      assert.match(error.remedy, /^Use .+\.$/)
    }
  })

  clientTest("two signals each see every answer", function*() {
    const readers = [yield* follow(yield* ClientErrors.signal()), yield* follow(yield* ClientErrors.signal())]
    yield* reports(6)
    yield* after("1 second")
    for (const snapshots of readers) assert.deepStrictEqual(snapshots.map(({ load }) => load), [0, 2])
  })
})

describe("ClientErrors.report", () => {
  clientTest("counts where it is reported: under one layer apart from another", function*() {
    const outer = yield* follow(yield* ClientErrors.signal())
    const inner = Effect.gen(function*() {
      const snapshots = yield* follow(yield* ClientErrors.signal())
      yield* reports(3)
      yield* after("1 second")
      return snapshots
    })
    const snapshots = yield* Effect.provide(inner, Layer.fresh(ClientErrors.layer))
    assert.deepStrictEqual(snapshots.map(({ load }) => load), [0, 1])
    assert.deepStrictEqual(outer.map(({ load }) => load), [0, 0])
  })

  clientTest("outside a task marks no task", function*() {
    const { work } = jobs(2)
    const pool = yield* Effect.provide(AutoscaledPool.make(work), SystemStatus.layerTest)
    const run = yield* begin(pool.run)
    yield* reports(5)
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).rejected, 0)
  })

  clientTest(
    "inside a task, and inside what it forks, marks that task once, and no other in the same slot",
    function*() {
      const { work } = jobs(4, (index) =>
        Effect.andThen(
          index === 1 ? Effect.andThen(reports(3), Effect.forkChild(reports(2))) : Effect.void,
          Effect.sleep("1 second")
        ))
      const pool = yield* Effect.provide(
        AutoscaledPool.make({ ...work, concurrencySettings: { maxConcurrency: 1 } }),
        SystemStatus.layerTest
      )
      const run = yield* begin(pool.run)
      yield* after("2 seconds")
      assert.strictEqual((yield* pool.state).rejected, 1)
      yield* after("2 seconds")
      yield* settled
      assert.deepInclude(yield* resultOf(run), { rejected: 1, succeeded: 4 })
    }
  )
})
