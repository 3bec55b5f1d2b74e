/**
 * One line in the log when a signal's outage begins and one when it ends, however many reports it lasts.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Report } from "./report.ts"

export class OutageLog {
  private readonly name: string
  private readonly write: (line: Effect.Effect<void>) => void
  private isOut = false

  constructor(name: string, write: (line: Effect.Effect<void>) => void) {
    this.name = name
    this.write = write
  }

  hear(report: Report): void {
    if (report._tag === "Outage") {
      return this.begin("cannot measure; concurrency does not grow until it can", report.cause)
    }
    if (!this.isOut) return
    this.isOut = false
    this.write(Effect.logInfo(`Load signal "${this.name}" reports again`))
  }

  /** No report has come for longer than it should. */
  missReports(): void {
    this.begin("has stopped reporting; concurrency does not grow until it reports again")
  }

  private begin(what: string, ...cause: ReadonlyArray<unknown>): void {
    if (this.isOut) return
    this.isOut = true
    this.write(Effect.logWarning(`Load signal "${this.name}" ${what}`, ...cause))
  }
}

/** Makes the log of a signal where the loggers of this context are in force. */
export const make = (name: string): Effect.Effect<OutageLog> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const run = Effect.runForkWith(context)
    // A logger that throws must not take the signal down with it.
    return Effect.succeed(new OutageLog(name, (line) => void run(Effect.ignoreCause(line))))
  })
