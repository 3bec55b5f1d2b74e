/**
 * The `"eventLoop"` signal: how busy the event loop of this thread is, and whether it comes too late.
 *
 * @since 0.1.0
 */
import type { InvalidOptionsError } from "@autoscaled-pool/core/InvalidOptionsError"
import * as LoadSignal from "@autoscaled-pool/core/LoadSignal"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Host from "./internal/host/host.ts"
import * as between from "./internal/sampling/between.ts"
import * as optionRules from "./internal/sampling/optionRules.ts"

/**
 * Options of {@link signal}.
 *
 * **Details**
 *
 * - `every`: the pause between two samples, longer than 0, default 500 milliseconds.
 * - `target`: the load to aim at, above 0 and at most 1, default 0.93. It does not decide what overload is: `maxDelay` does.
 * - `overloadedRatio`: the share of a window's time that may be overloaded, 0 to 1, default 0.6.
 * - `maxDelay`: how late the loop may be before it counts as overloaded, 0 or longer, default 50 milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly every?: Duration.Input | undefined
  readonly target?: number | undefined
  readonly overloadedRatio?: number | undefined
  readonly maxDelay?: Duration.Input | undefined
}

/**
 * Makes the signal.
 *
 * **Details**
 *
 * - `load` is the event-loop utilization since the last sample: the share of time in which the loop had something to do
 *   (`perf_hooks`, Node.js). All of it is this process's own.
 * - Bun and Deno do not measure that. There `load` is the larger of two shares of the time: what this thread spent on a
 *   CPU, and what a timer of 20 milliseconds came late by.
 * - A sample is overloaded when it came more than `maxDelay` later than it was due by the monotonic clock. What an
 *   idle loop is late by, as timers are coarse, is taken off first.
 *
 * An invalid option is an `InvalidOptionsError`. A signal keeps one baseline: make one for each `SystemStatus`.
 *
 * **Example** (Allowing longer delays)
 *
 * ```ts import.meta.vitest
 * import { SystemStatus } from "@autoscaled-pool/core"
 * import { NodeEventLoop } from "@autoscaled-pool/platform-node"
 * import { Effect, Layer } from "effect"
 *
 * const layer = Layer.unwrap(Effect.gen(function*() {
 *   const eventLoop = yield* NodeEventLoop.signal({ maxDelay: "100 millis" })
 *   return SystemStatus.layer({ signals: [eventLoop] })
 * }))
 *
 * const status = SystemStatus.SystemStatus.use((status) => status.current)
 * const info = await Effect.runPromise(status.pipe(Effect.provide(layer)))
 * info.signals.eventLoop.target // => 0.93
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const signal = (options: Options = {}): Effect.Effect<LoadSignal.LoadSignal, InvalidOptionsError> =>
  Effect.flatMap(Host.make(), (host) => signalOf(host, options))

/** @internal */
export const signalOf = Effect.fnUntraced(function*(
  { node, warnings }: Host.Host,
  { every = "500 millis", maxDelay = "50 millis", overloadedRatio = 0.6, target = 0.93 }: Options
) {
  const limit = yield* optionRules.delay("maxDelay", maxDelay)
  yield* optionRules.share("target", target)
  const idle = idleFloor()
  const sample = between.make({
    every,
    warnings,
    read: reader(node),
    measure: (before, after, due) => {
      const delay = idle.above(Math.max(0, after.at - due))
      return {
        load: share(before, after),
        isOverloaded: delay > limit,
        measure: { used: delay, limit, unit: "ms", of: "delay of the event loop" }
      }
    }
  })
  return yield* LoadSignal.make({ name: "eventLoop", overloadedRatio, target, every, sample })
})

/** Milliseconds in which the loop was occupied, `any` of which is right or too small; `idle` where it is measured. */
interface Reading {
  readonly any: ReadonlyArray<number>
  readonly idle: number | undefined
}

/**
 * Before the loop has turned once, nothing has been measured on any runtime: only later does that tell that this one does
 * not measure at all.
 */
const reader = ({ blocked, eventLoop, threadCpuUsage }: Host.Node): () => Reading => {
  let isFirst = true
  return () => {
    const { active, idle } = eventLoop()
    const isMeasured = active + idle > 0 || isFirst
    isFirst = false
    return isMeasured ? { any: [active], idle } : { any: [threadCpuUsage(), blocked()], idle: undefined }
  }
}

const share = (before: between.At<Reading>, after: between.At<Reading>): number => {
  const occupied = Math.max(0, ...after.value.any.map((millis, index) => millis - (before.value.any[index] ?? millis)))
  const total = before.value.idle === undefined || after.value.idle === undefined
    ? after.at - before.at
    : occupied + after.value.idle - before.value.idle
  return total > 0 ? Math.min(1, occupied / total) : 0
}

/** The least delay seen so far. No timer is coarser than 16 milliseconds: what exceeds that is load, not idleness. */
const idleFloor = () => {
  let least: number | undefined
  return {
    above: (delay: number): number => {
      const above = Math.max(0, delay - (least ?? 0))
      least = Math.min(coarsestTimer, delay, least ?? Infinity)
      return above
    }
  }
}

const coarsestTimer = 16
