/**
 * What a signal tells its `SystemStatus` beyond its snapshots: that it cannot measure, and why.
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { monotonicMillis } from "../time/monotonic.ts"
import { nextBeat } from "../time/steadyPace.ts"

export type Report<S> =
  | { readonly _tag: "Snapshot"; readonly snapshot: S }
  | { readonly _tag: "Outage"; readonly cause: Cause.Cause<unknown> }

/** Takes a sample, again and again, with a pause in between; `report` learns the monotonic millisecond it was due. */
export interface Sampler<S> {
  readonly every: Duration.Duration
  readonly report: (due: number) => Effect.Effect<Report<S>>
}

interface Measure {
  readonly load: number
  readonly own?: number
}

interface Reporting<S> {
  readonly name: string
  readonly snapshots: Stream.Stream<S>
}

const Sampled: unique symbol = Symbol.for("@autoscaled-pool/core/LoadSignal/sampler")

/** What was measured, unless it is no number: compared with any limit it would look healthy. */
const measured = <S extends Measure>(snapshot: S): Report<S> =>
  Number.isNaN(snapshot.load) || Number.isNaN(snapshot.own)
    ? { _tag: "Outage", cause: Cause.die("its load is not a number") }
    : { _tag: "Snapshot", snapshot }

/** A signal that is sampled; whoever reads only its snapshots sees the outages in the log. */
export const make = <S extends Measure, Properties extends { readonly name: string }>(
  properties: Properties,
  { every, report }: Sampler<S>
) => {
  const sampler: Sampler<S> = {
    every,
    report: (due) =>
      Effect.map(report(due), (report) => report._tag === "Snapshot" ? measured(report.snapshot) : report)
  }
  return {
    ...properties,
    [Sampled]: sampler,
    snapshots: Stream.unwrap(Effect.sync(() => {
      const log = outageLog(properties.name)
      return Stream.fromEffectRepeat(nextReport(sampler)).pipe(
        Stream.tap((report) => report._tag === "Outage" ? log.failed(report.cause) : log.recovered),
        Stream.flatMap((report) => report._tag === "Snapshot" ? Stream.succeed(report.snapshot) : Stream.empty)
      )
    }))
  }
}

/** The first report is one of this moment, each other one of the next beat. */
const nextReport = <S>({ every, report }: Sampler<S>): Effect.Effect<Report<S>> => {
  let begun = false
  return Effect.suspend(() => {
    const due = begun ? nextBeat(every) : monotonicMillis
    begun = true
    return Effect.flatMap(due, report)
  })
}

const samplerOf = <S>(signal: Reporting<S>): Sampler<S> | undefined =>
  Sampled in signal ? signal[Sampled] as Sampler<S> : undefined // only `make` gives a signal this property

/** The pause between two reports, where it is known. */
export const intervalOf = <S>(signal: Reporting<S>): Duration.Duration | undefined => samplerOf(signal)?.every

/**
 * Hears the reports of any signal. One that its caller wrote has snapshots only, and an outage where its stream ends; one
 * that is sampled is sampled here, which costs a fraction of what a stream does.
 */
export const follow = <S extends Measure>(
  signal: Reporting<S>,
  hear: (report: Report<S>) => Effect.Effect<void>
): Effect.Effect<void> => {
  const sampler = samplerOf(signal)
  if (sampler !== undefined) return Effect.forever(Effect.flatMap(nextReport(sampler), hear))
  return signal.snapshots.pipe(
    Stream.map(measured),
    Stream.catchCause((cause) => Stream.succeed<Report<S>>({ _tag: "Outage", cause })),
    Stream.concat(Stream.succeed<Report<S>>({ _tag: "Outage", cause: Cause.die("its stream of snapshots has ended") })),
    Stream.runForEach(hear)
  )
}

export interface OutageLog {
  readonly failed: (cause: Cause.Cause<unknown>) => Effect.Effect<void>
  readonly silent: Effect.Effect<void>
  readonly recovered: Effect.Effect<void>
}

/** Logs one line when an outage begins and one when it ends, however many reports it lasts. */
export const outageLog = (name: string): OutageLog => {
  let isOut = false
  // A logger that throws must not take the signal down with it.
  const contained = Effect.ignoreCause
  const begin = (line: Effect.Effect<void>) =>
    Effect.suspend(() => {
      if (isOut) return Effect.void
      isOut = true
      return contained(line)
    })
  return {
    failed: (cause) =>
      begin(Effect.logWarning(`Load signal "${name}" cannot measure; concurrency does not grow until it can`, cause)),
    silent: begin(
      Effect.logWarning(`Load signal "${name}" has stopped reporting; concurrency does not grow until it reports again`)
    ),
    recovered: Effect.suspend(() => {
      if (!isOut) return Effect.void
      isOut = false
      return contained(Effect.logInfo(`Load signal "${name}" reports again`))
    })
  }
}
