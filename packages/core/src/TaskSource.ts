/**
 * Where work comes from: a source hands out one item at a time, each under a lease that lasts until its handler ends.
 *
 * A pool pulls from a source only what it can start, so a source may be endless, lazy or shared with other machines.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Pull from "effect/Pull"
import type * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { fromDirect } from "./internal/sources/directSource.ts"
import { IterableSource } from "./internal/sources/iterableSource.ts"
import * as pullSource from "./internal/sources/pullSource.ts"
import { QueueSource } from "./internal/sources/queueSource.ts"
import { StreamSource } from "./internal/sources/streamSource.ts"

/**
 * A source of items.
 *
 * **Details**
 *
 * `take` runs `handle` with the next item and answers `"Taken"` when the handler has ended, which acknowledges the item.
 * It may wait for an item, or answer `"Empty"`: nothing now, perhaps later. `"Done"` means nothing ever again. Where
 * `take` is interrupted before the handler ends, a source that can take its item back does.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskSource<out A, out E = never, out R = never> {
  readonly take: <X, E2, R2>(
    handle: (item: A) => Effect.Effect<X, E2, R2>
  ) => Effect.Effect<"Taken" | "Empty" | "Done", E | E2, R | R2>
}

/**
 * The items of an iterable, in order, asked for one at a time: an endless generator works. An async iterable works too.
 *
 * **Details**
 *
 * The source goes through the iterable once, however many runs take from it: a run that was aborted is continued by the
 * next one, and the items of tasks that were interrupted come first. An async iterable is a stream: see
 * {@link fromStream}; what it throws becomes a defect.
 *
 * **Example** (Taking from a generator)
 *
 * ```ts import.meta.vitest
 * import { TaskSource } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const source = TaskSource.fromIterable([1])
 * const taken: Array<number> = []
 * const take = source.take((item) => Effect.sync(() => taken.push(item)))
 *
 * await Effect.runPromise(take) // => "Taken"
 * await Effect.runPromise(take) // => "Done"
 * taken // => [1]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromIterable = <A>(iterable: Iterable<A> | AsyncIterable<A>): TaskSource<A> =>
  Predicate.hasProperty(iterable, Symbol.asyncIterator)
    ? fromStream(Stream.orDie(Stream.fromAsyncIterable(iterable, identity)))
    : fromDirect(new IterableSource(iterable))

/**
 * The items of a queue, until the queue ends (`Queue.end`) or is shut down; a queue that fails, fails the run.
 *
 * **Details**
 *
 * Nothing is taken out of the queue before it can start. Items of tasks that were interrupted are kept by the source and
 * come first when it is taken from again.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromQueue = <A, E>(queue: Queue.Dequeue<A, E>): TaskSource<A, Pull.ExcludeDone<E>> =>
  fromDirect(new QueueSource(queue))

/**
 * The elements of a stream, until it ends; a stream that fails, fails the run.
 *
 * **Details**
 *
 * A chunk is pulled when all of the last one has started. The stream is opened by the first take of a run and closed at
 * the end of that run: another run begins it anew, and elements of interrupted tasks are not given back.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromStream = <A, E, R>(stream: Stream.Stream<A, E, R>): TaskSource<A, E, R> =>
  fromDirect(new StreamSource(stream))

/**
 * Whatever an effect gives: `Some` an item, `None` nothing now, a failure with `Cause.Done` nothing ever again.
 *
 * **Details**
 *
 * Free slots run the effect at the same time, so a slow one does not cap the concurrency. After `None` it is asked again
 * when a task ends, at `notify`, and every `maybeRunInterval`.
 *
 * **Example** (Pulling from a list until it is empty)
 *
 * ```ts import.meta.vitest
 * import { TaskSource } from "@autoscaled-pool/core"
 * import { Cause, Effect, Option } from "effect"
 *
 * const urls = ["a", "b"]
 * const source = TaskSource.fromPull(Effect.suspend(() => {
 *   const url = urls.shift()
 *   return url === undefined ? Cause.done() : Effect.succeed(Option.some(url))
 * }))
 *
 * await Effect.runPromise(source.take((url) => Effect.succeed(url))) // => "Taken"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPull = <A, E, R>(
  pull: Effect.Effect<Option.Option<A>, E | Cause.Done, R>
): TaskSource<A, Pull.ExcludeDone<E>, R> => pullSource.make(pull)
