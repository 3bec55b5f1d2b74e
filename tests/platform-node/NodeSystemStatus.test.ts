import { ClientErrors, LoadSignal, SystemStatus } from "@autoscaled-pool/core"
import * as NodeSystemStatus from "@autoscaled-pool/platform-node/NodeSystemStatus"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Machine from "./machine.ts"

const current = SystemStatus.SystemStatus.use((status) => status.current)

const signalsOf = <E>(layer: Layer.Layer<SystemStatus.SystemStatus, E>) =>
  current.pipe(Effect.map((info) => info.signals), Effect.provide(layer))

/** What options decide of a signal. */
const shownOf = (signals: Readonly<Record<string, LoadSignal.SignalInfo>>) =>
  Object.entries(signals).map(([name, { limitRatio, target }]) => [name, target, limitRatio])

const refusalOf = (options: NodeSystemStatus.Options) => Effect.flip(signalsOf(NodeSystemStatus.layer(options)))

const disk = LoadSignal.makeUnsafe({
  name: "disk",
  overloadedRatio: 0.3,
  target: 0.9,
  every: "1 second",
  sample: Effect.succeed({ load: 0.4 })
})

const environment = (env: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env }))

const parse = (env: Record<string, string>) => NodeSystemStatus.config.parse(ConfigProvider.fromEnv({ env }))

describe("NodeSystemStatus", () => {
  describe("layer", () => {
    it.effect("has four signals, with the targets and ratios of the design", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(shownOf(yield* signalsOf(NodeSystemStatus.layer())), [
          ["cpu", 0.95, 0.4],
          ["memory", 0.9, 0.2],
          ["eventLoop", 0.93, 0.6],
          ["client", 1, 0.3]
        ])
      }))

    it.effect("leaves out what is false and adds what is custom", () =>
      Effect.gen(function*() {
        const signals = yield* signalsOf(
          NodeSystemStatus.layer({ cpu: false, memory: false, client: false, custom: [disk] })
        )
        assert.deepStrictEqual(Object.keys(signals), ["eventLoop", "disk"])
        assert.deepStrictEqual(
          Object.keys(yield* signalsOf(NodeSystemStatus.layer({ eventLoop: false, custom: [] }))),
          ["cpu", "memory", "client"]
        )
      }))

    it.effect("passes options on", () =>
      Effect.gen(function*() {
        const signals = yield* signalsOf(NodeSystemStatus.layer({
          cpu: { target: 0.7 },
          memory: { overloadedRatio: 0.1 },
          eventLoop: { target: 0.5 },
          client: { overloadedRatio: 0.05 }
        }))
        assert.strictEqual(signals.cpu.target, 0.7)
        assert.strictEqual(signals.memory.limitRatio, 0.1)
        assert.strictEqual(signals.eventLoop.target, 0.5)
        assert.strictEqual(signals.client.limitRatio, 0.05)
      }))

    it.effect("an option that cannot be is an InvalidOptionsError that names its path", () =>
      Effect.gen(function*() {
        const refusedField = (options: NodeSystemStatus.Options) =>
          Effect.map(refusalOf(options), (error) => {
            assert.strictEqual(error._tag, "InvalidOptionsError")
            return error.field
          })
        assert.strictEqual(yield* refusedField({ cpu: { target: 0 } }), "cpu.target")
        assert.strictEqual(yield* refusedField({ memory: { limit: "0 B" } }), "memory.limit")
        assert.strictEqual(yield* refusedField({ eventLoop: { maxDelay: -1 } }), "eventLoop.maxDelay")
        assert.strictEqual(yield* refusedField({ client: { allowed: 0 } }), "client.allowed")
        assert.strictEqual(yield* refusedField({ client: { every: 0 } }), "client.every")
        assert.strictEqual(yield* refusedField({ currentWindow: 0 }), "currentWindow")
        assert.strictEqual(yield* refusedField({ historyWindow: Infinity }), "historyWindow")
        assert.strictEqual(yield* refusedField({ custom: [{ ...disk, name: "cpu" }] }), "signals")
        assert.strictEqual((yield* refusalOf({ memory: { target: -1 } })).value, -1)
      }))

    it.effect("an option of another kind is refused, and not taken for one that says nothing", () =>
      Effect.gen(function*() {
        const options = [
          ["cpu", { cpu: 0.9 }],
          ["cpu", { cpu: true }],
          ["memory", { memory: null }],
          ["eventLoop", { eventLoop: "off" }],
          ["processes", { processes: 1 }],
          ["client", { client: () => {} }],
          ["custom", { custom: disk }],
          ["custom", { custom: null }],
          ["eventLoop.maxDelay", { eventLoop: { maxDelay: NaN } }],
          ["signals", { custom: [{}] }],
          ["signals", {
            custom: [
              LoadSignal.make({ name: "disk", overloadedRatio: 0.2, target: 1, every: 100, sample: Effect.never })
            ]
          }]
        ] as const
        for (const [field, option] of options) {
          const { message } = yield* refusalOf(option as unknown as NodeSystemStatus.Options) // which the compiler refuses too
          assert.include(message, `${field} cannot be`)
        }
      }))

    it.effect("reads rate-limit answers", () =>
      Effect.gen(function*() {
        yield* SystemStatus.attend
        yield* TestClock.adjust("1 second")
        for (let i = 0; i < 6; i++) yield* ClientErrors.report
        yield* TestClock.adjust("1 second")
        const { client } = (yield* current).signals
        assert.strictEqual(client.load, 2)
        assert.isTrue(client.isOverloaded)
      }).pipe(
        Effect.provide(NodeSystemStatus.layer({ cpu: false, memory: false, eventLoop: false })),
        Effect.provide(ClientErrors.layer)
      ))

    it.effect("gives one warning for all signals on a platform without /proc", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const machine = yield* Machine.make({})
        const host = yield* Machine.hostOf(machine, { platform: "win32" })
        const layer = Layer.unwrap(NodeSystemStatus.layerOf(host, {}))
        const signals = yield* Effect.gen(function*() {
          yield* TestClock.adjust("10 seconds")
          return (yield* current).signals
        }).pipe(Effect.provide(layer))
        assert.isFalse(signals.cpu.isStale)
        assert.isFalse(signals.memory.isStale)
        assert.deepStrictEqual(warnings.map((line) => line.split(": ")[1]), [
          "load signals see the machine through node:os, and no container limits"
        ])
      })))

    it.effect("is stale until it has something to tell, idle from then on", () =>
      Effect.gen(function*() {
        const machine = yield* Machine.make(Machine.unlimited)
        const host = yield* Machine.hostOf(machine)
        yield* Effect.gen(function*() {
          yield* Effect.yieldNow
          const early = yield* current
          assert.isTrue(early.signals.cpu.isStale)
          assert.isTrue(early.isSystemIdle)
          yield* TestClock.adjust("500 millis")
          const later = yield* current
          assert.isFalse(later.isStale)
          assert.isTrue(later.isSystemIdle)
        }).pipe(Effect.provide(Layer.unwrap(NodeSystemStatus.layerOf(host, {}))))
      }))
  })

  describe("config", () => {
    it.effect("without any variable all is default", () =>
      Effect.gen(function*() {
        const signals = yield* signalsOf(NodeSystemStatus.layerFromConfig.pipe(Layer.provide(environment({}))))
        assert.deepStrictEqual(shownOf(signals), shownOf(yield* signalsOf(NodeSystemStatus.layer())))
      }))

    it.effect("reads every variable of the table", () =>
      Effect.gen(function*() {
        const options = yield* parse({
          AUTOSCALED_POOL_CURRENT_WINDOW: "3 seconds",
          AUTOSCALED_POOL_HISTORY_WINDOW: "20 seconds",
          AUTOSCALED_POOL_CPU: "true",
          AUTOSCALED_POOL_CPU_EVERY: "1 second",
          AUTOSCALED_POOL_CPU_TARGET: "0.8",
          AUTOSCALED_POOL_CPU_OVERLOADED_RATIO: "0.25",
          AUTOSCALED_POOL_MEMORY_EVERY: "100 millis",
          AUTOSCALED_POOL_MEMORY_TARGET: "0.7",
          AUTOSCALED_POOL_MEMORY_OVERLOADED_RATIO: "0",
          AUTOSCALED_POOL_MEMORY_LIMIT: "2 GiB",
          AUTOSCALED_POOL_EVENT_LOOP_EVERY: "2 seconds",
          AUTOSCALED_POOL_EVENT_LOOP_TARGET: "0.5",
          AUTOSCALED_POOL_EVENT_LOOP_OVERLOADED_RATIO: "1",
          AUTOSCALED_POOL_EVENT_LOOP_MAX_DELAY: "75 millis",
          AUTOSCALED_POOL_CLIENT_EVERY: "4 seconds",
          AUTOSCALED_POOL_CLIENT_OVERLOADED_RATIO: "0.15",
          AUTOSCALED_POOL_CLIENT_ALLOWED: "9",
          AUTOSCALED_POOL_PROCESSES_EVERY: "3 seconds",
          AUTOSCALED_POOL_PROCESSES_TARGET: "0.6",
          AUTOSCALED_POOL_PROCESSES_OVERLOADED_RATIO: "0.5"
        })
        assert.deepStrictEqual(
          JSON.parse(JSON.stringify(options, (_, value) => typeof value === "bigint" ? Number(value) : value)),
          {
            currentWindow: { _id: "Duration", _tag: "Millis", millis: 3000 },
            historyWindow: { _id: "Duration", _tag: "Millis", millis: 20_000 },
            cpu: {
              every: { _id: "Duration", _tag: "Millis", millis: 1000 },
              target: 0.8,
              overloadedRatio: 0.25
            },
            memory: {
              every: { _id: "Duration", _tag: "Millis", millis: 100 },
              target: 0.7,
              overloadedRatio: 0,
              limit: 2 * Machine.GiB
            },
            eventLoop: {
              every: { _id: "Duration", _tag: "Millis", millis: 2000 },
              target: 0.5,
              overloadedRatio: 1,
              maxDelay: { _id: "Duration", _tag: "Millis", millis: 75 }
            },
            client: {
              every: { _id: "Duration", _tag: "Millis", millis: 4000 },
              overloadedRatio: 0.15,
              allowed: 9
            },
            processes: {
              every: { _id: "Duration", _tag: "Millis", millis: 3000 },
              target: 0.6,
              overloadedRatio: 0.5
            }
          }
        )
      }))

    it.effect("false leaves a signal out, whatever else is set for it", () =>
      Effect.gen(function*() {
        const signals = yield* signalsOf(NodeSystemStatus.layerFromConfig.pipe(Layer.provide(environment({
          AUTOSCALED_POOL_CPU: "false",
          AUTOSCALED_POOL_CPU_TARGET: "0.5",
          AUTOSCALED_POOL_MEMORY: "no",
          AUTOSCALED_POOL_EVENT_LOOP: "false",
          AUTOSCALED_POOL_CLIENT: "true"
        }))))
        assert.deepStrictEqual(Object.keys(signals), ["client"])
      }))

    it.effect("reads nested documents as well as variables", () =>
      Effect.gen(function*() {
        const provider = ConfigProvider.fromUnknown({
          AUTOSCALED_POOL: { MEMORY: { TARGET: 0.6 }, EVENT_LOOP: false }
        })
        const options = yield* NodeSystemStatus.config.parse(provider)
        assert.deepInclude(options.memory, { target: 0.6 })
        assert.isFalse(options.eventLoop)
      }))

    it.effect("what cannot be read is a ConfigError that names the variable", () =>
      Effect.gen(function*() {
        for (
          const [name, value] of [
            ["CPU", "maybe"],
            ["CPU_TARGET", "high"],
            ["MEMORY_LIMIT", "-1 GiB"],
            ["EVENT_LOOP_MAX_DELAY", "soon"],
            ["HISTORY_WINDOW", "?"]
          ]
        ) {
          const error = yield* Effect.flip(parse({ [`AUTOSCALED_POOL_${name}`]: value }))
          assert.instanceOf(error, Config.ConfigError)
          assert.include(error.message, "AUTOSCALED_POOL", name)
        }
      }))

    it.effect("names that nothing reads get one warning with the nearest that there are", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        yield* signalsOf(NodeSystemStatus.layerFromConfig.pipe(Layer.provide(environment({
          AUTOSCALED_POOL_CPU_TARGT: "0.8",
          AUTOSCALED_POOL_CPU: "true",
          AUTOSCALED_POOL_MEM_LIMIT: "2 GiB",
          AUTOSCALED_POOL_EVENTLOOP: "false",
          AUTOSCALED_POOL_CLIENT_TARGET: "1",
          AUTOSCALED_POOL_EVENT_LOOP_MAX_DELAY: "60 millis",
          AUTOSCALED_POOLS: "x",
          OTHER: "x"
        }))))
        const own = warnings.filter((warning) => warning.startsWith("Nothing reads"))
        assert.strictEqual(own.length, 1)
        for (
          const pair of [
            "AUTOSCALED_POOL_CPU_TARGT (did you mean AUTOSCALED_POOL_CPU_TARGET?)",
            "AUTOSCALED_POOL_MEM_LIMIT (did you mean AUTOSCALED_POOL_MEMORY_LIMIT?)",
            "AUTOSCALED_POOL_EVENTLOOP (did you mean AUTOSCALED_POOL_EVENT_LOOP?)",
            "AUTOSCALED_POOL_CLIENT_TARGET (did you mean "
          ]
        ) assert.include(own[0], pair)
        assert.strictEqual(own[0].split("did you mean").length, 5)
      })))

    it.effect("names of a nested document too; known ones get none", () =>
      Machine.recordWarnings(Effect.fnUntraced(function*(warnings) {
        const from = (document: unknown) =>
          signalsOf(NodeSystemStatus.layerFromConfig.pipe(
            Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(document)))
          ))
        const ours = () => warnings.filter((warning) => warning.startsWith("Nothing reads"))
        yield* from({
          AUTOSCALED_POOL: { MEMORY: { TARGET: 0.6 }, EVENT_LOOP: false, HISTORY_WINDOW: "20 seconds" }
        })
        yield* from({})
        assert.deepStrictEqual(ours(), [])
        yield* from({ AUTOSCALED_POOL: { CPU: { TARGTE: 0.6 } } })
        assert.strictEqual(ours().length, 1)
        assert.include(ours()[0], "AUTOSCALED_POOL_CPU_TARGTE (did you mean AUTOSCALED_POOL_CPU_TARGET?)")
      })))

    it.effect("a percentage for a ratio is refused, in options and in variables", () =>
      Effect.gen(function*() {
        for (const signal of ["cpu", "eventLoop", "processes"] as const) {
          for (const target of [95, 1.5, Infinity, NaN]) {
            assert.strictEqual((yield* refusalOf({ [signal]: { target } })).field, `${signal}.target`)
          }
          assert.strictEqual(
            (yield* refusalOf({ [signal]: { overloadedRatio: 40 } })).field,
            `${signal}.overloadedRatio`
          )
        }
        const error = yield* Effect.flip(signalsOf(
          NodeSystemStatus.layerFromConfig.pipe(Layer.provide(environment({ AUTOSCALED_POOL_CPU_TARGET: "95" })))
        ))
        assert.strictEqual(error._tag, "InvalidOptionsError")
        assert.include(error.message, "such as 0.95 for 95 %")
        for (const value of ["95%", "0,95", "0x1", " 0.9", "0.9.5"]) {
          assert.instanceOf(yield* Effect.flip(parse({ AUTOSCALED_POOL_CPU_TARGET: value })), Config.ConfigError, value)
        }
        // The load of rate-limit answers is no share: it may exceed 1.
        assert.strictEqual((yield* signalsOf(NodeSystemStatus.layer({ cpu: { target: 1 } }))).cpu.target, 1)
      }))

    it.effect("layerConfig takes a Config for each option, or one for all", () =>
      Effect.gen(function*() {
        const provided = Layer.provide(environment({ CPU: "0.7", LIMIT: "2 GiB" }))
        const each = yield* signalsOf(
          NodeSystemStatus.layerConfig({
            cpu: Config.map(Config.Finite("CPU"), (target) => ({ target })),
            memory: Config.map(Config.ByteSize("LIMIT"), (limit) => ({ limit })),
            client: Config.succeed(false as const),
            custom: Config.succeed([disk])
          }).pipe(provided)
        )
        assert.strictEqual(each.cpu.target, 0.7)
        assert.notProperty(each, "client")
        assert.property(each, "disk")
        const all = yield* signalsOf(NodeSystemStatus.layerConfig(Config.succeed({ memory: false as const })))
        assert.notProperty(all, "memory")
        const error = yield* Effect.flip(signalsOf(
          NodeSystemStatus.layerConfig({
            cpu: Config.map(Config.Finite("MISSING"), (target) => ({ target }))
          }).pipe(provided)
        ))
        assert.instanceOf(error, Config.ConfigError)
      }))

    it.effect("what can be read and is not allowed is an InvalidOptionsError", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(signalsOf(
          NodeSystemStatus.layerFromConfig.pipe(Layer.provide(environment({ AUTOSCALED_POOL_CPU_TARGET: "-1" })))
        ))
        assert.strictEqual(error._tag, "InvalidOptionsError")
        assert.include(error.message, "cpu.target cannot be -1")
      }))
  })
})
