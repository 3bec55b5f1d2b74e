/**
 * The one place where a `SignalInfo` is made: from the snapshots of a window, or from what a test sets by hand.
 */
import type { LoadSnapshot, SignalInfo } from "../../LoadSignal.ts"

/** The share of a window's time that was overloaded: each gap is charged to the snapshot that ends it. */
export const overloadedShare = (snapshots: ReadonlyArray<LoadSnapshot>): number => {
  if (snapshots.length === 0) return 0
  if (snapshots.length === 1) return snapshots[0].isOverloaded ? 1 : 0
  let overloaded = 0
  let overloadedGaps = 0
  for (let i = 1; i < snapshots.length; i++) {
    if (!snapshots[i].isOverloaded) continue
    overloaded += snapshots[i].at - snapshots[i - 1].at
    overloadedGaps++
  }
  const total = snapshots[snapshots.length - 1].at - snapshots[0].at
  return total === 0 ? overloadedGaps / (snapshots.length - 1) : overloaded / total
}

/** A report said so, and none has told since that there is room again. */
export const isExhausted = (snapshots: ReadonlyArray<LoadSnapshot>): boolean => {
  for (let i = snapshots.length - 1; i >= 0; i--) {
    if (snapshots[i].isExhausted === true) return true
    if (!snapshots[i].isOverloaded) return false
  }
  return false
}

export const infoOf = (options: {
  readonly limitRatio: number
  readonly actualRatio: number
  readonly isExhausted: boolean
  readonly target: number
  /** The latest snapshot there is, in the window or before it. */
  readonly latest:
    | Omit<LoadSnapshot, "at" | "isOverloaded" | "isExhausted"> & { readonly at?: number | undefined }
    | undefined
  readonly isStale: boolean
  readonly overloadedSince?: number | undefined
}): SignalInfo => {
  const { actualRatio, isExhausted, isStale, latest, limitRatio, overloadedSince, target } = options
  const load = latest?.load ?? 0
  return {
    limitRatio,
    actualRatio,
    isOverloaded: isExhausted || actualRatio > limitRatio,
    isExhausted,
    isStale,
    load,
    own: latest?.own ?? load,
    target,
    at: latest?.at,
    measure: latest?.measure,
    ...latest?.reclaimedAt === undefined ? {} : { reclaimedAt: latest.reclaimedAt },
    overloadedSince
  }
}
