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
import * as PubSub from "effect/PubSub"
import * as Record from "effect/Record"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as rules from "./internal/options/rules.ts"
import * as signalReports from "./internal/signals/signalReports.ts"
import { SignalWindow, type Windows } from "./internal/signals/signalWindow.ts"
import { VerdictBoard } from "./internal/signals/verdictBoard.ts"
import { reader as monotonicReader } from "./internal/time/monotonic.ts"
import { nextBeat } from "./internal/time/steadyPace.ts"
import { InvalidOptionsError } from "./InvalidOptionsError.ts"
import type { LoadSignal, LoadSnapshot, Measure, SignalInfo } from "./LoadSignal.ts"

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
 * - `changes`: `current`, each time a snapshot arrives or time alone changes the verdict.
 *
 * Reading a verdict costs the same however many snapshots it rests on: it is computed when a snapshot arrives.
 *
 * @category services
 * @since 0.1.0
 */
export class SystemStatus extends Context.Service<SystemStatus, {
  readonly current: Effect.Effect<SystemInfo>
  readonly historical: Effect.Effect<SystemInfo>
  readonly changes: Stream.Stream<SystemInfo>
}>()("@autoscaled-pool/core/SystemStatus") {}

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
  let told: SystemInfo | undefined
  const publish = Effect.suspend(() => PubSub.publish(published, told = board.read().current))
  const watched = board.windows.map((window) => ({ window, log: signalReports.outageLog(window.signal.name) }))

  const hear = (window: SignalWindow, log: signalReports.OutageLog) => (report: signalReports.Report<LoadSnapshot>) =>
    Effect.suspend(() => {
      board.record(window, report)
      return Effect.andThen(report._tag === "Outage" ? log.failed(report.cause) : log.recovered, publish)
    })
  // Where a feed is dead, only time changes a verdict: whoever waits for the end of an overload must hear of it.
  const watch = Effect.suspend(() => {
    const silent = watched.filter(({ window }) => window.isSilent(now()))
    const logged = Effect.forEach(silent, ({ log }) => log.silent, { discard: true })
    return board.read().current === told ? logged : Effect.andThen(publish, logged)
  })

  for (const { log, window } of watched) {
    yield* Effect.forkScoped(signalReports.follow(window.signal, hear(window, log)), { startImmediately: true })
  }
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(nextBeat(watchInterval), watch)))

  return SystemStatus.of({
    current: Effect.sync(() => board.read().current),
    historical: Effect.sync(() => board.read().historical),
    changes: Stream.fromPubSub(published)
  })
})

/** A window that holds more than one report of a signal, so that it does not look silent between two. */
const wideEnough = ({ current, history }: Windows, signal: LoadSignal): Windows => {
  const interval = signalReports.intervalOf(signal)
  const least = interval === undefined ? 0 : 2 * Duration.toMillis(interval)
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

const watchInterval = Duration.seconds(1)

const parse = (options: Parameters<typeof layer>[0]): Result.Result<Windows, InvalidOptionsError> =>
  Result.gen(function*() {
    const names = options.signals.map((signal) => signal.name)
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
 * - `isOverloaded`: default `load > target`.
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
  { load = 0, own = load, target = 1, isOverloaded = load > target, isStale = false, measure, overloadedSince }:
    TestLoad
): SignalInfo => ({
  limitRatio: 0,
  actualRatio: isOverloaded ? 1 : 0,
  isOverloaded,
  isStale,
  load,
  own,
  target,
  measure,
  overloadedSince
})
