/**
 * Where a dispatcher gets its next task from.
 *
 * Pulling is synchronous and never waits: a feed that has to wait for an answer says so, and wakes the dispatcher when
 * the answer is there.
 */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"

/**
 * - `Item`: the next item is in `item`.
 * - `Empty`: nothing is ready now; `poke` makes it worth asking again.
 * - `Waiting`: an answer is on its way, and will wake the dispatcher.
 * - `Done`: nothing will ever be ready again.
 */
export type Pulled = "Item" | "Empty" | "Waiting" | "Done"

/** What a feed may ask of its dispatcher. */
export interface FeedHost<out A> {
  /** Runs an effect in a supervised fiber of the run; `undefined` where it ended before it could be registered. */
  readonly fork: <A, E>(
    effect: Effect.Effect<A, E>,
    onExit: (exit: Exit.Exit<A, E>) => void
  ) => Fiber.Fiber<A, E> | undefined
  /** How many tasks should be in flight. */
  readonly desired: () => number
  /** How many tasks could start now. */
  readonly free: () => number
  /** An answer has arrived: looks at the gate again in a later turn. */
  readonly wakeLater: () => void
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** The same as it was read last: as good where the dispatcher has just called, and cheaper. */
  readonly time: () => number
  /** At this time, in monotonic milliseconds, an item will be ready. */
  readonly wakeAt: (at: number) => void
  /** The source takes back the item that matches: interrupts its task where it runs. */
  readonly revoke: (matches: (item: A) => boolean) => void
  /** Ends the run with this failure. */
  readonly fail: (cause: Cause.Cause<unknown>) => void
}

export interface Feed<A> {
  /** The item of the last pull that said `Item`. */
  readonly item: A
  /** Looks for the next item. */
  readonly pull: (room: Room) => Pulled
  /** The task of an item. */
  readonly task: (item: A) => Effect.Effect<unknown, unknown>
  /** Which attempt at its item the task is, 1 at first. */
  readonly attemptOf: (item: A) => number
  /** Whether the source has taken the item back from its running task, by interrupting it. */
  readonly isRevoked: (item: A) => boolean
  /**
   * The task of an item has ended, which may have made others ready; `isWithdrawn` where it was interrupted instead.
   * `retryAfter` are the milliseconds for which a service told the task to wait.
   */
  readonly settle: (
    item: A,
    exit: Exit.Exit<unknown, unknown>,
    isWithdrawn: boolean,
    retryAfter: number
  ) => Settled
  /** Whether the run may end, asked only when nothing runs and the last pull said `Empty` or `Done`. */
  readonly mayEnd: () => boolean
  /** Why the last pull gave no item. */
  readonly lack: Lack
  /** A service has refused the task of an item that runs, and said after how many milliseconds to come back, or 0. */
  readonly refuse?: (item: A, retryAfter: number) => void
  /** Which key holds most items back, where keys do. */
  readonly heldByKeys?: () => HeldByKey | undefined
  /** What waits for the time of its next try, where the feed has such items. */
  readonly delayed?: () => Delayed
  /** An item that was pulled is not to start for a while: has it again, where it would keep others from what it needs. */
  readonly takeBack?: (item: A) => void
  /** Something happened that may have made an item ready. */
  readonly poke: (why: Poke) => void
  /**
   * Nothing starts any more: withdraws whatever is being asked for, and gives back what has arrived and not started.
   * Called again whenever something arrives all the same.
   */
  readonly giveBack: () => void
  /** The run has ended: ends what the feed is to its source. */
  readonly leave?: () => void
  /** The dispatcher rests: withdraws what waits for an item on behalf of slots that there is no room for. */
  readonly keep?: (room: Room) => void
  /** Whether the feed must be poked at an interval, because nothing else tells when an item is ready. */
  readonly isOpaque: boolean
}

/**
 * - `Ended`: the task is over, and what became of it is its own affair.
 * - `FailsRun`: the task is over, and its failure is the run's.
 */
export type Settled = "Ended" | "FailsRun"

/** The failure of a task is the run's, unless its item was taken from it. */
export const failsRun = (exit: Exit.Exit<unknown, unknown>, isWithdrawn: boolean): Settled =>
  exit._tag === "Failure" && !isWithdrawn ? "FailsRun" : "Ended"

/** Why a feed has no item. */
export type Lack = "NoTaskReady" | "Delayed" | "SharedRateLimited" | "KeysFull"

/** How many items wait for a key, and until when, in monotonic milliseconds, where it is the time that they wait for. */
export interface HeldByKey {
  readonly key: string
  readonly tasks: number
  readonly until: number | undefined
}

/** Tasks whose next try is not due yet, and when the first of them is, in monotonic milliseconds. */
export interface Delayed {
  readonly tasks: number
  readonly next: number
}

/** Room for items: for as many as slots are free, for one that must wait before it may start, or for none. */
export type Room = "Free" | "LookAhead" | "None"

export type Poke = "TaskEnded" | "Notified" | "Interval"
