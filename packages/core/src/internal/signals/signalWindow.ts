/**
 * The recent snapshots of one signal, and what they say of its current and its historical window.
 */
import { evaluate, type LoadSignal, type LoadSnapshot, type SignalInfo } from "../../LoadSignal.ts"

export interface Windows {
  readonly current: number
  readonly history: number
}

export class SignalWindow {
  readonly signal: LoadSignal
  private readonly windows: Windows
  private snapshots: Array<LoadSnapshot> = []
  private isOut = false
  private readonly createdAt: number

  constructor(signal: LoadSignal, windows: Windows, now: number) {
    this.signal = signal
    this.windows = windows
    this.createdAt = now
  }

  record(snapshot: LoadSnapshot): void {
    this.isOut = false
    this.snapshots.push(snapshot)
    if (this.snapshots.length > 1 && snapshot.at < this.snapshots[this.snapshots.length - 2].at) {
      this.snapshots.sort((a, b) => a.at - b.at)
    }
  }

  recordOutage(): void {
    this.isOut = true
  }

  /** Whether the signal has been quiet for longer than the current window. */
  isSilent(now: number): boolean {
    return now - (this.snapshots.at(-1)?.at ?? this.createdAt) > this.windows.current
  }

  /** The verdicts of both windows, which end now. */
  judge(now: number): { readonly current: SignalInfo; readonly historical: SignalInfo } {
    this.forgetBefore(now - Math.max(this.windows.current, this.windows.history))
    return {
      current: this.judgeSince(now - this.windows.current, now),
      historical: this.judgeSince(now - this.windows.history, now)
    }
  }

  /** The next moment at which time alone can change a verdict. */
  validUntil(now: number): number {
    const oldestLeaves = (window: number) =>
      (this.snapshots.find(({ at }) => at >= now - window)?.at ?? Infinity) + window
    return Math.min(oldestLeaves(this.windows.current), oldestLeaves(this.windows.history))
  }

  private judgeSince(from: number, now: number): SignalInfo {
    const { overloadedRatio, target } = this.signal
    const verdict = evaluate(this.snapshots.filter(({ at }) => at >= from), overloadedRatio, target)
    const latest = this.snapshots.at(-1)
    const load = latest?.load ?? 0
    return {
      ...verdict,
      load,
      own: latest?.own ?? load,
      at: latest?.at,
      measure: latest?.measure,
      isStale: this.isOut || latest === undefined || this.isSilent(now)
    }
  }

  private forgetBefore(from: number): void {
    const kept = this.snapshots.findIndex(({ at }) => at >= from)
    if (kept > 0) this.snapshots.splice(0, kept)
    else if (kept < 0) this.snapshots = this.snapshots.slice(-1)
  }
}
