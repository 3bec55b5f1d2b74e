/**
 * What a budget observes of consumers that come and go: their ends count, and then they are forgotten.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { ObservationWindow } from "../../../packages/core/src/internal/budget/observationWindow.ts"
import { collectGarbage } from "../stage.ts"

it.effect("a consumer that has left counts for its window, and is forgotten when others have done the work since", () =>
  Effect.gen(function*() {
    const window = new ObservationWindow(0)
    const stays = window.makeEnds()
    window.join(stays)
    const comesAndGoes = (now: number) => {
      const ends = window.makeEnds()
      window.join(ends)
      stays.add(now, now - 100, "Succeeded", false)
      ends.add(now, now - 100, "Succeeded", false)
      window.leave(ends)
      return new WeakRef(ends)
    }
    const refs: Array<WeakRef<object>> = []
    for (let decision = 0; decision < 100; decision++) {
      const now = decision * 10_000
      for (let n = 0; n < 10; n++) refs.push(comesAndGoes(now + n))
      assert.strictEqual(window.read(now + 10).completions.count, 20)
      window.clear(now + 10)
    }
    yield* collectGarbage
    assert.isAtMost(refs.filter((ref) => ref.deref() !== undefined).length, 10)
  }))
