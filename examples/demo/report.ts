/**
 * What a run did, as text.
 */
import type { AutoscaledPool } from "@autoscaled-pool/core"
import { Duration } from "effect"
import type { Tally } from "./tally.ts"
import { count, megabytes, percent } from "./text.ts"

export const reportOf = (report: AutoscaledPool.RunReport, tally: Tally, total: number): string => {
  const seconds = Duration.toSeconds(report.duration)
  const perSecond = (amount: number) => seconds > 0 ? amount / seconds : 0
  const ofAll = report.outcome === "Aborted" ? ` of ${count(total)}` : ""
  const smaller = tally.bytesIn > 0 ? ` (${percent(tally.bytesOut / tally.bytesIn)})` : ""
  return [
    `${report.outcome}: ${count(tally.files)}${ofAll} files in ${seconds.toFixed(1)} s`,
    row("bytes in", `${megabytes(tally.bytesIn)}, ${megabytes(perSecond(tally.bytesIn))}/s`),
    row("bytes out", `${megabytes(tally.bytesOut)} gzipped${smaller}`),
    row("contents", `${count(tally.distinctFiles)} distinct, by SHA-256`),
    ...tally.skipped === 0 ? [] : [row("skipped", `${count(tally.skipped)} files that could not be read`)],
    row("concurrency", `mean ${report.meanConcurrency.toFixed(1)}, peak ${report.peakConcurrency}`),
    row("interrupted", `${report.interrupted} tasks; files left open: ${tally.openFiles}`),
    "Nothing started, as a share of the time:",
    ...Object.entries(report.blockedShare)
      .toSorted(([, a], [, b]) => b - a)
      .map(([reason, share]) => row(reason, percent(share)))
  ].join("\n")
}

/** A run that failed has no report; what it had done is known all the same. */
export const failureOf = (tally: Tally): string =>
  `Failed: ${count(tally.files)} files were done; files left open: ${tally.openFiles}`

const row = (name: string, value: string): string => `  ${name.padEnd(19)} ${value}`
