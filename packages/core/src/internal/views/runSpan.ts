/**
 * The span of a run: what it was, how it ended, and the decisions of its policy as events.
 */
import type * as Clock from "effect/Clock"
import type * as Tracer from "effect/Tracer"
import type { RunOutcome } from "../../PoolSnapshot.ts"
import type { DecisionRecord } from "../../ScalingPolicy.ts"
import type { RunFacts } from "./snapshots.ts"

/** As many as OpenTelemetry keeps by default: a run may last for months, and its span is kept until its end. */
export const mostEvents = 128

export class RunSpan {
  private readonly span: Tracer.Span
  private readonly clock: Clock.Clock
  private changes = 0

  /** `builtIn` is the span in which the pool was built, if there was one. */
  constructor(
    span: Tracer.Span,
    clock: Clock.Clock,
    name: string,
    policy: string,
    builtIn: Tracer.AnySpan | undefined
  ) {
    this.span = span
    this.clock = clock
    span.attribute("autoscaled_pool.name", name)
    span.attribute("autoscaled_pool.policy", policy)
    const isParent = span.parent._tag === "Some" && span.parent.value.spanId === builtIn?.spanId
    if (builtIn !== undefined && !isParent) {
      span.addLinks([{ span: builtIn, attributes: { "autoscaled_pool.link": "built in" } }])
    }
  }

  /** A decision that has changed the desired concurrency. */
  note({ from, loads, reason, to }: DecisionRecord): void {
    this.changes++
    if (this.changes > mostEvents) return
    this.span.event("DesiredChanged", this.clock.currentTimeNanosUnsafe(), {
      from,
      to,
      reason: reason.summary,
      ...reason.bindingSignal === undefined ? {} : { binding_signal: reason.bindingSignal },
      ...Object.fromEntries(
        Object.entries(loads).flatMap(([signal, { load, target }]) => [
          [`signal.${signal}.load`, load],
          [`signal.${signal}.target`, target]
        ])
      )
    })
  }

  end(outcome: RunOutcome, { ledger, started }: RunFacts): void {
    const { abandoned, failed, interrupted, rejected, retried, succeeded, timedOut } = ledger
    const tasks = { started, succeeded, failed, timed_out: timedOut, interrupted, rejected, retried, abandoned }
    this.span.attribute("autoscaled_pool.run.outcome", outcome.toLowerCase())
    for (const [what, count] of Object.entries(tasks)) this.span.attribute(`autoscaled_pool.task.${what}`, count)
    this.span.attribute("autoscaled_pool.decision.changes", this.changes)
  }
}
