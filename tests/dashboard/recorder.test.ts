import type { PoolRegistry } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as recorder from "../../packages/dashboard/src/internal/recorder.ts"
import { snapshot } from "../platform-node/terminal/pool.ts"

/** A registry that has the pools of these names, all of them running. */
const registryOf = (names: () => ReadonlyArray<string>) => {
  const pools = () => names().map((name) => ({ name, snapshot: () => snapshot({ name }), controls: {} }))
  return { pools, events: Stream.never } as unknown as PoolRegistry.PoolRegistry // of the rest a recorder uses nothing
}

describe("the recorder", () => {
  it.effect("forgets a pool that the registry has forgotten, and begins anew with the next one of its name", () =>
    Effect.gen(function*() {
      let names = ["crawl"]
      const { messages } = yield* recorder.make(registryOf(() => names), { isReadOnly: false })
      const points = Effect.map(Stream.runCollect(Stream.take(messages, 1)), ([hello]) => {
        const [, data] = new TextDecoder().decode(hello).split("data: ")
        return JSON.parse(data).pools[0]?.points.length
      })
      yield* TestClock.adjust("10 seconds")
      assert.isAtLeast(yield* points, 10)
      names = []
      yield* TestClock.adjust("2 seconds")
      names = ["crawl"]
      assert.strictEqual(yield* points, 0)
    }).pipe(Effect.scoped))
})
