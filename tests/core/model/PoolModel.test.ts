import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"
import { verify } from "./PoolProperty.ts"
import { arbitrary, print } from "./PoolProgram.ts"

describe("model", () => {
  it.live("random", () => Effect.gen(function*() {
    const t = Date.now()
    let n = 0
    const result = yield* Arbitrary.checkEffect(arbitrary, (program) => { n++; return verify(program) }, { runs: Number(process.env.RUNS ?? 200), seed: Number(process.env.SEED ?? 1), size: 20, maxShrinks: 3000 })
    console.log(result._tag, n, Date.now() - t, "ms")
    if (result._tag === "Falsified") {
      assert.fail(print(result.shrunkInput) + "\n" + (result.failure._tag === "PropertyError" ? result.failure.error : "?"))
    }
  }))
})
