/**
 * An async iterable as a stream, which opens it anew for each run.
 *
 * One that can be gone through only once, as an async generator, is closed for good where a run ends before it does. Then
 * a further run would find nothing and seem to have finished; it dies instead.
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"

export const make = <A>(iterable: AsyncIterable<A>): Stream.Stream<A> => {
  let last: AsyncIterator<A> | undefined
  let hasEnded = false
  return Stream.unwrap(Effect.sync(() => {
    const wasCutShort = last !== undefined && !hasEnded
    if (wasCutShort && isClosedForGood(iterable)) return Stream.die(new Error(closed))
    const iterator = iterable[Symbol.asyncIterator]()
    if (wasCutShort && iterator === last) return Stream.die(new Error(closed))
    last = iterator
    hasEnded = false
    const next = async () => {
      const result = await iterator.next()
      hasEnded = result.done === true
      return result
    }
    const watched: AsyncIterator<A> = iterator.return === undefined
      ? { next }
      : { next, return: (value) => iterator.return?.(value) ?? Promise.resolve({ done: true, value }) }
    return Stream.orDie(Stream.fromAsyncIterable({ [Symbol.asyncIterator]: () => watched }, identity))
  }))
}

/**
 * Whether an iterable that was left before its end says of itself that it has no more to give, though it makes a new
 * iterator each time: a web stream, which is cancelled when it is left; a stream of Node.js, which is destroyed; a cursor
 * of a database, which is closed.
 */
const isClosedForGood = (iterable: object): boolean =>
  Predicate.hasProperty(iterable, "getReader") || isTrue(iterable, "destroyed") || isTrue(iterable, "closed")

const isTrue = (iterable: object, property: string): boolean =>
  Predicate.hasProperty(iterable, property) && iterable[property] === true

const closed =
  "An async iterable that can be gone through only once, such as an async generator or a ReadableStream, was closed when a run ended before it" +
  " did, so that no further run can go on with it. Make a source and a pool for each run, or give an iterable that begins" +
  " anew each time."
