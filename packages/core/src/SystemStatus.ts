/**
 * The service that tells a pool whether one more task may start now, and whether the system has been idle lately.
 *
 * A program provides it once; pools that share the layer share the verdict. `NodeSystemStatus.layer` of
 * `@autoscaled-pool/platform-node` provides it with the signals of a Node.js process; {@link layer} builds it from any
 * signals, {@link layerTest} from none, for tests that drive it by hand.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as PubSub from "effect/PubSub"
import * as Record from "effect/Record"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as rules from "./internal/options/rules.ts"
import { follow } from "./internal/signals/followedSignals.ts"
import { samplerOf } from "./internal/signals/sampler.ts"
import * as signalInfo from "./internal/signals/signalInfo.ts"
import { SignalWindow, type Windows } from "./internal/signals/signalWindow.ts"
import { VerdictBoard } from "./internal/signals/verdictBoard.ts"
import { reader as monotonicReader } from "./internal/time/monotonic.ts"
import { InvalidOptionsError } from "./InvalidOptionsError.ts"
import type { LoadSignal, Measure, SignalInfo } from "./LoadSignal.ts"

/**
 * What all signals together say.
 *
 * **Details**
 *
 * - `signals`: the verdict of each signal, by its name.
 * - `isSystemIdle`: no signal is overloaded.
 * - `isStale`: at least one signal does not report; concurrency must not grow on this word.
 * - `createdAt`: monotonic milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface SystemInfo {
  readonly signals: Readonly<Record<string, SignalInfo>>
  readonly isSystemIdle: boolean
  readonly isStale: boolean
  readonly createdAt: number
}

/**
 * The service itself.
 *
 * **Details**
 *
 * - `current`: the verdict over the last seconds: may one more task start now?
 * - `historical`: the verdict over a longer time: should concurrency grow or shrink?
 * - `changes`: `current`, each time a round of samples is taken, a signal reports by itself, or time alone changes the
 *   verdict (within a second; within 0.8 of `currentWindow` while nobody attends).
 * - `attention`: where the status samples less often while nobody depends on it, how to say that somebody does. A status
 *   of your own may leave it out.
 *
 * While nobody attends, signals made by `LoadSignal.make` rest: they are sampled together every 0.8 of `currentWindow`, so
 * that no verdict is older than the window it is about, and a process with nothing to do costs next to nothing. The first
 * task in flight brings fresh samples at once. Reading `current`, `historical` or `changes` is no attention;
 * {@link attend} is.
 *
 * Reading a verdict costs the same however many snapshots it rests on: it is computed when a snapshot arrives. Reading
 * `current` takes first what samples are overdue, as after a blocked event loop.
 *
 * @category services
 * @since 0.1.0
 */
export class SystemStatus extends Context.Service<SystemStatus, {
  readonly current: Effect.Effect<SystemInfo>
  readonly historical: Effect.Effect<SystemInfo>
  readonly changes: Stream.Stream<SystemInfo>
  readonly attention?: Attention | undefined
}>()("@autoscaled-pool/core/SystemStatus") {}

/**
 * How whoever depends on fresh verdicts says so, synchronously: a pool does while it has tasks in flight. Each
 * `beginUnsafe` is followed by one `endUnsafe`; for an effect there is {@link attend}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attention {
  readonly beginUnsafe: () => void
  readonly endUnsafe: () => void
}

/**
 * Keeps the signals at their own paces until the scope closes, for a program that decides something by the verdicts
 * while no pool of it has a task in flight.
 *
 * **Example** (Measuring at full pace)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* SystemStatus.attend
 *   const status = yield* SystemStatus.SystemStatus
 *   return (yield* status.current).isSystemIdle
 * })
 *
 * await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(SystemStatus.layerTest))) // => true
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const attend: Effect.Effect<void, never, SystemStatus | Scope.Scope> = Effect.flatMap(
  SystemStatus,
  ({ attention }) =>
    attention === undefined
      ? Effect.void
      : Effect.acquireRelease(Effect.sync(attention.beginUnsafe), () => Effect.sync(attention.endUnsafe))
)

/**
 * Builds the service from signals, which run as long as the layer does.
 *
 * **Details**
 *
 * - `signals`: any number, each name once; a name that appears twice is an `InvalidOptionsError`.
 * - `currentWindow`: what `current` looks back on, default 5 seconds. A signal silent for longer is stale. It is wider
 *   for a signal that is sampled so seldom that it would hold less than two samples.
 * - `historyWindow`: what `historical` looks back on, default 30 seconds.
 *
 * An outage of a signal is logged as one warning when it begins and one line when it ends.
 *
 * **Example** (Building a status of one signal)
 *
 * ```ts import.meta.vitest
 * import { LoadSignal, SystemStatus } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const disk = LoadSignal.makeUnsafe({
 *   name: "disk",
 *   overloadedRatio: 0.3,
 *   target: 0.9,
 *   every: "1 second",
 *   sample: Effect.succeed({ load: 0.4 })
 * })
 *
 * const program = Effect.gen(function*() {
 *   const status = yield* SystemStatus.SystemStatus
 *   return (yield* status.current).isSystemIdle
 * }).pipe(Effect.provide(SystemStatus.layer({ signals: [disk] })))
 *
 * await Effect.runPromise(program) // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: {
  readonly signals: ReadonlyArray<LoadSignal>
  readonly currentWindow?: Duration.Input | undefined
  readonly historyWindow?: Duration.Input | undefined
}): Layer.Layer<SystemStatus, InvalidOptionsError> => Layer.effect(SystemStatus, make(options))

const make = Effect.fnUntraced(function*(options: Parameters<typeof layer>[0]) {
  const windows = yield* Effect.fromResult(parse(options))
  const now = yield* monotonicReader
  const board = new VerdictBoard(
    options.signals.map((signal) => new SignalWindow(signal, wideEnough(windows, signal), now())),
    now,
    infoOf
  )
  const published = yield* PubSub.sliding<SystemInfo>({ capacity: 16, replay: 1 })
  let told = board.read().current
  const tell = () => {
    const { current } = board.read()
    // Not `publishUnsafe`: where a reader has fallen behind, it refuses the newest, and to every reader.
    if (current !== told) Effect.runSync(PubSub.publish(published, told = current))
  }

  const rounds = yield* follow(board, { now, restEvery: restShare * windows.current, onNews: tell })
  return SystemStatus.of({
    current: Effect.sync(() => {
      rounds.catchUp()
      return board.read().current
    }),
    historical: Effect.sync(() => board.read().historical),
    changes: Stream.fromPubSub(published),
    attention: { beginUnsafe: () => rounds.attend(), endUnsafe: () => rounds.leave() }
  })
})

const isSignal = (input: unknown): boolean =>
  Predicate.hasProperty(input, "snapshots") && Stream.isStream(input.snapshots) && Predicate.hasProperty(input, "name")

/** How much of a window may pass between two samples while nobody attends; the rest is for a sample that comes late. */
const restShare = 0.8

/** A window that holds more than one report of a signal, so that it does not look silent between two. */
const wideEnough = ({ current, history }: Windows, signal: LoadSignal): Windows => {
  const least = 2 * (samplerOf(signal)?.every ?? 0)
  return { current: Math.max(current, least), history: Math.max(history, least) }
}

const infoOf = (signals: Readonly<Record<string, SignalInfo>>, createdAt: number): SystemInfo => {
  const all = Object.values(signals)
  return {
    signals,
    isSystemIdle: !all.some((signal) => signal.isOverloaded),
    isStale: all.some((signal) => signal.isStale),
    createdAt
  }
}

const parse = (options: Parameters<typeof layer>[0]): Result.Result<Windows, InvalidOptionsError> =>
  Result.gen(function*() {
    const { signals } = options
    yield* rules.read(rules.anArray, "signals", signals)
    const noSignal = signals.find((signal: unknown) => !isSignal(signal))
    if (noSignal !== undefined) {
      return yield* Result.fail(
        new InvalidOptionsError({
          field: "signals",
          value: noSignal,
          remedy: "Use signals: LoadSignal.make is an Effect that makes one."
        })
      )
    }
    const names = signals.map((signal) => signal.name)
    const twice = names.find((name, index) => names.indexOf(name) !== index)
    if (twice !== undefined) {
      return yield* Result.fail(
        new InvalidOptionsError({ field: "signals", value: twice, remedy: "Give every signal a name of its own." })
      )
    }
    const current = yield* rules.read(rules.interval, "currentWindow", options.currentWindow ?? "5 seconds")
    const history = yield* rules.read(rules.interval, "historyWindow", options.historyWindow ?? "30 seconds")
    return { current: Duration.toMillis(current), history: Duration.toMillis(history) }
  })

/**
 * What a test sets for one signal.
 *
 * **Details**
 *
 * - `load`: default 0.
 * - `own`: default `load`.
 * - `target`: default 1.
 * - `isExhausted`: default `false`.
 * - `isOverloaded`: default `load > target`, and true where `isExhausted` is.
 * - `isStale`: default `false`.
 * - `measure`: default none.
 * - `overloadedSince`: default none.
 *
 * @category testing
 * @since 0.1.0
 */
export interface TestLoad {
  readonly load?: number | undefined
  readonly own?: number | undefined
  readonly target?: number | undefined
  readonly isOverloaded?: boolean | undefined
  readonly isExhausted?: boolean | undefined
  readonly isStale?: boolean | undefined
  readonly measure?: Measure | undefined
  readonly overloadedSince?: number | undefined
}

/**
 * The hand on the wheel of {@link layerTest}: sets the load of a signal, by name, and reads the verdict back. What is
 * set holds at once for `current` and for `historical`; a name that was not set before becomes a signal.
 *
 * @category testing
 * @since 0.1.0
 */
export class TestSystemStatus extends Context.Service<TestSystemStatus, {
  readonly set: (name: string, load: TestLoad) => Effect.Effect<void>
  readonly info: Effect.Effect<SystemInfo>
}>()("@autoscaled-pool/core/SystemStatus/TestSystemStatus") {}

/**
 * A status that a test drives by hand; idle until told otherwise.
 *
 * **Example** (Overloading a system by hand)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const test = yield* SystemStatus.TestSystemStatus
 *   yield* test.set("cpu", { load: 0.99, target: 0.95 })
 *   const status = yield* SystemStatus.SystemStatus
 *   return (yield* status.current).isSystemIdle
 * }).pipe(Effect.provide(SystemStatus.layerTest))
 *
 * await Effect.runPromise(program) // => false
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const layerTest: Layer.Layer<SystemStatus | TestSystemStatus> = Layer.effectContext(Effect.gen(function*() {
  const now = yield* monotonicReader
  const loads = yield* SubscriptionRef.make<Readonly<Record<string, TestLoad>>>({})
  const describe = (loads: Readonly<Record<string, TestLoad>>) => infoOf(Record.map(loads, testSignalInfo), now())
  const info = Effect.map(SubscriptionRef.get(loads), describe)
  return Context.make(SystemStatus, {
    current: info,
    historical: info,
    changes: Stream.map(SubscriptionRef.changes(loads), describe)
  }).pipe(Context.add(TestSystemStatus, {
    set: (name, load) => SubscriptionRef.update(loads, (loads) => ({ ...loads, [name]: load })),
    info
  }))
}))

const testSignalInfo = (
  {
    load = 0,
    own = load,
    target = 1,
    isOverloaded = load > target,
    isExhausted = false,
    isStale = false,
    measure,
    overloadedSince
  }: TestLoad
): SignalInfo =>
  signalInfo.infoOf({
    limitRatio: 0,
    actualRatio: isOverloaded ? 1 : 0,
    isExhausted,
    target,
    latest: { load, own, measure },
    isStale,
    overloadedSince
  })
