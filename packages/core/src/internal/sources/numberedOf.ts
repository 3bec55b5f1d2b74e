/**
 * Anything that can be gone through, as a source of its items with their numbers.
 */
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as asyncIterableStream from "./asyncIterableStream.ts"
import type { DirectSource } from "./directSource.ts"
import { type Numbered, NumberedSource } from "./numberedSource.ts"
import { StreamSource } from "./streamSource.ts"

export type { Numbered }

export const numberedOf = <A, E, R>(
  items: Iterable<A> | AsyncIterable<A> | Stream.Stream<A, E, R>
): DirectSource<Numbered<A>, E, R> => {
  if (Stream.isStream(items)) return ofStream(items as Stream.Stream<A, E, R>) // what is a stream here is that one
  return Predicate.hasProperty(items, Symbol.asyncIterator)
    ? ofStream(asyncIterableStream.make(items))
    : new NumberedSource(items)
}

const ofStream = <A, E, R>(stream: Stream.Stream<A, E, R>): DirectSource<Numbered<A>, E, R> =>
  new StreamSource(Stream.map(Stream.zipWithIndex(stream), ([item, index]) => ({ item, index })), "None")
