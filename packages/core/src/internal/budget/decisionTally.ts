/**
 * How many decisions a policy made, by what they did.
 */
import type { DecisionCounts, DecisionRecord } from "../../ScalingPolicy.ts"

export class DecisionTally {
  private readonly up: Record<string, number> = {}
  private readonly down: Record<string, number> = {}
  private readonly hold: Record<string, number> = {}

  count({ from, reason, to }: DecisionRecord): void {
    const counts = to > from ? this.up : to < from ? this.down : this.hold
    const signal = reason.bindingSignal ?? "none"
    counts[signal] = (counts[signal] ?? 0) + 1
  }

  read(): DecisionCounts {
    return { up: { ...this.up }, down: { ...this.down }, hold: { ...this.hold } }
  }
}
