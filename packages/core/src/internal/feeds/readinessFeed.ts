/**
 * A feed of one task, repeated for as long as an opaque check says that there is one more.
 *
 * The two checks are asked one at a time and never while the other is pending. A yes is good for one task, and is kept
 * until that task may start; a no stands until something happens that may have changed it.
 */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { failsRun, type Feed, type FeedHost, type Poke, type Pulled, type Settled } from "./feed.ts"

type Answer = "Unknown" | "Pending" | "Yes" | "No"

export class ReadinessFeed implements Feed<void> {
  readonly item = undefined
  readonly isOpaque = true
  readonly lack = "NoTaskReady"
  private readonly host: FeedHost<void>
  private readonly runTask: Effect.Effect<unknown, unknown>
  private readonly isReady: Effect.Effect<boolean, unknown>
  private readonly isFinished: Effect.Effect<boolean, unknown>
  private ready: Answer = "Unknown"
  private finished: Answer = "Unknown"
  private hasNews = false
  /** The check that is pending. */
  private asked: Fiber.Fiber<boolean, unknown> | undefined
  private isGivenBack = false

  constructor(
    host: FeedHost<void>,
    runTask: Effect.Effect<unknown, unknown>,
    isReady: Effect.Effect<boolean, unknown>,
    isFinished: Effect.Effect<boolean, unknown>
  ) {
    this.host = host
    this.runTask = runTask
    this.isReady = isReady
    this.isFinished = isFinished
  }

  pull(): Pulled {
    if (this.finished === "Pending") return "Waiting"
    if (this.ready === "Unknown") this.askReady()
    if (this.ready === "Pending") return "Waiting"
    if (this.ready !== "Yes") return "Empty"
    this.ready = "Unknown"
    return "Item"
  }

  task(): Effect.Effect<unknown, unknown> {
    return this.runTask
  }

  mayEnd(): boolean {
    if (this.finished === "Unknown") this.askFinished()
    return this.finished === "Yes"
  }

  poke(why: Poke): void {
    // A check that is pending may have looked before the news came. An interval brings no news.
    if (why !== "Interval") this.hasNews = true
    if (this.ready === "No") this.ready = "Unknown"
    // A yes too: the run may have been held up by a pause since it was given.
    if (this.finished !== "Pending") this.finished = "Unknown"
  }

  attemptOf(): number {
    return 1
  }

  giveBack(): void {
    this.isGivenBack = true
    this.asked?.interruptUnsafe()
  }

  isRevoked(): boolean {
    return false
  }

  settle(_item: void, exit: Exit.Exit<unknown, unknown>, isWithdrawn: boolean): Settled {
    this.poke("Notified")
    return failsRun(exit, isWithdrawn)
  }

  private askReady(): void {
    this.hasNews = false
    this.ready = "Pending"
    this.asked = this.host.fork(this.isReady, this.onReady)
  }

  private askFinished(): void {
    this.hasNews = false
    this.finished = "Pending"
    this.asked = this.host.fork(this.isFinished, this.onFinished)
  }

  private readonly onReady = (exit: Exit.Exit<boolean, unknown>): void => {
    if (Exit.isFailure(exit)) return this.fail(exit.cause)
    this.ready = exit.value ? "Yes" : this.hasNews ? "Unknown" : "No"
  }

  private readonly onFinished = (exit: Exit.Exit<boolean, unknown>): void => {
    if (Exit.isFailure(exit)) return this.fail(exit.cause)
    this.finished = exit.value ? "Yes" : "No"
    if (this.hasNews) this.poke("Notified") // it may have looked before the news came, and is asked again
  }

  private fail(cause: Cause.Cause<unknown>): void {
    if (!this.isGivenBack || !Cause.hasInterruptsOnly(cause)) this.host.fail(cause)
  }
}
