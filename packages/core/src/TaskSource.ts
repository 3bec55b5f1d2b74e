/**
 * Where work comes from: a source hands out one item at a time, each under a lease that lasts until its handler ends.
 *
 * A pool pulls from a source only what it can start, so a source may be endless, lazy or shared with other machines.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Predicate from "effect/Predicate"
import type * as Pull from "effect/Pull"
import type * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import { refusing } from "./internal/options/refusal.ts"
import * as rules from "./internal/options/rules.ts"
import * as asyncIterableStream from "./internal/sources/asyncIterableStream.ts"
import { CurrentAttempt } from "./internal/sources/currentAttempt.ts"
import { fromDirect } from "./internal/sources/directSource.ts"
import { IterableSource } from "./internal/sources/iterableSource.ts"
import { keeping } from "./internal/sources/keptItems.ts"
import type { Delivery } from "./internal/sources/persistedQueueSource.ts"
import { PersistedQueueSource } from "./internal/sources/persistedQueueSource.ts"
import { PullSource, type Settle } from "./internal/sources/pullSource.ts"
import { QueueSource } from "./internal/sources/queueSource.ts"
import { StreamSource } from "./internal/sources/streamSource.ts"
import { withdrawing } from "./internal/sources/withdrawal.ts"

export type { Delivery }

/**
 * A source of items.
 *
 * **Details**
 *
 * `take` runs `handle` with the next item and answers `"Taken"` when the handler has ended, which acknowledges the item.
 * It may wait for an item, or answer `"Empty"`: nothing now, perhaps later. `"Done"` means nothing ever again. Where
 * `take` is interrupted before the handler ends, a source that can take its item back does.
 *
 * A pool ends its run with the failure of a task. Where `settlesFailures` is `true`, a task that failed, died or reached
 * its time limit is the source's affair instead: `handle` fails with the task's failure, the source does with the item
 * what it does (tries it again later, sets it aside), and `take` may fail with the same failure or succeed. Whatever else
 * `take` fails with still ends the run.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskSource<out A, out E = never, out R = never, out Settles extends boolean = boolean> {
  readonly settlesFailures?: Settles | undefined
  readonly take: <X, E2, R2>(
    handle: (item: A) => Effect.Effect<X, E2, R2>
  ) => Effect.Effect<"Taken" | "Empty" | "Done", E | E2, R | R2>
}

/**
 * Which attempt at its item a task is: 1, or more where the item was tried before.
 *
 * **Details**
 *
 * A source that hands an item out again provides this to the handler that it is given; a persisted queue does. A pool
 * counts what starts with more than 1 as `retried`.
 *
 * @category references
 * @since 0.1.0
 */
export { CurrentAttempt }

/**
 * The items of an iterable, in order, asked for one at a time: an endless generator works. An async iterable works too.
 *
 * **Details**
 *
 * The source goes through the iterable once, however many runs take from it: a run that was aborted is continued by the
 * next one, and the items of tasks that were interrupted come first. So a generator that a run has not used up stays open;
 * the layer of `AutoscaledPool.Service` closes it, and `AutoscaledPool.forEach` does.
 *
 * An async iterable is a stream ({@link fromStream}): it is closed at the end of a run, and gone through anew by the next.
 * One that can be gone through only once, such as an async generator, cannot: where a run has closed it before its end, the
 * next run dies and says so. What an iterable throws is a defect.
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
    ? fromStream(asyncIterableStream.make(iterable))
    : fromDirect(new IterableSource(iterable))

/**
 * The items of a queue, until the queue ends (`Queue.end`) or is shut down; a queue that fails, fails the run.
 *
 * **Details**
 *
 * Nothing is taken out of the queue before it can start. Items of tasks that were interrupted are kept by the source and
 * come first when it is taken from again, by the next run or by that of another pool on the same source.
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
 * the end of that run, or of the last one where several take from the source at a time: another run begins it anew. What was
 * pulled and not worked on when a run ends is not given back, and a warning tells how much that is.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromStream = <A, E, R>(stream: Stream.Stream<A, E, R>): TaskSource<A, E, R> =>
  fromDirect(new StreamSource(stream, "Warnings"))

/**
 * Whatever an effect gives: `Some` an item, `None` nothing now, a failure with `Cause.Done` nothing ever again.
 *
 * **When to use** {@link fromQueue} for a queue in memory and {@link fromStream} for what is pushed or paged: both wait by
 * themselves. {@link fromPersistedQueue} or {@link make} where items are leased, and somebody wants to know what became of
 * them. This one for anything else that is asked for one item at a time.
 *
 * **Details**
 *
 * Free slots run the effect at the same time, so a slow one does not cap the concurrency. After `None` one slot asks, when
 * a task ends, at `notify`, and every `maybeRunInterval`; each item that is found lets one more ask, which doubles them from
 * round to round. A pull that does not answer through a whole interval waits for its items by itself: more may wait.
 *
 * What a pull gives is the source's until a task has ended with it: nothing is lost by a pause, an overload or a lower
 * concurrency, which wait for the answer, nor by the end of a run, which interrupts pulls that are under way and waits for
 * those that cannot be interrupted. The items of interrupted tasks and late answers come first in the next run, or go to
 * another pool on the same source.
 *
 * A promise goes on when it is interrupted, and what it takes from a server after that reaches no one. Hand it its
 * `AbortSignal`, or make the pull `Effect.uninterruptible`, so that the end of a run waits for its answer. Then let it wait
 * for some seconds at a time and answer `None`, or set the pool's `finalizerTimeout`: for as long as it waits, a drain or an
 * abort does too.
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
): TaskSource<A, Pull.ExcludeDone<E>, R> => pulling(pull)

/**
 * A source of one's own, for a queue that leases its items: `pull` fetches one, `settle` tells the queue what became of it.
 *
 * **When to use**
 *
 * {@link fromPull} where the item is gone from where it came from, and there is nothing to tell. To implement `take` of
 * {@link TaskSource} where the queue itself calls a handler, as a persisted queue does. This one otherwise: it takes care of
 * interruption.
 *
 * **Details**
 *
 * - `pull`: `Some` an item, `None` nothing now, a failure with `Cause.Done` nothing ever again, as {@link fromPull} does.
 * - `settle`: called once for every item that was pulled, with the exit of its task: a success, a failure, or an interruption
 *   alone, which means that the item was not worked on and goes back. It cannot be interrupted, and its failure ends the run.
 * - `settlesFailures`: whether the failure of a task is settled by that, and does not end the run, default `false`.
 *
 * Its takes are not interrupted while the run goes on: what they give waits until it may start. At the end of a run pulls
 * that are under way are interrupted, and an answer that comes all the same is settled with an interruption.
 *
 * **Example** (Leases of a list)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
 * import { Cause, Effect, Exit, Option } from "effect"
 *
 * const jobs = ["a", "b", "c"]
 * const failed: Array<string> = []
 * const source = TaskSource.make({
 *   pull: Effect.suspend(() => {
 *     const job = jobs.shift()
 *     return job === undefined ? Cause.done() : Effect.succeed(Option.some(job))
 *   }),
 *   settle: (job, exit) => Effect.sync(() => Exit.isFailure(exit) && failed.push(job)),
 *   settlesFailures: true
 * })
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* AutoscaledPool.fromSource(source, (job) => job === "b" ? Effect.fail("torn") : Effect.void)
 *   return yield* pool.run
 * })
 *
 * const report = await Effect.runPromise(Effect.provide(program, SystemStatus.layerTest))
 * report.succeeded // => 2
 * failed // => ["b"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E, R, E2 = never, R2 = never, const Settles extends boolean = false>(
  options: {
    readonly pull: Effect.Effect<Option.Option<A>, E | Cause.Done, R>
    readonly settle: (item: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, E2, R2>
    readonly settlesFailures?: Settles | undefined
  }
): TaskSource<A, Pull.ExcludeDone<E> | E2, R | R2, Settles> =>
  pulling<A, Pull.ExcludeDone<E> | E2, R | R2, Settles>(options.pull, options)

/** A source over a pull; its errors and requirements are those of what it is made of. */
const pulling = <A, E, R, Settles extends boolean>(
  pull: Effect.Effect<Option.Option<A>, unknown, R>,
  { settle, settlesFailures }: {
    readonly settle?: Settle<A, E, R> | undefined
    readonly settlesFailures?: Settles | undefined
  } = {}
): TaskSource<A, E, R, Settles> => {
  // What `pull` fails with is `Done`, which the source takes out, or an E: the constructors see to that.
  const { kept, take } = new PullSource(pull as Effect.Effect<Option.Option<A>, E | Cause.Done, R>, settle)
  return keeping(kept, withdrawing("Nothing", { take, settlesFailures }))
}

/**
 * The elements of a persisted queue (`effect/persistence`), which several machines may share: each process takes what it
 * can start.
 *
 * **Details**
 *
 * An element is leased to the task that works on it. A task that fails, dies or reaches its time limit does not end the
 * run: the queue hands the element out again by its own rules (`retrySchedule`, `maxAttempts`), or sets it aside as
 * failed. A task that is interrupted gives its element back, which counts as no attempt. An acknowledgement that fails
 * ends the run with a `PersistedQueueError`; so does a queue that cannot be taken from. What was claimed for takes that a
 * pause, an overload or the end of a run has withdrawn is handed back within a second.
 *
 * - `idle`: time without an element and without work after which the source is done, default never. Elements that the
 *   queue has put off until later do not count: choose it longer than the longest delay of the `retrySchedule`. A value
 *   that is not longer than 0 is an `InvalidOptionsError` of the pool.
 *
 * A task learns which attempt it is from `attempts` of its {@link Delivery}.
 *
 * **Example** (Working through a queue)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus, TaskSource } from "@autoscaled-pool/core"
 * import { Effect, Layer, Schema } from "effect"
 * import { PersistedQueue } from "effect/persistence"
 *
 * const program = Effect.gen(function*() {
 *   const queue = yield* PersistedQueue.make({ name: "pages", schema: Schema.String })
 *   yield* queue.offer("https://example.com")
 *   const source = TaskSource.fromPersistedQueue(queue, { idle: "10 millis" })
 *   const pool = yield* AutoscaledPool.fromSource(source, ({ value }) => Effect.log(value))
 *   return yield* pool.run
 * })
 *
 * const store = Layer.provide(PersistedQueue.layer, PersistedQueue.layerStoreMemory)
 * const report = await Effect.runPromise(Effect.provide(program, Layer.merge(store, SystemStatus.layerTest)))
 * report.succeeded // => 1
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPersistedQueue = <A, R>(
  queue: PersistedQueue.PersistedQueue<A, R>,
  options: { readonly idle?: Duration.Input | undefined } = {}
): TaskSource<Delivery<A>, PersistedQueue.PersistedQueueError, R, true> => {
  const idle = rules.read(rules.timeLimit, "idle", options.idle ?? Infinity)
  const { take } = new PersistedQueueSource(queue, Duration.toMillis(Result.getOrElse(idle, () => Duration.infinity)))
  const source = withdrawing("TakesAndItems", { take, settlesFailures: true as const })
  return Result.isFailure(idle) ? refusing(idle.failure, source) : source
}
