/**
 * A signal that is sampled carries its sampler, so that a status can take the samples of all its signals together.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { LoadSignal, LoadSnapshot, Sample } from "../../LoadSignal.ts"
import { monotonicMillis } from "../time/monotonic.ts"
import * as outageLog from "./outageLog.ts"
import { measured, outage, type Report } from "./report.ts"
import * as sampleRounds from "./sampleRounds.ts"

export interface Sampler {
  /** Milliseconds from one sample to the next. */
  readonly every: number
  /** Takes a sample that was due at this monotonic millisecond. */
  readonly report: (due: number) => Effect.Effect<Report>
}

type Properties = Pick<LoadSignal, "name" | "overloadedRatio" | "target">

const Sampled: unique symbol = Symbol.for("@autoscaled-pool/core/LoadSignal/sampler")

/** The sampler of a signal that has one. */
export const samplerOf = (signal: LoadSignal): Sampler | undefined =>
  Sampled in signal ? signal[Sampled] as Sampler : undefined // only `makeSignal` gives a signal this property

export const makeSignal = (
  properties: Properties,
  every: Duration.Duration,
  sample: (due: number) => Effect.Effect<Sample, unknown>
): LoadSignal => {
  const limit = Duration.max(every, sampleTimeLimit)
  const sampler: Sampler = {
    every: Duration.toMillis(every),
    report: (due) =>
      within(limit, Effect.suspend(() => sample(due))).pipe(
        Effect.zipWith(monotonicMillis, (sample, at) => measured(snapshotOf(sample, properties.target, at))),
        Effect.catchCause((cause) => Effect.succeed(outage(cause)))
      )
  }
  return Object.assign(properties, { [Sampled]: sampler, snapshots: snapshotsOf(properties.name, sampler) })
}

const sampleTimeLimit = Duration.seconds(5)

/** An effect that may take so long and no longer. Most samples are synchronous, and cost no timer. */
const within = <A, E>(
  limit: Duration.Duration,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E | Cause.TimeoutError> =>
  Effect.flatMap(
    Effect.forkChild(effect, { startImmediately: true }),
    (fiber) =>
      fiber.pollUnsafe() ?? Fiber.join(fiber).pipe(Effect.timeout(limit), Effect.ensuring(Fiber.interrupt(fiber)))
  )

const snapshotOf = (
  { isExhausted = false, isOverloaded, load, measure, own, reclaimedAt }: Sample,
  target: number,
  at: number
): LoadSnapshot => ({
  at,
  load,
  isOverloaded: isExhausted || (isOverloaded ?? load > target),
  ...isExhausted ? { isExhausted } : {},
  ...own === undefined ? {} : { own },
  ...measure === undefined ? {} : { measure },
  ...reclaimedAt === undefined ? {} : { reclaimedAt }
})

/** Rounds of this signal alone: whoever reads the stream attends to it. */
const snapshotsOf = (name: string, sampler: Sampler): Stream.Stream<LoadSnapshot> =>
  Stream.callback(
    Effect.fnUntraced(function*(queue) {
      const log = yield* outageLog.make(name)
      const hear = (report: Report) => {
        log.hear(report)
        if (report._tag === "Snapshot") Queue.offerUnsafe(queue, report.snapshot)
      }
      const rounds = yield* sampleRounds.make({ samples: [{ sampler, hear }], restEvery: sampler.every })
      rounds.begin()
    }),
    { bufferSize: 16, strategy: "sliding" }
  )
