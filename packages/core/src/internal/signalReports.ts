/**
 * What a signal tells its `SystemStatus` beyond its snapshots: that it cannot measure, and why.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LoadSignal, LoadSnapshot } from "../LoadSignal.ts"

export type Report =
  | { readonly _tag: "Snapshot"; readonly snapshot: LoadSnapshot }
  | { readonly _tag: "Outage"; readonly cause: Cause.Cause<unknown> }

const Reports: unique symbol = Symbol.for("@autoscaled-pool/core/LoadSignal/reports")

interface ReportingSignal extends LoadSignal {
  readonly [Reports]: Stream.Stream<Report>
}

const isReporting = (signal: LoadSignal): signal is ReportingSignal => Reports in signal

/** A signal of these reports; whoever reads only its snapshots sees the outages in the log. */
export const make = (
  properties: Omit<LoadSignal, "snapshots">,
  reports: Stream.Stream<Report>
): LoadSignal => {
  const signal: ReportingSignal = {
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
  return signal
}

/** The reports of any signal: one that its caller wrote has snapshots only, and an outage where its stream ends. */
export const of = (signal: LoadSignal): Stream.Stream<Report> => {
  const reports = isReporting(signal)
    ? signal[Reports]
    : Stream.map(signal.snapshots, (snapshot): Report => ({ _tag: "Snapshot", snapshot }))
  return reports.pipe(
    Stream.catchCause((cause) => Stream.succeed<Report>({ _tag: "Outage", cause })),
    Stream.concat(Stream.succeed<Report>({ _tag: "Outage", cause: Cause.die("its stream of snapshots has ended") }))
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
