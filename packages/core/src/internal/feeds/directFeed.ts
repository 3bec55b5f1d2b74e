/**
 * A feed of items from a source that can be polled.
 */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { DirectSource } from "../sources/directSource.ts"
import { failsRun, type Feed, type FeedHost, type Pulled, type Settled } from "./feed.ts"

export class DirectFeed<A, E> implements Feed<A> {
  readonly isOpaque = false
  readonly lack = "NoTaskReady"
  private readonly host: FeedHost<A>
  private readonly source: DirectSource<A, E, unknown>
  private readonly arrival: Effect.Effect<void, E>
  private readonly handler: (item: A) => Effect.Effect<unknown, unknown>
  private readonly onResult: ((item: A, result: unknown) => void) | undefined
  private arriving: Fiber.Fiber<void, E> | undefined
  private stage: "Asking" | "Arriving" | "GivenBack" = "Asking"
  private isDone = false
  readonly leave: () => void

  constructor(
    host: FeedHost<A>,
    source: DirectSource<A, E, unknown>,
    handler: (item: A) => Effect.Effect<unknown, unknown>,
    onResult?: (item: A, result: unknown) => void
  ) {
    this.host = host
    this.source = source
    this.arrival = source.arrival as Effect.Effect<void, E> // the host forks in the pool's context, which has the rest
    this.handler = handler
    this.onResult = onResult
    this.leave = source.join(() => this.host.wakeLater())
  }

  get item(): A {
    return this.source.item
  }

  pull(): Pulled {
    while (true) {
      if (!this.mayPoll()) return "Waiting"
      const polled = this.source.poll()
      this.isDone = polled === "Done"
      if (polled !== "Empty") return polled
      this.stage = "Arriving"
      this.arriving = this.host.fork(this.arrival, this.onArrival)
    }
  }

  /** While something is to arrive there is nothing, but for what another run has given back. */
  private mayPoll(): boolean {
    return this.stage === "Asking" || (this.stage === "Arriving" && this.source.hasReturned)
  }

  task(item: A): Effect.Effect<unknown, unknown> {
    return this.handler(item)
  }

  attemptOf(): number {
    return 1
  }

  isRevoked(): boolean {
    return false
  }

  settle(item: A, exit: Exit.Exit<unknown, unknown>, isWithdrawn: boolean): Settled {
    if (isWithdrawn) this.source.giveBack(item)
    else if (this.onResult !== undefined && Exit.isSuccess(exit)) this.onResult(item, exit.value)
    return failsRun(exit, isWithdrawn)
  }

  mayEnd(): boolean {
    return this.isDone
  }

  poke(): void {}

  giveBack(): void {
    this.stage = "GivenBack"
    this.arriving?.interruptUnsafe()
  }

  private readonly onArrival = (exit: Exit.Exit<void, E>): void => {
    if (Exit.isFailure(exit)) return this.failArrival(exit.cause) // and nothing arrives any more
    if (this.stage === "Arriving") this.stage = "Asking"
  }

  private failArrival(cause: Cause.Cause<E>): void {
    if (this.stage !== "GivenBack" || !Cause.hasInterruptsOnly(cause)) this.host.fail(cause)
  }
}
