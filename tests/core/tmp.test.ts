import { AutoscaledPool, TaskSource } from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Effect, Option, Fiber, Queue } from "effect"
import { after, begin, counted, failureOf, hasEnded, settled, test } from "./stage.ts"

describe("tmp", () => {
  test("queue fail", function*() {
    const queue = yield* Queue.make<number, string>()
    yield* Queue.fail(queue, "torn")
    const pool = yield* AutoscaledPool.fromSource(TaskSource.fromQueue(queue), () => Effect.void)
    assert.strictEqual(yield* failureOf(yield* begin(pool.run)), "torn")
  })
})
