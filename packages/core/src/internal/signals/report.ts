/**
 * What a signal tells whoever follows it: a snapshot, or that it cannot measure, and why.
 */
import * as Cause from "effect/Cause"
import * as Stream from "effect/Stream"
import type { LoadSignal, LoadSnapshot } from "../../LoadSignal.ts"

export type Report =
  | { readonly _tag: "Snapshot"; readonly snapshot: LoadSnapshot }
  | { readonly _tag: "Outage"; readonly cause: Cause.Cause<unknown> }

export const outage = (cause: Cause.Cause<unknown>): Report => ({ _tag: "Outage", cause })

/** What was measured, unless it is no finite number: compared with a limit it would look healthy, and no mean would bear it. */
export const measured = (snapshot: LoadSnapshot): Report =>
  Number.isFinite(snapshot.load) && Number.isFinite(snapshot.own ?? 0) && Number.isFinite(snapshot.at)
    ? { _tag: "Snapshot", snapshot }
    : outage(Cause.die("its load, or the time of it, is not a finite number"))

/** The reports of a signal that its caller wrote: it has snapshots only, and an outage where its stream ends. */
export const reportsOf = ({ snapshots }: LoadSignal): Stream.Stream<Report> =>
  snapshots.pipe(
    Stream.map(measured),
    Stream.catchCause((cause) => Stream.succeed(outage(cause))),
    Stream.concat(Stream.succeed(outage(Cause.die("its stream of snapshots has ended"))))
  )
