/**
 * A run as views see it: its place in the registry, its snapshots, its log and its span.
 */
import * as Effect from "effect/Effect"
import type { HeldBackKey } from "../../KeyedLimits.ts"
import type { PoolEvent } from "../../PoolEvent.ts"
import type { Entered, PoolControls, PoolRegistry } from "../../PoolRegistry.ts"
import type { PoolSnapshot, RunOutcome } from "../../PoolSnapshot.ts"
import type { Blocker } from "../../PoolState.ts"
import type { DecisionCounts } from "../../ScalingPolicy.ts"
import type { BudgetConsumer } from "../budget/consumer.ts"
import { PoolLog } from "../views/poolLog.ts"
import type { RunSpan } from "../views/runSpan.ts"
import * as snapshots from "../views/snapshots.ts"
import type { RunCourse } from "./runCourse.ts"
import { phaseOf } from "./standing.ts"

/** What a run shows of itself. */
export interface Shown {
  readonly run: snapshots.RunFacts & { readonly course: RunCourse }
  readonly budget: BudgetConsumer
  readonly isPaused: () => boolean
  readonly blocker: () => Blocker | undefined
  readonly total: () => number | undefined
  readonly heldBackKeys: () => ReadonlyArray<HeldBackKey>
  readonly now: () => number
}

export class RunViews {
  readonly log = new PoolLog()
  private readonly shown: Shown
  private readonly entered: Entered
  private readonly span: RunSpan
  private readonly decisionsBefore: DecisionCounts
  private outcome: RunOutcome | undefined

  constructor(shown: Shown, registry: PoolRegistry, entrant: Entrant, spanOf: (name: string) => RunSpan) {
    this.shown = shown
    this.decisionsBefore = shown.budget.decisionsUnsafe()
    this.entered = registry.enter({ ...entrant, snapshot: (entered) => this.snapshotAs(entered) })
    this.span = spanOf(this.entered.name)
  }

  get name(): string {
    return this.entered.name
  }

  snapshot(): PoolSnapshot {
    return this.snapshotAs(this.entered)
  }

  private snapshotAs({ before, name }: Entered): PoolSnapshot {
    const { blocker, budget, heldBackKeys, isPaused, now, run, total } = this.shown
    return snapshots.take({
      name,
      at: now(),
      phase: phaseOf(run.course),
      isPaused: isPaused(),
      budget,
      blocker: blocker(),
      run,
      total: total(),
      heldBackKeys: heldBackKeys(),
      decisions: snapshots.decisionsSince(this.decisionsBefore, budget.decisionsUnsafe()),
      outcome: this.outcome,
      before
    })
  }

  tell(event: PoolEvent): void {
    this.entered.tell(event)
    if (event._tag !== "DesiredChanged") return
    this.log.note(event)
    this.span.note(event)
  }

  /** Leaves the registry; what the run did stays there under its name. */
  readonly leave: Effect.Effect<void> = Effect.sync(() => {
    this.outcome = this.shown.run.course.ending ?? "Interrupted"
    this.span.end(this.outcome, this.shown.run)
    this.entered.leave()
  })
}

type Entrant = { readonly name: string; readonly controls: PoolControls }
