/**
 * The course of a run from its beginning to its end, and what decides how it ends.
 *
 * - `Ready`: built, and nothing has begun.
 * - `Running`: tasks start.
 * - `Draining`: nothing starts any more, and what runs may end.
 * - `Ending`: nothing starts any more, and what runs has been interrupted.
 * - `Over`: nothing is left of it.
 */
import * as Cause from "effect/Cause"

export type Stage = "Ready" | "Running" | "Draining" | "Ending" | "Over"

export type Ending = "Finished" | "Drained" | "Failed" | "Aborted" | "Interrupted"

export class RunCourse {
  stage: Stage = "Ready"
  /** How the run ends, once that is decided. */
  ending: Ending | undefined
  /** What the run fails with. */
  failure: Cause.Cause<unknown> | undefined
  /** Failures that did not decide the outcome: they came after the run was told to end. */
  suppressed: Cause.Cause<unknown> | undefined
  private onOver: (() => void) | undefined

  /** Begins; `onOver` is called once, when nothing of the run is left. */
  begin(onOver: () => void): void {
    this.onOver = onOver
    if (this.stage === "Ready") this.stage = "Running"
  }

  /** Whether this is news: from now on nothing starts. */
  drain(): boolean {
    if (this.stage !== "Ready" && this.stage !== "Running") return false
    this.stage = "Draining"
    return true
  }

  /** Whether this decides how the run ends; without effect where that is decided already. */
  end(ending: Ending): boolean {
    if (this.ending !== undefined) return false
    this.ending = ending
    this.stage = "Ending"
    return true
  }

  /** Whether this failure ends the run. The first one does; further ones are kept. */
  fail(cause: Cause.Cause<unknown>): boolean {
    if (this.end("Failed")) {
      this.failure = cause
      return true
    }
    if (Cause.hasInterruptsOnly(cause)) return false
    if (this.failure !== undefined) this.failure = Cause.combine(this.failure, cause)
    else this.suppressed = this.suppressed === undefined ? cause : Cause.combine(this.suppressed, cause)
    return false
  }

  /** Calls `onOver` at the end in place of what `begin` was given; at once where nothing is left of the run. */
  awaitEnd(onOver: () => void): void {
    if (this.stage === "Over") return onOver()
    this.onOver = onOver
  }

  /** Nothing is left of a run in which nothing starts any more. One that has not begun ends when it does. */
  close(): void {
    if (this.stage === "Over" || this.onOver === undefined) return
    this.ending ??= "Drained"
    this.stage = "Over"
    this.onOver()
  }
}
