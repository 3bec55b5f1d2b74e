/**
 * What a signal tells its `SystemStatus` beyond its snapshots: that it cannot measure, and why.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export type Report<S> =
  | { readonly _tag: "Snapshot"; readonly snapshot: S }
  | { readonly _tag: "Outage"; readonly cause: Cause.Cause<unknown> }

interface Measure {
  readonly load: number
  readonly own?: number
}

interface Reporting<S> {
  readonly name: string
  readonly snapshots: Stream.Stream<S>
}

const Reports: unique symbol = Symbol.for("@autoscaled-pool/core/LoadSignal/reports")

/** What was measured, unless it is no number: compared with any limit it would look healthy. */
const measured = <S extends Measure>(snapshot: S): Report<S> =>
  Number.isNaN(snapshot.load) || Number.isNaN(snapshot.own)
    ? { _tag: "Outage", cause: Cause.die("its load is not a number") }
    : { _tag: "Snapshot", snapshot }

/** A signal of these reports; whoever reads only its snapshots sees the outages in the log. */
export const make = <S extends Measure, Properties extends { readonly name: string }>(
  properties: Properties,
  taken: Stream.Stream<Report<S>>
) => {
  const reports = Stream.map(taken, (report) => report._tag === "Snapshot" ? measured(report.snapshot) : report)
  return {
    ...properties,
    [Reports]: reports,
    snapshots: Stream.unwrap(Effect.sync(() => {
      const log = outageLog(properties.name)
      return reports.pipe(
        Stream.tap((report) => report._tag === "Outage" ? log.failed(report.cause) : log.recovered),
        Stream.flatMap((report) => report._tag === "Snapshot" ? Stream.succeed(report.snapshot) : Stream.empty)
      )
    }))
  }
}

/** The reports of any signal: one that its caller wrote has snapshots only, and an outage where its stream ends. */
export const of = <S extends Measure>(signal: Reporting<S>): Stream.Stream<Report<S>> => {
  const reports = Reports in signal
    ? (signal[Reports] as Stream.Stream<Report<S>>) // only `make` gives a signal this property
    : Stream.map(signal.snapshots, measured)
  return reports.pipe(
    Stream.catchCause((cause) => Stream.succeed<Report<S>>({ _tag: "Outage", cause })),
    Stream.concat(Stream.succeed<Report<S>>({ _tag: "Outage", cause: Cause.die("its stream of snapshots has ended") }))
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
