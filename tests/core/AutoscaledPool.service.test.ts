/**
 * A pool as a service of the program's own, and what the types keep a caller from: a pool without a status, an error that
 * does not reach `run`, a service that is missing, options that contradict each other.
 */
import {
  AutoscaledPool,
  InvalidOptionsError,
  ScalingPolicy,
  type SystemStatus,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Context, Data, Effect, Exit, Layer } from "effect"
import { after, begin, counted, exitOf, failureOf, jobs, resultOf, test } from "./stage.ts"

class Torn extends Data.TaggedError("Torn")<{ readonly page: number }> {}

class Site
  extends Context.Service<Site, { readonly pages: Array<string>; readonly seen: Array<string> }>()("test/Site")
{}

const site = (pages: ReadonlyArray<string>) => Layer.sync(Site, () => ({ pages: [...pages], seen: [] }))

const work = {
  runTask: Effect.gen(function*() {
    const { pages, seen } = yield* Site
    const page = pages.shift()
    if (page === "torn") return yield* new Torn({ page: seen.length })
    if (page !== undefined) seen.push(page)
  }),
  isTaskReady: Effect.map(Site, ({ pages }) => pages.length > 0),
  isFinished: Effect.map(Site, ({ pages }) => pages.length === 0)
}

class Crawl extends AutoscaledPool.Service<Crawl>()("test/Crawl", { ...work, taskTimeout: "30 seconds" }) {}

const seen = Effect.map(Site, (site) => site.seen)

describe("AutoscaledPool.Service", () => {
  test("has a layer that builds the pool of its options, with the services that its tasks need", function*() {
    const program = Effect.andThen(Crawl.use((pool) => pool.run), seen)
    const all = Layer.provideMerge(Crawl.layer, site(["a", "b", "c"]))
    assert.deepStrictEqual(yield* Effect.provide(program, all), ["a", "b", "c"])
  })

  test("is one pool for all who use it", function*() {
    const program = Effect.gen(function*() {
      const crawl = yield* Crawl
      yield* Crawl.use((pool) => pool.configure({ maxConcurrency: 3 }))
      return yield* crawl.settings
    })
    const settings = yield* Effect.provide(program, Layer.provide(Crawl.layer, site([])))
    assert.strictEqual(settings.maxConcurrency, 3)
  })

  test("the typed error of a task reaches run", function*() {
    const error = yield* Crawl.use((pool) => pool.run).pipe(
      Effect.catchTag("Torn", (torn) => Effect.succeed(`torn after ${torn.page}`)),
      Effect.provide(Layer.provide(Crawl.layer, site(["a", "torn", "c"])))
    )
    assert.strictEqual(error, "torn after 1")
  })

  test("takes its options from an effect, which may need services and may fail", function*() {
    class Configured extends AutoscaledPool.Service<Configured>()(
      "test/Configured",
      Effect.gen(function*() {
        const maxConcurrency = yield* Config.Int("MAX_CONCURRENCY")
        const { pages } = yield* Site
        return {
          ...work,
          concurrencySettings: { maxConcurrency, minConcurrency: Math.min(pages.length, maxConcurrency) }
        }
      })
    ) {}
    const settings = Configured.use((pool) => pool.settings)
    const withEnv = (env: Record<string, string>) =>
      Layer.provide(
        Configured.layer,
        Layer.merge(site(["a", "b"]), ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
      )
    assert.deepInclude(yield* Effect.provide(settings, withEnv({ MAX_CONCURRENCY: "7" })), {
      maxConcurrency: 7,
      minConcurrency: 2
    })
    const missing = yield* Effect.flip(Effect.provide(settings, withEnv({})))
    assert.strictEqual(missing._tag, "ConfigError")
    const refused = yield* Effect.flip(Effect.provide(settings, withEnv({ MAX_CONCURRENCY: "-7" })))
    assert.instanceOf(refused, InvalidOptionsError.InvalidOptionsError)
  })

  test("can be replaced by another pool in a test of a program that uses it", function*() {
    const { tally, task } = counted()
    const fake = Layer.effect(
      Crawl,
      AutoscaledPool.fromSource(TaskSource.fromIterable([1, 2]), () => task)
    )
    const run = yield* begin(Effect.provide(Crawl.use((pool) => pool.run), fake))
    yield* after("1 second")
    assert.strictEqual((yield* resultOf(run)).succeeded, 2)
    assert.strictEqual(tally.succeeded, 2)
  })

  test("two services of the same options are two pools", function*() {
    class Other extends AutoscaledPool.Service<Other>()("test/Other", work) {}
    const program = Effect.gen(function*() {
      yield* (yield* Other).configure({ maxConcurrency: 3 })
      return (yield* (yield* Crawl).settings).maxConcurrency
    })
    const layers = Layer.provide(Layer.merge(Crawl.layer, Other.layer), site([]))
    assert.strictEqual(yield* Effect.provide(program, layers), 200)
  })
})

describe("AutoscaledPool.Service of a source", () => {
  test("works on its items; its types are those of source and handler; an iterator is closed with the layer", function*() {
    let closed = 0
    const pages = function*() {
      try {
        while (true) yield "page"
      } finally {
        closed++
      }
    }
    class Fetch extends AutoscaledPool.Service<Fetch>()("test/Fetch", {
      source: TaskSource.fromIterable(pages()),
      handle: (page) =>
        Effect.flatMap(
          Site,
          ({ seen }) => seen.push(page.toUpperCase()) < 3 ? Effect.void : Effect.fail("enough" as const)
        )
    }) {}
    const layer: Layer.Layer<Fetch, InvalidOptionsError.InvalidOptionsError, SystemStatus.SystemStatus | Site> =
      Fetch.layer
    const program = Effect.gen(function*() {
      const error: "enough" | AutoscaledPool.TaskTimeoutError | AutoscaledPool.AlreadyRunningError = yield* Effect.flip(
        Fetch.use((pool) => pool.run)
      )
      assert.strictEqual(error, "enough")
      assert.strictEqual(closed, 0)
      return yield* seen
    })
    const pagesSeen = yield* Effect.provide(program, Layer.provideMerge(layer, site([])))
    assert.deepStrictEqual(pagesSeen, ["PAGE", "PAGE", "PAGE"])
    assert.strictEqual(closed, 1)
  })

  test("takes its source from an effect", function*() {
    class Fetch extends AutoscaledPool.Service<Fetch>()(
      "test/FetchLater",
      Effect.map(Site, ({ pages }) => ({
        source: TaskSource.fromIterable(pages),
        handle: (page: string) => Effect.map(Site, ({ seen }) => seen.push(page))
      }))
    ) {}
    const program = Effect.andThen(Fetch.use((pool) => pool.run), seen)
    assert.deepStrictEqual(yield* Effect.provide(program, Layer.provideMerge(Fetch.layer, site(["a", "b"]))), [
      "a",
      "b"
    ])
  })
})

describe("AutoscaledPool: what the types say", () => {
  const task = Effect.fail(new Torn({ page: 1 }))
  const yes = Effect.succeed(true)
  const checks = { isTaskReady: yes, isFinished: yes }

  /** Compiles where both types are the same. */
  const same = <A, B>(_witness: [A] extends [B] ? [B] extends [A] ? true : never : never): void => {}

  it.effect("a pool cannot be built without a SystemStatus", () =>
    Effect.gen(function*() {
      // @ts-expect-error: SystemStatus is missing
      const pool: Effect.Effect<unknown, unknown> = AutoscaledPool.make({ runTask: Effect.void, ...checks })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(pool)))
      // @ts-expect-error: SystemStatus is missing
      const each: Effect.Effect<Array<number>, unknown> = AutoscaledPool.forEach([1], Effect.succeed)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(each)))
      // @ts-expect-error: SystemStatus is missing
      const layer: Layer.Layer<Crawl, unknown, Site> = Crawl.layer
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Layer.build(Layer.provide(layer, site([]))))))
    }))

  test("the error types of task, checks, source and onTaskTimeout reach run, and no others", function*() {
    const made = yield* AutoscaledPool.make({
      runTask: task,
      isTaskReady: Effect.as(Effect.fail("not ready" as const), true),
      isFinished: Effect.as(Effect.fail(404 as const), true),
      onTaskTimeout: () => Effect.fail(null)
    })
    type Made = Effect.Error<typeof made.run>
    same<
      Made,
      Torn | "not ready" | 404 | null | AutoscaledPool.TaskTimeoutError | AutoscaledPool.AlreadyRunningError
    >(true)
    assert.strictEqual(yield* Effect.flip(made.run), "not ready")

    const infallible = yield* AutoscaledPool.make({
      runTask: Effect.void,
      ...checks,
      isTaskReady: Effect.succeed(false)
    })
    same<Effect.Error<typeof infallible.run>, AutoscaledPool.TaskTimeoutError | AutoscaledPool.AlreadyRunningError>(
      true
    )
    assert.strictEqual((yield* infallible.run).outcome, "Finished")

    const source = TaskSource.fromPull<number, "no connection", never>(Effect.fail("no connection" as const))
    const sourced = yield* AutoscaledPool.fromSource(source, () => task)
    same<
      Effect.Error<typeof sourced.run>,
      Torn | "no connection" | AutoscaledPool.TaskTimeoutError | AutoscaledPool.AlreadyRunningError
    >(true)
    assert.strictEqual(yield* Effect.flip(sourced.run), "no connection")
  })

  test("forEach has no AlreadyRunningError, and its results have the type of the function and of onTaskTimeout", function*() {
    const each = AutoscaledPool.forEach([1, 2], (item, index) => Effect.succeed(`${item}${index}`))
    same<Effect.Error<typeof each>, AutoscaledPool.TaskTimeoutError | InvalidOptionsError.InvalidOptionsError>(true)
    same<Effect.Success<typeof each>, Array<string>>(true)
    assert.deepStrictEqual(yield* each, ["10", "21"])
    const none = AutoscaledPool.forEach([1, 2], (item) => Effect.succeed(item), { discard: true })
    same<Effect.Success<typeof none>, void>(true)
    assert.isUndefined(yield* none)
  })

  test("errors and services are the same where a pool is built inside of another call", function*() {
    const each = Effect.all([AutoscaledPool.forEach([1, 2], (item) => Effect.succeed(item))])
    same<Effect.Error<typeof each>, AutoscaledPool.TaskTimeoutError | InvalidOptionsError.InvalidOptionsError>(true)
    same<Effect.Services<typeof each>, SystemStatus.SystemStatus>(true)
    assert.deepStrictEqual(yield* each, [[1, 2]])

    const pools = Effect.all([
      AutoscaledPool.make({ runTask: Effect.void, isTaskReady: Effect.succeed(false), isFinished: yes }),
      AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => task)
    ])
    same<Effect.Error<typeof pools>, InvalidOptionsError.InvalidOptionsError>(true)
    same<Effect.Services<typeof pools>, SystemStatus.SystemStatus>(true)
    const [made, sourced] = yield* pools
    type Run = AutoscaledPool.TaskTimeoutError | AutoscaledPool.AlreadyRunningError
    same<Effect.Error<typeof made.run>, Run>(true)
    same<Effect.Error<typeof sourced.run>, Run | Torn>(true)
    assert.strictEqual((yield* made.run).outcome, "Finished")
  })

  test("services that tasks need are required where the pool is built", function*() {
    const building = AutoscaledPool.make(work)
    same<Effect.Services<typeof building>, Site | SystemStatus.SystemStatus>(true)
    const pool = yield* Effect.provide(building, site(["a"]))
    same<Effect.Services<typeof pool.run>, never>(true)
    assert.strictEqual((yield* pool.run).succeeded, 1)
    same<Layer.Services<typeof Crawl.layer>, Site | SystemStatus.SystemStatus>(true)
  })

  test("policy and an option of the default law together are a type error, and refused at run time", function*() {
    const policy = ScalingPolicy.stepRatio()
    const { work } = jobs(0)
    const attempts = [
      // @ts-expect-error: policy together with scaleUpStepRatio
      AutoscaledPool.make({ ...work, policy, scaleUpStepRatio: 0.1 }),
      // @ts-expect-error: policy together with scaleDownStepRatio
      AutoscaledPool.make({ ...work, policy, scaleDownStepRatio: 0.1 }),
      // @ts-expect-error: policy together with desiredConcurrencyRatio
      AutoscaledPool.make({ ...work, policy, desiredConcurrencyRatio: 0.1 }),
      // @ts-expect-error: policy together with autoscaleInterval
      AutoscaledPool.make({ ...work, policy, autoscaleInterval: "1 second" }),
      AutoscaledPool.fromSource(TaskSource.fromIterable([1]), () => Effect.void, {
        policy,
        // @ts-expect-error: policy together with autoscaleInterval
        autoscaleInterval: "1 second"
      }),
      // @ts-expect-error: policy together with scaleUpStepRatio
      AutoscaledPool.forEach([1], () => Effect.void, { policy, scaleUpStepRatio: 0.1 })
    ]
    for (const attempt of attempts) {
      const error = yield* Effect.flip(attempt as Effect.Effect<unknown, InvalidOptionsError.InvalidOptionsError>)
      assert.include(error.message, "policy")
    }
  })

  test("a policy of any state is a policy", function*() {
    const counting: ScalingPolicy.ScalingPolicy<{ readonly steps: number }> = {
      ...ScalingPolicy.stepRatio(),
      initial: () => ({ steps: 0 }),
      decide: ({ steps }, { desired }) => [{ desired, reason: { summary: `step ${steps}` } }, { steps: steps + 1 }]
    }
    const { work } = jobs(1, () => Effect.sleep("25 seconds"))
    const pool = yield* AutoscaledPool.make({ ...work, policy: counting })
    yield* begin(pool.run)
    yield* after("20 seconds")
    assert.strictEqual((yield* pool.state).lastDecision?.reason.summary, "step 1")
  })

  test("an option that does not exist, or of another kind, is a type error", function*() {
    const { work } = jobs(0)
    // @ts-expect-error: no such option
    yield* AutoscaledPool.make({ ...work, minConcurrency: 3 })
    // @ts-expect-error: no such setting
    yield* AutoscaledPool.make({ ...work, concurrencySettings: { minimum: 3 } })
    // @ts-expect-error: a policy is no name of a policy
    const named = yield* begin(Effect.exit(AutoscaledPool.make({ ...work, policy: "adaptive" })))
    assert.isTrue(Exit.isFailure(yield* resultOf(named)))
    // @ts-expect-error: only loggingInterval may be null
    yield* AutoscaledPool.make({ ...work, maybeRunInterval: null })
    yield* AutoscaledPool.make({ ...work, loggingInterval: null })
  })

  test("a pool that fails with less can stand where one that fails with more is wanted", function*() {
    const { work } = jobs(0)
    const narrow = yield* AutoscaledPool.make(work)
    const wide: AutoscaledPool.AutoscaledPool<Torn | AutoscaledPool.TaskTimeoutError> = narrow
    assert.strictEqual((yield* wide.run).outcome, "Finished")
    const torn = yield* AutoscaledPool.make({ runTask: task, isTaskReady: yes, isFinished: yes })
    // @ts-expect-error: an error would be lost
    const lost: AutoscaledPool.AutoscaledPool<AutoscaledPool.TaskTimeoutError> = torn
    assert.isTrue(Exit.isFailure(yield* exitOf(yield* begin(lost.run))))
    assert.instanceOf(yield* failureOf(yield* begin(torn.run)), Torn)
  })
})
