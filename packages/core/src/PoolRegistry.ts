/**
 * The pools that run in this process: where every view finds them, so that a view needs no wiring.
 *
 * A pool enters the registry at the start of a run and leaves it at its end; what it did stays under its name. Unless a
 * program provides a registry of its own, all pools of the process share one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ConcurrencySettings } from "./ConcurrencySettings.ts"
import { Registry } from "./internal/views/registry.ts"
import type { InvalidOptionsError } from "./InvalidOptionsError.ts"
import type { PoolEvent } from "./PoolEvent.ts"
import type { PoolSnapshot } from "./PoolSnapshot.ts"

/**
 * What a view may do to a pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolControls {
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  readonly drain: Effect.Effect<void>
  readonly abort: Effect.Effect<void>
  readonly configure: (change: Partial<ConcurrencySettings>) => Effect.Effect<void, InvalidOptionsError>
}

/**
 * A pool as views know it.
 *
 * **Details**
 *
 * - `name`: unique in its registry. Where a name is taken by a pool that runs, `#2`, `#3` and so on is added to it.
 * - `snapshot`: takes a snapshot, synchronously; between runs and after the last one it gives the final snapshot.
 * - `controls`: `undefined` once the run has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisteredPool {
  readonly name: string
  readonly snapshot: () => PoolSnapshot
  readonly controls: PoolControls | undefined
}

/**
 * What happens in a registry: a run began or ended, or a pool has an event to tell.
 *
 * @category models
 * @since 0.1.0
 */
export type RegistryEvent =
  | { readonly _tag: "Entered" | "Left"; readonly pool: string }
  | { readonly _tag: "Told"; readonly pool: string; readonly event: PoolEvent }

/**
 * The pools that run, and what is left of those that have ended.
 *
 * **Details**
 *
 * - `pools`: those that run, in the order in which they entered, and those that have ended, in the order of their end. Of
 *   the ended ones the last hundred names are kept.
 * - `find`: the pool of a name.
 * - `onEnter`: for views that must know a pool before its first task.
 * - `events`: what happens from now on. A reader that falls far behind misses the oldest.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolRegistry {
  readonly pools: () => ReadonlyArray<RegisteredPool>
  readonly find: (name: string) => RegisteredPool | undefined
  readonly events: Stream.Stream<RegistryEvent>
  /** Calls `listener` with the name of each pool that enters, in the same turn; gives back how to end that. */
  readonly onEnter: (listener: (name: string) => void) => () => void
  /** @internal */
  readonly enter: (entrant: Entrant) => Entered
}

/**
 * A pool that begins a run.
 *
 * @internal
 */
export interface Entrant {
  readonly name: string
  readonly snapshot: (entered: Entered) => PoolSnapshot
  readonly controls: PoolControls
}

/**
 * A pool's place in a registry, for as long as its run lasts.
 *
 * @internal
 */
export interface Entered {
  readonly name: string
  /** The last snapshot that an earlier run under this name left. */
  readonly before: PoolSnapshot | undefined
  readonly tell: (event: PoolEvent) => void
  readonly leave: () => void
}

/**
 * The registry in force: that of the process, unless the program provides another.
 *
 * **Example** (Looking at every pool of the process)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, PoolRegistry, SystemStatus, TaskSource } from "@autoscaled-pool/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const source = TaskSource.fromIterable(["a", "b"])
 *   const pool = yield* AutoscaledPool.fromSource(source, () => Effect.void, { name: "thumbnails" })
 *   yield* pool.run
 *   const registry = yield* PoolRegistry.PoolRegistry
 *   return registry.find("thumbnails")?.snapshot().totals.succeeded
 * })
 *
 * const program2 = Effect.provideService(program, PoolRegistry.PoolRegistry, PoolRegistry.makeUnsafe())
 * await Effect.runPromise(Effect.provide(program2, SystemStatus.layerTest)) // => 2
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const PoolRegistry: Context.Reference<PoolRegistry> = Context.Reference<PoolRegistry>(
  "@autoscaled-pool/core/PoolRegistry",
  { defaultValue: () => makeUnsafe() }
)

/**
 * Makes a registry of its own for a part of a program, or for a test.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (): PoolRegistry => new Registry()

/**
 * The snapshots of all pools of the registry in force: of those that run, and the last ones of those that have ended.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const snapshots: Effect.Effect<ReadonlyArray<PoolSnapshot>> = Effect.map(
  PoolRegistry,
  (registry) => registry.pools().map((pool) => pool.snapshot())
)

/**
 * What happens in the registry in force, from now on.
 *
 * @category events
 * @since 0.1.0
 */
export const events: Stream.Stream<RegistryEvent> = Stream.unwrap(
  Effect.map(PoolRegistry, (registry) => registry.events)
)
