/**
 * The set of a run's fibers: it is what is left to end them, should the scope of a run close in any other way than by its end.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as supervision from "../../packages/core/src/internal/run/supervision.ts"

const makeFibers = Effect.sync(() => {
  const ended: Array<string> = []
  const slow = (name: string) => Effect.andThen(Effect.yieldNow, Effect.sync(() => ended.push(name)))
  return { ended, begin: (name: string) => Effect.runFork(Effect.onInterrupt(Effect.never, () => slow(name))) }
})

describe("the fibers of a run", () => {
  it.effect("are interrupted and waited for when its scope closes: those of tasks as they are then, and what was entered", () =>
    Effect.gen(function*() {
      const { begin, ended } = yield* makeFibers
      const tasks = [begin("over"), begin("task")]
      const left = begin("left")
      const run = Effect.gen(function*() {
        const fibers = yield* supervision.make
        fibers.includeTasks(() => tasks)
        fibers.add(begin("question"))
        fibers.add(left)
        fibers.remove(left)
        yield* Fiber.interrupt(tasks[0])
        tasks.shift()
        assert.deepStrictEqual(ended, ["over"])
        assert.isFalse(fibers.isOver)
        return fibers
      })
      const fibers = yield* Effect.scoped(run)
      assert.deepStrictEqual(ended.toSorted(), ["over", "question", "task"])
      assert.isUndefined(left.pollUnsafe())
      assert.isTrue(fibers.isOver)
      fibers.add(left)
      yield* Fiber.await(left)
      assert.include(ended, "left")
    }))
})
