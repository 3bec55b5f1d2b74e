/**
 * The registry behind its interface: pools that run by their unique names, and the last snapshots of those that ended.
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type { Entered, Entrant, PoolRegistry, RegisteredPool, RegistryEvent } from "../../PoolRegistry.ts"
import type { PoolSnapshot } from "../../PoolSnapshot.ts"
import { PoolNames } from "./poolNames.ts"

/** Names come from the program: one that makes up a new name for each run must not fill the memory with old ones. */
const mostEnded = 100

export class Registry implements PoolRegistry {
  private readonly names = new PoolNames()
  private readonly running = new Map<string, RegisteredPool>()
  private readonly ended = new Map<string, PoolSnapshot>()
  private readonly listeners = new Set<(name: string) => void>()
  private readonly published = Effect.runSync(PubSub.sliding<RegistryEvent>(1024))

  readonly events: Stream.Stream<RegistryEvent> = Stream.fromPubSub(this.published)

  pools(): ReadonlyArray<RegisteredPool> {
    return [...this.running.values(), ...[...this.ended].map(([name, last]) => endedPool(name, last))]
  }

  find(name: string): RegisteredPool | undefined {
    const last = this.ended.get(name)
    return this.running.get(name) ?? (last && endedPool(name, last))
  }

  onEnter(listener: (name: string) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  enter({ controls, name: wanted, snapshot }: Entrant): Entered {
    const { leave, name } = this.names.enter(wanted)
    const entered: Entered = {
      name,
      before: this.ended.get(name),
      tell: (event) => this.publish({ _tag: "Told", pool: name, event }),
      leave: () => {
        this.leave(name)
        leave()
      }
    }
    this.ended.delete(name)
    this.running.set(name, { name, snapshot: () => snapshot(entered), controls })
    for (const listener of this.listeners) listener(name)
    this.publish({ _tag: "Entered", pool: name })
    return entered
  }

  private leave(name: string): void {
    const pool = this.running.get(name)
    if (pool === undefined) return
    const last = pool.snapshot()
    this.running.delete(name)
    this.ended.set(name, {
      ...last,
      phase: "Idle",
      holding: undefined,
      oldestAges: [],
      share: undefined,
      heldBackKeys: []
    })
    for (const oldest of this.ended.keys()) {
      if (this.ended.size <= mostEnded) break
      this.ended.delete(oldest)
    }
    this.publish({ _tag: "Left", pool: name })
  }

  private publish(event: RegistryEvent): void {
    // Not `publishUnsafe`: where a reader has fallen behind, it refuses the newest event, and to every reader.
    Effect.runSync(PubSub.publish(this.published, event))
  }
}

const endedPool = (name: string, last: PoolSnapshot): RegisteredPool => ({
  name,
  snapshot: () => last,
  controls: undefined
})
