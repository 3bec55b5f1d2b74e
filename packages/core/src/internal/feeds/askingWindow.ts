/**
 * How many questions may be out to a source at a time.
 *
 * As many as there are slots, until the source answers that it has nothing: then one. Each item that is found sends out
 * one more, so that they double from one round of answers to the next. A source that does not answer through a whole
 * interval waits for its items by itself, and can be asked by more.
 */
export class AskingWindow {
  width = Infinity
  private hasAnswered = true

  /** The source had an item. */
  found(): void {
    this.width++
    this.hasAnswered = true
  }

  /** The source had nothing. */
  missed(): void {
    this.width = 1
    this.hasAnswered = true
  }

  /** An interval has passed, at the end of which questions are out, or none. */
  pass(isOut: boolean): void {
    if (!this.hasAnswered && isOut) this.width *= 2
    this.hasAnswered = !isOut
  }
}
