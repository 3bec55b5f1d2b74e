/**
 * The verdicts of all signals of one status, computed when something changes them and not when they are read.
 */
import type { SignalInfo } from "../LoadSignal.ts"
import type { SystemInfo } from "../SystemStatus.ts"
import type { Report } from "./signalReports.ts"
import type { SignalWindow } from "./signalWindow.ts"

export interface Verdicts {
  readonly current: SystemInfo
  readonly historical: SystemInfo
}

export const infoOf = (signals: Readonly<Record<string, SignalInfo>>, createdAt: number): SystemInfo => {
  const all = Object.values(signals)
  return {
    signals,
    isSystemIdle: !all.some((signal) => signal.isOverloaded),
    isStale: all.some((signal) => signal.isStale),
    createdAt
  }
}

export class VerdictBoard {
  readonly windows: ReadonlyArray<SignalWindow>
  private readonly now: () => number
  private verdicts: Verdicts | undefined
  private validUntil = -Infinity

  constructor(windows: ReadonlyArray<SignalWindow>, now: () => number) {
    this.windows = windows
    this.now = now
  }

  record(window: SignalWindow, report: Report): void {
    if (report._tag === "Snapshot") window.record(report.snapshot)
    else window.recordOutage()
    this.verdicts = undefined
  }

  isOutdated(): boolean {
    return this.verdicts === undefined || this.now() > this.validUntil
  }

  read(): Verdicts {
    if (this.verdicts === undefined || this.isOutdated()) this.verdicts = this.judge(this.now())
    return this.verdicts
  }

  private judge(now: number): Verdicts {
    const current: Record<string, SignalInfo> = {}
    const historical: Record<string, SignalInfo> = {}
    let validUntil = Infinity
    for (const window of this.windows) {
      const verdict = window.judge(now)
      current[window.signal.name] = verdict.current
      historical[window.signal.name] = verdict.historical
      validUntil = Math.min(validUntil, window.validUntil(now))
    }
    this.validUntil = validUntil
    return { current: infoOf(current, now), historical: infoOf(historical, now) }
  }
}
