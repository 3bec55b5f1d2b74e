/**
 * How long tasks may take, and their finalizers when they are interrupted: one alarm for all of them, set to the earliest
 * moment at which something is due.
 */
import type { Alarm } from "../time/alarm.ts"
import type { TaskSlot } from "./taskSlot.ts"
import type { TaskSlots } from "./taskSlots.ts"

export interface Limits {
  /** Milliseconds that a task may take; Infinity for no limit. */
  readonly taskTimeout: number
  /** Milliseconds that the finalizers of an interrupted task may take; Infinity for no limit. */
  readonly finalizerTimeout: number
}

/** What happens to a task at a limit. */
export interface Enforcement<A> {
  readonly timeOut: (slot: TaskSlot<A>, now: number) => void
  readonly abandon: (slot: TaskSlot<A>, now: number) => void
  /** Finalizers take long; called once. */
  readonly warn: (now: number) => void
}

/** Milliseconds of finalizers after which a warning is logged. */
export const longFinalizer = 10_000

export class TimeLimits<A> {
  private readonly slots: TaskSlots<A>
  private readonly limits: Limits
  /** Whether tasks have a limit. */
  readonly areOnTasks: boolean
  private readonly enforcement: Enforcement<A>
  private readonly alarm: Alarm
  /** When finalizers are worth a warning, counted from the interruption; Infinity once it is given. */
  private warnAfter: number

  constructor(
    slots: TaskSlots<A>,
    limits: Limits,
    enforcement: Enforcement<A>,
    makeAlarm: (ring: () => void) => Alarm,
    now: () => number
  ) {
    this.slots = slots
    this.limits = limits
    this.areOnTasks = limits.taskTimeout < Infinity
    this.enforcement = enforcement
    this.alarm = makeAlarm(() => this.enforce(now()))
    this.warnAfter = Math.min(longFinalizer, limits.finalizerTimeout)
  }

  /** A task has begun that did not end at once. */
  watchTask(slot: TaskSlot<A>, now: number): void {
    if (!this.areOnTasks || slot.stage !== "Running") return
    this.alarm.setAt(slot.startedAt + this.limits.taskTimeout, now)
  }

  /** A task was interrupted and has not ended at once. */
  watchFinalizer({ interruptedAt }: TaskSlot<A>, now: number): void {
    const next = this.nextOfFinalizer(interruptedAt, now)
    if (next < Infinity) this.alarm.setAt(next, now)
  }

  clear(): void {
    this.alarm.clear()
  }

  private nextOfFinalizer(interruptedAt: number, now: number): number {
    const warnAt = interruptedAt + this.warnAfter
    const abandonAt = interruptedAt + this.limits.finalizerTimeout
    return warnAt > now ? Math.min(warnAt, abandonAt) : abandonAt
  }

  private enforce(now: number): void {
    const finalizing = this.slots.running().filter(({ interruptedAt }) => interruptedAt < Infinity)
    if (finalizing.some(({ interruptedAt }) => interruptedAt + this.warnAfter <= now)) {
      this.warnAfter = Infinity
      this.enforcement.warn(now)
    }
    for (const slot of this.slots.running()) {
      // What becomes of one task may end the run, and with it the others.
      if (slot.stage === "Abandoned" || slot.fiber === undefined) continue
      if (slot.interruptedAt < Infinity) this.enforceFinalizer(slot, now)
      else this.enforceTask(slot, now)
    }
  }

  private enforceTask(slot: TaskSlot<A>, now: number): void {
    if (slot.stage !== "Running") return
    if (slot.startedAt + this.limits.taskTimeout <= now) this.enforcement.timeOut(slot, now)
    else this.watchTask(slot, now)
  }

  private enforceFinalizer(slot: TaskSlot<A>, now: number): void {
    if (slot.interruptedAt + this.limits.finalizerTimeout <= now) this.enforcement.abandon(slot, now)
    else this.watchFinalizer(slot, now)
  }
}
