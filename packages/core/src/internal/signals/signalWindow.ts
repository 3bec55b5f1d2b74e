/**
 * The recent snapshots of one signal, and what they say of its current and its historical window.
 */
import type { LoadSignal, LoadSnapshot, SignalInfo } from "../../LoadSignal.ts"
import type { Report } from "./report.ts"
import { infoOf, isExhausted, overloadedShare } from "./signalInfo.ts"

export interface Windows {
  readonly current: number
  readonly history: number
}

/** A window's length in milliseconds, and since when its verdict is that of an overload. */
interface Span {
  readonly length: number
  overloadedSince: number | undefined
}

export class SignalWindow {
  readonly signal: LoadSignal
  private readonly windows: Windows
  private snapshots: Array<LoadSnapshot> = []
  private isOut = false
  private readonly createdAt: number
  private readonly spans: { readonly current: Span; readonly history: Span }

  constructor(signal: LoadSignal, windows: Windows, now: number) {
    this.signal = signal
    this.windows = windows
    this.createdAt = now
    this.spans = {
      current: { length: windows.current, overloadedSince: undefined },
      history: { length: windows.history, overloadedSince: undefined }
    }
  }

  record(report: Report, now: number): void {
    this.isOut = report._tag === "Outage"
    if (report._tag === "Outage") return
    const { snapshot } = report
    // What is told now happened by now: a time of another clock, as of the epoch, would never leave the window.
    this.snapshots.push(snapshot.at > now ? { ...snapshot, at: now } : snapshot)
    if (this.snapshots.length > 1 && snapshot.at < this.snapshots[this.snapshots.length - 2].at) {
      this.snapshots.sort((a, b) => a.at - b.at)
    }
  }

  /** Whether the signal has been quiet for longer than the current window. */
  isSilent(now: number): boolean {
    return now - (this.snapshots.at(-1)?.at ?? this.createdAt) > this.windows.current
  }

  /** The verdicts of both windows, which end now. */
  judge(now: number): { readonly current: SignalInfo; readonly historical: SignalInfo } {
    const { current, history } = this.windows
    this.forgetBefore(now - Math.max(current, history))
    return { current: this.judgeWindow(this.spans.current, now), historical: this.judgeWindow(this.spans.history, now) }
  }

  /** The next moment at which time alone can change a verdict. */
  validUntil(now: number): number {
    const oldestLeaves = (window: number) =>
      (this.snapshots.find(({ at }) => at >= now - window)?.at ?? Infinity) + window
    return Math.min(oldestLeaves(this.windows.current), oldestLeaves(this.windows.history))
  }

  private judgeWindow(span: Span, now: number): SignalInfo {
    const { overloadedRatio, target } = this.signal
    const snapshots = this.snapshots.filter(({ at }) => at >= now - span.length)
    const latest = this.snapshots.at(-1)
    const info = infoOf({
      limitRatio: overloadedRatio,
      actualRatio: overloadedShare(snapshots),
      isExhausted: isExhausted(snapshots),
      target,
      latest,
      isStale: this.isOut || latest === undefined || this.isSilent(now)
    })
    span.overloadedSince = info.isOverloaded ? span.overloadedSince ?? latest?.at : undefined
    return { ...info, overloadedSince: span.overloadedSince }
  }

  private forgetBefore(from: number): void {
    const kept = this.snapshots.findIndex(({ at }) => at >= from)
    if (kept > 0) this.snapshots.splice(0, kept) // where all are older, the last one is still the latest there is
  }
}
