/**
 * The errors a run can fail with besides those of its tasks.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * A task took longer than `taskTimeout` and was interrupted.
 *
 * **Details**
 *
 * - `limit`: the milliseconds it was allowed.
 *
 * @category errors
 * @since 0.1.0
 */
export class TaskTimeoutError extends Data.TaggedError("TaskTimeoutError")<{ readonly limit: number }> {
  /**
   * What happened, and what to do about it.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return `A task was interrupted after ${this.limit} ms. Raise taskTimeout, or absorb it with onTaskTimeout.`
  }
}

/**
 * The pool is running already: one pool runs once at a time.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlreadyRunningError extends Data.TaggedError("AlreadyRunningError") {
  /**
   * What happened, and what to do about it.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return "The pool is running already. Wait for that run to end, or build a second pool."
  }
}
