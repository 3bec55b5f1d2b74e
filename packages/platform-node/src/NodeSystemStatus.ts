/**
 * The `SystemStatus` of a Node.js process: CPU, memory, event loop and rate-limit answers, container limits included.
 *
 * @since 0.1.0
 */
import * as ClientErrors from "@autoscaled-pool/core/ClientErrors"
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import type { LoadSignal } from "@autoscaled-pool/core/LoadSignal"
import * as SystemStatus from "@autoscaled-pool/core/SystemStatus"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as unknownNames from "./internal/configuration/unknownNames.ts"
import * as Host from "./internal/host/host.ts"
import * as optionRules from "./internal/sampling/optionRules.ts"
import * as NodeCpu from "./NodeCpu.ts"
import * as NodeEventLoop from "./NodeEventLoop.ts"
import * as NodeMemory from "./NodeMemory.ts"
import * as NodeProcesses from "./NodeProcesses.ts"

/**
 * Options of {@link layer}.
 *
 * **Details**
 *
 * - `cpu`, `memory`, `eventLoop`, `client`: the options of a signal, or `false` to leave it out, default on. What is
 *   left out of the options takes the defaults below; all are described at the signals.
 * - `processes`: the options of a signal that is left out where neither a control group nor `ulimit -u` limits the number
 *   of processes, or `false` to leave it out everywhere, default on.
 * - `custom`: signals of the program's own. A name that appears twice is an `InvalidOptionsError`.
 * - `currentWindow`: the window of samples that decides whether a task may start now, default 5 seconds.
 * - `historyWindow`: the window of samples that decides whether the concurrency may grow, default 30 seconds.
 *
 * | signal | `every` | `target` | `overloadedRatio` | besides |
 * | --- | --- | --- | --- | --- |
 * | `cpu` | 500 ms | 0.95 | 0.4 | |
 * | `memory` | 250 ms | 0.9 | 0.2 | `limit`: none |
 * | `eventLoop` | 500 ms | 0.93 | 0.6 | `maxDelay`: 50 ms |
 * | `client` | 1 s | 1 | 0.3 | `allowed`: 3 |
 * | `processes` | 1 s | 0.9 | 0.2 | |
 *
 * @see {@link NodeCpu.signal}
 * @see {@link NodeMemory.signal}
 * @see {@link NodeEventLoop.signal}
 * @see {@link ClientErrors.signal}
 * @see {@link NodeProcesses.signal}
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly cpu?: NodeCpu.Options | false | undefined
  readonly memory?: NodeMemory.Options | false | undefined
  readonly eventLoop?: NodeEventLoop.Options | false | undefined
  readonly client?: Parameters<typeof ClientErrors.signal>[0] | false | undefined
  readonly processes?: NodeProcesses.Options | false | undefined
  readonly custom?: ReadonlyArray<LoadSignal> | undefined
  readonly currentWindow?: Duration.Input | undefined
  readonly historyWindow?: Duration.Input | undefined
}

/**
 * Provides the `SystemStatus` that a pool needs.
 *
 * **Details**
 *
 * Pools that share the layer share its verdict. What the platform cannot tell falls back to `node:os`, with one warning
 * per cause. No child process is started to measure. An invalid option is an `InvalidOptionsError` that names it
 * with its path, such as `memory.target`.
 *
 * **Example** (Judging a system without a look at rate limits)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
 * import { Effect } from "effect"
 *
 * const signals = SystemStatus.SystemStatus.use((status) => status.current).pipe(
 *   Effect.map((info) => Object.keys(info.signals)),
 *   Effect.provide(NodeSystemStatus.layer({ memory: { limit: "2 GiB" }, client: false }))
 * )
 *
 * await Effect.runPromise(signals) // => ["cpu", "memory", "eventLoop"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<SystemStatus.SystemStatus, InvalidOptionsError> =>
  Layer.unwrap(Effect.flatMap(Host.make(), (host) => layerOf(host, options)))

/** @internal */
export const layerOf = Effect.fnUntraced(function*(host: Host.Host, options: Options) {
  const { client = {}, cpu = {}, currentWindow, custom = [], eventLoop = {}, historyWindow } = options
  const { memory = {}, processes = {} } = options
  for (const [field, value] of Object.entries({ cpu, memory, eventLoop, client, processes })) {
    yield* optionRules.ofSignal(field, value)
  }
  yield* optionRules.signals("custom", custom)
  const builtIn = yield* Effect.all([
    cpu === false ? none : optionRules.within("cpu")(NodeCpu.signalOf(host, cpu)),
    memory === false ? none : optionRules.within("memory")(NodeMemory.signalOf(host, memory)),
    eventLoop === false ? none : optionRules.within("eventLoop")(NodeEventLoop.signalOf(host, eventLoop)),
    client === false ? none : optionRules.within("client")(ClientErrors.signal(client)),
    processes === false ? none : optionRules.within("processes")(whereLimited(host, processes))
  ])
  const signals = [...builtIn.filter((signal) => signal !== undefined), ...custom]
  return SystemStatus.layer({ signals, currentWindow, historyWindow })
})

const none = Effect.succeed(undefined)

const whereLimited = (host: Host.Host, options: NodeProcesses.Options) =>
  Effect.zipWith(
    NodeProcesses.signalOf(host, options),
    NodeProcesses.hasLimit(host),
    (signal, hasLimit) => hasLimit ? signal : undefined
  )

/**
 * Provides the `SystemStatus` of {@link layer} with options that are read from the program's configuration under names
 * of its own.
 *
 * **When to use**
 *
 * Use it where a program has its own names for what it lets people set. {@link layerFromConfig} reads the variables that
 * this library names.
 *
 * **Details**
 *
 * Each option, or all of them, is a `Config`. A value that cannot be read is a `ConfigError`; one that can be read and is
 * not allowed is the `InvalidOptionsError` of the layer.
 *
 * **Example** (Reading a limit)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
 * import { Config, ConfigProvider, Effect, Layer } from "effect"
 *
 * const environment = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { CRAWL_CPU: "0.8" } }))
 * const layer = NodeSystemStatus.layerConfig({
 *   cpu: Config.map(Config.Finite("CRAWL_CPU"), (target) => ({ target })),
 *   client: Config.succeed(false as const)
 * })
 *
 * const signals = SystemStatus.SystemStatus.use((status) => status.current).pipe(
 *   Effect.map((info) => info.signals),
 *   Effect.provide(layer.pipe(Layer.provide(environment)))
 * )
 *
 * const { cpu, client } = await Effect.runPromise(signals)
 * cpu.target // => 0.8
 * client // => undefined
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<SystemStatus.SystemStatus, InvalidOptionsError | Config.ConfigError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))

const prefix = "AUTOSCALED_POOL"

/** Each variable of a signal beside the one that has the signal's own name. */
const variables = {
  CPU: ["EVERY", "OVERLOADED_RATIO", "TARGET"],
  MEMORY: ["EVERY", "OVERLOADED_RATIO", "TARGET", "LIMIT"],
  EVENT_LOOP: ["EVERY", "OVERLOADED_RATIO", "TARGET", "MAX_DELAY"],
  CLIENT: ["EVERY", "OVERLOADED_RATIO", "ALLOWED"],
  PROCESSES: ["EVERY", "OVERLOADED_RATIO", "TARGET"]
}

const knownNames = [
  "CURRENT_WINDOW",
  "HISTORY_WINDOW",
  ...Object.entries(variables).flatMap(([signal, names]) => [signal, ...names.map((name) => `${signal}_${name}`)])
]

const orDefault = <A>(config: Config.Config<A>): Config.Config<A | undefined> => Config.withDefault(config, undefined)

const every = orDefault(Config.Duration("EVERY"))
const overloadedRatio = orDefault(Config.Finite("OVERLOADED_RATIO"))
const target = orDefault(Config.Finite("TARGET"))

const signalConfig = <A>(name: keyof typeof variables, options: Config.Config<A>): Config.Config<A | false> =>
  Config.all({
    isOn: Config.withDefault(Config.Boolean(name), true),
    options: Config.nested(options, name)
  }).pipe(Config.map(({ isOn, options }) => isOn && options))

/**
 * The options of {@link layer} as a program's configuration gives them; what is not set takes its default.
 *
 * **Details**
 *
 * | variable | value | option |
 * | --- | --- | --- |
 * | `AUTOSCALED_POOL_CURRENT_WINDOW` | duration, such as `5 seconds` | `currentWindow` |
 * | `AUTOSCALED_POOL_HISTORY_WINDOW` | duration | `historyWindow` |
 * | `AUTOSCALED_POOL_<SIGNAL>` | `true`, or `false` to leave the signal out | `<signal>` |
 * | `AUTOSCALED_POOL_<SIGNAL>_EVERY` | duration | `<signal>.every` |
 * | `AUTOSCALED_POOL_<SIGNAL>_OVERLOADED_RATIO` | number, 0 to 1 | `<signal>.overloadedRatio` |
 * | `AUTOSCALED_POOL_<SIGNAL>_TARGET` | number above 0, at most 1; not for `CLIENT` | `<signal>.target` |
 * | `AUTOSCALED_POOL_MEMORY_LIMIT` | size, such as `2 GiB` | `memory.limit` |
 * | `AUTOSCALED_POOL_EVENT_LOOP_MAX_DELAY` | duration | `eventLoop.maxDelay` |
 * | `AUTOSCALED_POOL_CLIENT_ALLOWED` | number above 0 | `client.allowed` |
 *
 * `<SIGNAL>` is `CPU`, `MEMORY`, `EVENT_LOOP`, `CLIENT` or `PROCESSES`. A value that cannot be read is a `ConfigError`;
 * one that can be read and is not allowed is the `InvalidOptionsError` of the layer.
 *
 * **When to use**
 *
 * Use this rather than {@link layerFromConfig} to add what a configuration cannot hold, such as `custom`.
 *
 * **Example** (Reading options)
 *
 * ```ts import.meta.vitest
 * import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
 * import { ConfigProvider, Effect } from "effect"
 *
 * const provider = ConfigProvider.fromEnv({
 *   env: { AUTOSCALED_POOL_CPU_TARGET: "0.8", AUTOSCALED_POOL_MEMORY: "false" }
 * })
 * const options = Effect.runSync(NodeSystemStatus.config.parse(provider))
 *
 * options.cpu && options.cpu.target // => 0.8
 * options.memory // => false
 * ```
 *
 * @category configuration
 * @since 0.1.0
 */
export const config: Config.Config<Options> = Config.nested(
  Config.all({
    currentWindow: orDefault(Config.Duration("CURRENT_WINDOW")),
    historyWindow: orDefault(Config.Duration("HISTORY_WINDOW")),
    cpu: signalConfig("CPU", Config.all({ every, overloadedRatio, target })),
    memory: signalConfig(
      "MEMORY",
      Config.all({ every, overloadedRatio, target, limit: orDefault(Config.ByteSize("LIMIT")) })
    ),
    eventLoop: signalConfig(
      "EVENT_LOOP",
      Config.all({ every, overloadedRatio, target, maxDelay: orDefault(Config.Duration("MAX_DELAY")) })
    ),
    client: signalConfig(
      "CLIENT",
      Config.all({ every, overloadedRatio, allowed: orDefault(Config.Finite("ALLOWED")) })
    ),
    processes: signalConfig("PROCESSES", Config.all({ every, overloadedRatio, target }))
  }),
  prefix
)

/**
 * Provides the `SystemStatus` of {@link layer} with the options that {@link config} reads: those of the environment,
 * unless the program provides another `ConfigProvider`. Other names that begin with `AUTOSCALED_POOL_` get one warning,
 * which tells the nearest name that there is.
 *
 * **Example** (Configuring a system through its environment)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
 * import { ConfigProvider, Effect, Layer } from "effect"
 *
 * const environment = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { AUTOSCALED_POOL_CPU_TARGET: "0.8" } }))
 *
 * const target = SystemStatus.SystemStatus.use((status) => status.current).pipe(
 *   Effect.map((info) => info.signals.cpu.target),
 *   Effect.provide(NodeSystemStatus.layerFromConfig.pipe(Layer.provide(environment)))
 * )
 *
 * await Effect.runPromise(target) // => 0.8
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFromConfig: Layer.Layer<SystemStatus.SystemStatus, InvalidOptionsError | Config.ConfigError> = Layer
  .unwrap(Effect.gen(function*() {
    yield* unknownNames.warn(yield* ConfigProvider.ConfigProvider, prefix, knownNames)
    return layer(yield* config)
  }))
