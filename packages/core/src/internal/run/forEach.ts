/**
 * A pool over the items of one list, whose results are collected in order.
 */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import type { KeyedLimits } from "../../KeyedLimits.ts"
import type { AlreadyRunningError, TaskTimeoutError } from "../../PoolError.ts"
import type { PoolOptions } from "../../PoolOptions.ts"
import type { SystemStatus } from "../../SystemStatus.ts"
import { type Numbered, numberedOf } from "../sources/numberedOf.ts"
import { build } from "./assembly.ts"
import { ofDirect } from "./works.ts"

export type ForEachOptions<A, B, E, E2, R2> = PoolOptions<A, E2, R2, B, E | E2 | TaskTimeoutError>

export const forEach = <A, B, E, R, E2, R2, E3, R3>(
  items: Iterable<A> | AsyncIterable<A> | Stream.Stream<A, E3, R3>,
  f: (item: A, index: number) => Effect.Effect<B, E, R>,
  options: ForEachOptions<A, B, E, E2, R2> & { readonly discard?: boolean | undefined } = {}
): Effect.Effect<
  Array<B> | undefined,
  E | E2 | E3 | TaskTimeoutError | InvalidOptionsError,
  SystemStatus | R | R2 | R3
> =>
  Effect.suspend(() => {
    const results: Array<B> = []
    const { discard } = options
    const work = ofDirect<Numbered<A>>(
      numberedOf(items),
      ({ index, item }) => f(item, index),
      options,
      // Tasks and what stands in for them after a timeout give a `B`.
      discard === true ? undefined : ({ index }, result) => void (results[index] = result as B)
    )
    const pool = build<Numbered<A>, E | E2 | E3 | TaskTimeoutError, R | R2 | R3>(
      ofNumbered<A, B, E, E2, R2>(options),
      work
    )
    return Effect.flatMap(
      Effect.flatMap(pool, (pool) => neverTwice(pool.run)),
      // Whoever finds the pool in the registry may end it before all results are there.
      ({ outcome }) =>
        outcome === "Finished" ? Effect.succeed(discard === true ? undefined : results) : Effect.interrupt
    )
  })

/** The options of a pool of items as those of one of items with their numbers. */
const ofNumbered = <A, B, E, E2, R2>(options: ForEachOptions<A, B, E, E2, R2>) => {
  const { keys, onTaskTimeout, weight } = options
  return {
    ...options,
    keys: keys && keysOf(keys, ({ item }: Numbered<A>) => item),
    weight: typeof weight === "function" ? ({ item }: Numbered<A>) => weight(item) : weight,
    onTaskTimeout: typeof onTaskTimeout === "function"
      ? ((error, { item }) => onTaskTimeout(error, item))
      : onTaskTimeout
  } as ForEachOptions<Numbered<A>, B, E, E2, R2> // spreading a union of options loses which of its members it is
}

/** Limits for what has an item that they are for. What are no limits stays as it is: the pool refuses it. */
const keysOf = <A, B>(keys: KeyedLimits<A>, itemOf: (item: B) => A): KeyedLimits<B> =>
  typeof keys.makeFeed === "function"
    ? {
      ...keys,
      makeFeed: (host, innerOf, makeInner) => keys.makeFeed(host, (item) => itemOf(innerOf(item)), makeInner)
    }
    : keys as never

/** A pool that nobody else holds cannot be running already. */
const neverTwice = <A, E>(run: Effect.Effect<A, E | AlreadyRunningError>): Effect.Effect<A, E> =>
  run as Effect.Effect<A, E>
