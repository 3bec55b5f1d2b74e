/**
 * The items of a queue, until the queue has ended or was shut down.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import { ReturningSource } from "./directSource.ts"

const isEnd = (cause: Cause.Cause<unknown>): boolean => Pull.isDoneCause(cause) || Cause.hasInterruptsOnly(cause)

export class QueueSource<A, E> extends ReturningSource<A, Pull.ExcludeDone<E>, never> {
  readonly arrival: Effect.Effect<void, Pull.ExcludeDone<E>>
  private readonly queue: Queue.Dequeue<A, E>

  constructor(queue: Queue.Dequeue<A, E>) {
    super()
    this.queue = queue
    // A queue without capacity hands an item from offer to take and shows nothing to look at before.
    const next = queue.capacity > 0 ? Queue.peek(queue) : Effect.map(Queue.take(queue), (item) => this.giveBack(item))
    this.arrival = Effect.catchCause(Effect.asVoid(next), (cause) =>
      isEnd(cause)
        ? Effect.void
        : Effect.failCause(cause as Cause.Cause<Pull.ExcludeDone<E>>) // what is left once `Done` is out
    )
  }

  protected pollNext(): "Item" | "Empty" | "Done" {
    const taken = Queue.takeUnsafe(this.queue)
    if (taken === undefined) return "Empty"
    if (Exit.isFailure(taken)) return isEnd(taken.cause) ? "Done" : "Empty"
    this.item = taken.value
    return "Item"
  }
}
