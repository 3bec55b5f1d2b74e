/**
 * What pools are doing, in the terminal: how far they are, how many tasks run, what the machine bears, and why no more.
 *
 * @since 0.1.0
 */
import type { AutoscaledPool } from "@autoscaled-pool/core/AutoscaledPool"
import { PoolRegistry } from "@autoscaled-pool/core/PoolRegistry"
import type { PoolSnapshot } from "@autoscaled-pool/core/PoolSnapshot"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { History } from "./internal/terminal/history.ts"
import * as output from "./internal/terminal/output.ts"

/**
 * Shows all pools of the process for as long as the layer lasts, under each other.
 *
 * **Details**
 *
 * In a terminal the view takes the last lines of the screen, and whatever else the program writes scrolls above it. It is
 * drawn on standard output, or on standard error where only that is a terminal, so that `program > file` keeps the file
 * clean. Elsewhere, and where `CI` is set or `TERM` is `dumb`, a plain line goes to standard error whenever what holds a
 * pool back has changed, every ten seconds at most. Colours obey `NO_COLOR` and `FORCE_COLOR`.
 *
 * Child processes that write to an inherited terminal draw over the view: give them pipes.
 *
 * **Example** (Watching a program)
 *
 * ```ts import.meta.vitest
 * import { AutoscaledPool, SystemStatus } from "@autoscaled-pool/core"
 * import { PoolProgress } from "@autoscaled-pool/platform-node"
 * import { Effect, Layer } from "effect"
 *
 * const program = AutoscaledPool.forEach([1, 2, 3], (n) => Effect.succeed(n * 2), { name: "doubling" })
 * const layer = Layer.merge(PoolProgress.layer, SystemStatus.layerTest)
 *
 * await Effect.runPromise(Effect.provide(program, layer)) // => [2, 4, 6]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effectDiscard(
  Effect.flatMap(PoolRegistry, (registry) =>
    show(() => {
      const pools = registry.pools()
      const running = pools.filter(({ controls }) => controls !== undefined)
      // Between two runs the last one stays in view.
      return (running.length > 0 ? running : pools.slice(-1)).map((pool) => pool.snapshot())
    }))
)

/**
 * Shows one pool until the scope closes, with a total that its source does not know.
 *
 * **Details**
 *
 * - `total`: how many items there are; with it the view has a bar and the time left. A source that knows, such as
 *   `TaskSource.fromIterable` of an array, needs none.
 *
 * @category constructors
 * @since 0.1.0
 */
export const attach = <E>(
  pool: AutoscaledPool<E>,
  options: { readonly total?: number | undefined } = {}
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(Effect.context<never>(), (context) => {
    const take = Effect.runSyncWith(context)
    return show(() => [withTotal(take(pool.snapshot), options.total)])
  })

/**
 * Shows snapshots from wherever they come until the scope closes, such as those of worker processes that send them.
 *
 * **Details**
 *
 * `snapshots` is asked several times a second for the latest of each pool. A snapshot is plain data and may have gone
 * through JSON. Pools are told apart by their names.
 *
 * @category constructors
 * @since 0.1.0
 */
export const attachSnapshots = (
  snapshots: () => ReadonlyArray<PoolSnapshot>
): Effect.Effect<void, never, Scope.Scope> => show(snapshots)

const withTotal = (snapshot: PoolSnapshot, total: number | undefined): PoolSnapshot =>
  total === undefined || snapshot.run === undefined ? snapshot : { ...snapshot, run: { ...snapshot.run, total } }

const show = Effect.fnUntraced(function*(pools: () => ReadonlyArray<PoolSnapshot>) {
  const histories = new Map<string, History>()
  const look = (): ReadonlyArray<History> => {
    const snapshots = pools()
    const names = new Set(snapshots.map(({ name }) => name))
    for (const name of histories.keys()) if (!names.has(name)) histories.delete(name)
    for (const snapshot of snapshots) {
      const history = histories.get(snapshot.name)
      if (history === undefined) histories.set(snapshot.name, new History(snapshot))
      else history.record(snapshot)
    }
    return [...histories.values()]
  }
  const out = yield* Effect.acquireRelease(
    Effect.sync(() => output.open(look)),
    (out) => Effect.sync(() => out.close())
  )
  yield* Effect.forkScoped(Effect.schedule(Effect.sync(() => out.show()), Schedule.spaced(out.every)))
})
