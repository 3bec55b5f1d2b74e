/**
 * The slots of a run: as many as there ever were tasks in flight.
 */
import type * as Fiber from "effect/Fiber"
import type { TaskSlot } from "./taskSlot.ts"

export class TaskSlots<A> {
  /** How many are occupied. */
  count = 0
  private readonly makeSlot: () => TaskSlot<A>
  private readonly all: Array<TaskSlot<A>> = []
  private readonly free: Array<TaskSlot<A>> = []

  constructor(makeSlot: () => TaskSlot<A>) {
    this.makeSlot = makeSlot
  }

  occupy(item: A, permits: number, now: number): TaskSlot<A> {
    const slot = this.free.pop() ?? this.add()
    slot.occupy(item, permits, now)
    this.count++
    return slot
  }

  /** Gives back a slot whose task has ended. It is still counted until the end is `counted`. */
  vacate(slot: TaskSlot<A>): void {
    slot.vacate()
    this.free.push(slot)
  }

  /** All that came of the end of a task has been done. */
  counted(): void {
    this.count--
  }

  /** Lets go of a slot for good; it is still counted until the end is `counted`. */
  abandon(slot: TaskSlot<A>): void {
    slot.stage = "Abandoned"
    this.all.splice(this.all.indexOf(slot), 1)
  }

  /** A slot for the task of one that is given up. */
  replace(abandoned: TaskSlot<A>): TaskSlot<A> {
    const slot = this.free.pop() ?? this.add()
    slot.inherit(abandoned)
    return slot
  }

  /** The slots whose tasks have a fiber that runs. */
  running(): ReadonlyArray<TaskSlot<A>> {
    return this.all.filter(({ fiber }) => fiber !== undefined)
  }

  /** The fibers that run. */
  fibers(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    return this.all.map(({ fiber }) => fiber).filter((fiber) => fiber !== undefined)
  }

  private add(): TaskSlot<A> {
    const slot = this.makeSlot()
    this.all.push(slot)
    return slot
  }
}
