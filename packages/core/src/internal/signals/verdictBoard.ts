/**
 * The verdicts of all signals of one status, computed when something changes them and not when they are read.
 */
import type { SignalInfo } from "../../LoadSignal.ts"
import type { Report } from "./report.ts"
import type { SignalWindow } from "./signalWindow.ts"

/** The verdicts of all signals over one window, by their names. */
export type Verdict = Readonly<Record<string, SignalInfo>>

export interface Verdicts<Info> {
  readonly current: Info
  readonly historical: Info
}

export class VerdictBoard<Info> {
  readonly windows: ReadonlyArray<SignalWindow>
  private readonly now: () => number
  private readonly describe: (verdict: Verdict, now: number) => Info
  private verdicts: Verdicts<Info> | undefined
  private validUntil = -Infinity

  constructor(
    windows: ReadonlyArray<SignalWindow>,
    now: () => number,
    describe: (verdict: Verdict, now: number) => Info
  ) {
    this.windows = windows
    this.now = now
    this.describe = describe
  }

  record(window: SignalWindow, report: Report): void {
    window.record(report, this.now())
    this.verdicts = undefined
  }

  read(): Verdicts<Info> {
    if (this.verdicts === undefined || this.now() > this.validUntil) this.verdicts = this.judge(this.now())
    return this.verdicts
  }

  private judge(now: number): Verdicts<Info> {
    const current: Array<[string, SignalInfo]> = []
    const historical: Array<[string, SignalInfo]> = []
    let validUntil = Infinity
    for (const window of this.windows) {
      const verdict = window.judge(now)
      current.push([window.signal.name, verdict.current])
      historical.push([window.signal.name, verdict.historical])
      validUntil = Math.min(validUntil, window.validUntil(now))
    }
    this.validUntil = validUntil
    // Not by assignment: a signal may have a name that objects mean something by.
    return {
      current: this.describe(Object.fromEntries(current), now),
      historical: this.describe(Object.fromEntries(historical), now)
    }
  }
}
