/**
 * What the pool is doing, as two lines of text.
 */
import type { AutoscaledPool } from "@autoscaled-pool/core"
import type { Tally } from "./tally.ts"
import { count, megabytes, percent } from "./text.ts"

/** How fast files and bytes went in the last seconds. */
export class Pace {
  private readonly samples: Array<{ readonly at: number; readonly files: number; readonly bytes: number }>

  /** `start` and all other times are monotonic milliseconds. */
  constructor(start: number) {
    this.samples = [{ at: start, files: 0, bytes: 0 }]
  }

  measure(at: number, { bytesIn, files }: Tally): Rate {
    this.samples.push({ at, files, bytes: bytesIn })
    while (at - this.samples[0].at > 3000) this.samples.shift()
    const seconds = Math.max(1, at - this.samples[0].at) / 1000
    return { files: (files - this.samples[0].files) / seconds, bytes: (bytesIn - this.samples[0].bytes) / seconds }
  }
}

/** Per second. */
export interface Rate {
  readonly files: number
  readonly bytes: number
}

export const statusOf = (state: AutoscaledPool.PoolState, tally: Tally, rate: Rate): ReadonlyArray<string> => [
  [
    progressBar(tally),
    `${count(tally.files)} of ${count(tally.foundFiles)} files`,
    `${count(rate.files)} files/s`,
    `${megabytes(rate.bytes)}/s`,
    timeLeft(tally, rate)
  ].join("  "),
  `${state.currentConcurrency} in flight / ${state.desiredConcurrency} desired  ${limitOf(state)}`,
  Object.entries(state.system.signals).map(([name, { load }]) => `${name} ${percent(load)}`).join("  ")
]

const barLength = 16

const progressBar = ({ bytesIn, foundBytes, isFolderCounted }: Tally): string => {
  const done = isFolderCounted && foundBytes > 0 ? Math.min(1, bytesIn / foundBytes) : 0
  const filled = Math.round(done * barLength)
  return `${"█".repeat(filled)}${"░".repeat(barLength - filled)} ${percent(done)}`
}

const timeLeft = ({ bytesIn, foundBytes, isFolderCounted }: Tally, { bytes }: Rate): string => {
  if (!isFolderCounted) return "still counting"
  return bytes === 0 ? "" : `${Math.ceil(Math.max(0, foundBytes - bytesIn) / bytes)} s left`
}

/** Why nothing starts and, where that is the concurrency itself, why it is what it is. */
const limitOf = ({ blocker, lastDecision }: AutoscaledPool.PoolState): string => {
  if (blocker === undefined) return "starting tasks"
  if (blocker._tag === "Overloaded") return `Overloaded (${blocker.signals.join(", ")})`
  if (blocker._tag !== "AtDesired" || lastDecision === undefined) return blocker._tag
  return `AtDesired (${lastDecision.reason.summary})`
}
