/**
 * Pages that are still to be fetched, each once. It ends when all that was found has been dealt with.
 */
import { type Cause, Effect, Queue } from "effect"

export const makeFrontier = Effect.gen(function*() {
  const queue = yield* Queue.unbounded<URL, Cause.Done>()
  const seen = new Set<string>()
  let open = 0
  const add = (url: URL) => {
    if (seen.has(url.href)) return
    seen.add(url.href)
    open++
    Queue.offerUnsafe(queue, url)
  }
  return {
    queue,
    /** Adds links that were not seen before. */
    add: (urls: ReadonlyArray<URL>) => Effect.sync(() => urls.forEach(add)),
    /** A page has been dealt with; whether it was the last. */
    done: Effect.sync(() => --open === 0)
  }
})
