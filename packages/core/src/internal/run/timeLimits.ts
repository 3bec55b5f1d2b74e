/**
 * How long tasks may take: one alarm for all of them, set to the earliest moment at which one must end.
 */
import type { Alarm } from "../time/alarm.ts"
import type { TaskSlot } from "./taskSlot.ts"
import type { TaskSlots } from "./taskSlots.ts"

export class TimeLimits<A> {
  private readonly slots: TaskSlots<A>
  /** Milliseconds that a task may take; Infinity for no limit. */
  private readonly taskTimeout: number
  private readonly alarm: Alarm

  constructor(slots: TaskSlots<A>, taskTimeout: number, makeAlarm: (ring: () => void) => Alarm, now: () => number) {
    this.slots = slots
    this.taskTimeout = taskTimeout
    this.alarm = makeAlarm(() => this.enforce(now()))
  }

  /** A task has begun that did not end at once. */
  watch(slot: TaskSlot<A>, now: number): void {
    if (this.taskTimeout === Infinity || slot.stage !== "Running") return
    this.alarm.setAt(slot.startedAt + this.taskTimeout, now)
  }

  clear(): void {
    this.alarm.clear()
  }

  private enforce(now: number): void {
    for (const slot of this.slots.running()) {
      if (slot.stage !== "Running") continue
      const deadline = slot.startedAt + this.taskTimeout
      if (deadline > now) {
        this.alarm.setAt(deadline, now)
        continue
      }
      slot.stage = "TimedOut"
      slot.fiber?.interruptUnsafe()
    }
  }
}
