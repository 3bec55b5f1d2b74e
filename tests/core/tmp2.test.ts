import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Effect, Option, Fiber, Queue } from "effect"
import { after, begin, counted, failureOf, hasEnded, settled, test } from "./stage.ts"

describe("tmp", () => {
  test("pull fail", function*() {
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromPull(Effect.suspend(() => Effect.fail("torn"))), () => Effect.void)
    assert.strictEqual(yield* failureOf(yield* begin(pool.run)), "torn")
  })
})
