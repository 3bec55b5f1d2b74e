/**
 * Warnings that are given once per cause, however often and in however many signals the cause shows.
 */
import * as Effect from "effect/Effect"

export interface Warnings {
  readonly add: (cause: string, message: string) => void
  /** Logs what has been added since. */
  readonly flush: Effect.Effect<void>
}

export const make = (): Warnings => {
  const known = new Set<string>()
  let pending: Array<string> = []
  return {
    add: (cause, message) => {
      if (known.has(cause)) return
      known.add(cause)
      pending.push(message)
    },
    flush: Effect.suspend(() => {
      if (pending.length === 0) return Effect.void
      const messages = pending
      pending = []
      return Effect.forEach(messages, (message) => Effect.logWarning(message), { discard: true })
    })
  }
}
