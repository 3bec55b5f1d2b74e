/**
 * What several laws say of their decisions: each a piece of a sentence that follows a colon, and tells what was seen, what
 * it was held against, and what came of it.
 */
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import * as format from "../views/format.ts"

/** What a law came to, and where a bound of the caller keeps it from that. */
export const within = (
  { maxConcurrency, minConcurrency }: ConcurrencySettings,
  level: number,
  summary: string
): string => {
  if (level > maxConcurrency) return `${summary}; maxConcurrency (${maxConcurrency}) allows no more`
  return level < minConcurrency ? `${summary}; minConcurrency (${minConcurrency}) allows no fewer` : summary
}

export const more = "which asked for more"
export const fewer = "which asked for fewer"

export const lost = (lost: number): string =>
  `${format.count(lost, "task")} failed, timed out or met a rate limit, ${fewer}`

export const halfUsed = (meanConcurrency: number, limit: number): string =>
  `on average ${decimal(meanConcurrency)} of ${
    Math.floor(limit)
  } were in flight; it grows with at least half of them in use`

export const tooFew = (count: number, needed: number): string =>
  `it compares durations when ${needed} tasks have ended, and ${count} have so far`

export const decimal = (value: number): string => `${Math.round(value * 10) / 10}`
