/**
 * Every reason that users may see.
 */
import { assert, describe, it } from "@effect/vitest"
import { reasons } from "../../../../packages/core/src/internal/adaptive/reasons.ts"
import { observation, signal } from "../support.ts"

/** What a system says where these signals do not report. */
const reporting = (...stale: ReadonlyArray<string>) =>
  observation({ signals: Object.fromEntries(stale.map((name) => [name, signal(0, { isStale: true })])) }).currentInfo

describe("reasons", () => {
  it("are plain sentences", () => {
    const said = [
      reasons.stale(reporting("cpu")),
      reasons.stale(reporting("cpu", "memory")),
      reasons.losses,
      reasons.unused(3, 20),
      reasons.coldStart,
      reasons.doubling,
      reasons.doubted,
      reasons.descending(20.4),
      reasons.comingDown("memory"),
      reasons.following("cpu"),
      reasons.Center(20.4),
      reasons.Above(20.4),
      reasons.Below(20.4),
      reasons.memory
    ]
    assert.strictEqual(said.length, Object.keys(reasons).length + 1)
    assert.deepStrictEqual(said, [
      "cpu does not report, and nothing grows until it does",
      "cpu and memory do not report, and nothing grows until they do",
      "tasks failed, timed out or met a rate limit: back to what is being served, then up again with care",
      "only 3 of 20 are in use, so the limit stays as it is",
      "too few tasks have ended to judge by: more are let in step by step",
      "doubling as long as throughput follows",
      "the event loop was blocked, so what looked like congestion is measured once more",
      "tasks take longer than they did: trying fewer than 20 tells whether that is congestion",
      "memory allows fewer than are desired, so fewer are",
      "as many as bring cpu to its target",
      "holding 20, the best known",
      "trying whether more than 20 gain throughput",
      "trying whether fewer than 20 lose throughput",
      "memory lets tasks start only slowly"
    ])
  })
})
