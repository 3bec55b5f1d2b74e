import type { AutoscaledPool } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stdio, Terminal } from "effect"
import { makeScreen } from "../../examples/demo/screen.ts"
import { Pace, statusOf } from "../../examples/demo/status.ts"
import { Tally } from "../../examples/demo/tally.ts"

const output = Effect.fnUntraced(function*(stdoutIsTerminal: boolean) {
  const written: Array<string> = []
  const terminal = Terminal.make({
    columns: Effect.succeed(10),
    rows: Effect.succeed(24),
    size: Effect.die("unused"),
    readInput: Effect.die("unused"),
    readLine: Effect.die("unused"),
    display: (text) => Effect.sync(() => written.push(text))
  })
  yield* Effect.gen(function*() {
    const screen = yield* makeScreen
    yield* screen.show(["12345678901", "b"])
    yield* screen.show(["c", "d"])
    yield* screen.clear
  }).pipe(Effect.provide([
    Layer.succeed(Terminal.Terminal, terminal),
    Stdio.layerTest({ stdoutIsTerminal: Effect.succeed(stdoutIsTerminal) })
  ]))
  return written.join("")
})

describe("the demo's screen", () => {
  it.effect("draws over itself in a terminal, no line longer than it is wide", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* output(true), "123456789\nb\n\x1b[2F\x1b[Jc\nd\n\x1b[2F\x1b[J")
    }))

  it.effect("writes plain lines elsewhere", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* output(false), "12345678901  b\nc  d\n")
    }))
})

const state: AutoscaledPool.PoolState = {
  phase: "Running",
  isPaused: false,
  pausedUntil: undefined,
  currentConcurrency: 3,
  desiredConcurrency: 4,
  blocker: { _tag: "Overloaded", signals: ["cpu"] },
  started: 0,
  succeeded: 0,
  failed: 0,
  timedOut: 0,
  rejected: 0,
  retried: 0,
  abandoned: 0,
  delayed: undefined,
  finalizing: undefined,
  system: {
    signals: {
      cpu: { limitRatio: 0.4, actualRatio: 1, isOverloaded: true, isStale: false, load: 0.97, own: 0.9, target: 0.95 }
    },
    isSystemIdle: false,
    isStale: false,
    createdAt: 0
  },
  lastDecision: {
    at: 0,
    policy: "stepRatio",
    from: 4,
    to: 4,
    loads: {},
    desired: 4,
    reason: { summary: "all is in use" }
  }
}

describe("the demo's status", () => {
  it("tells progress, speed over the last seconds, time left, concurrency, what limits it, and loads", () => {
    const pace = new Pace(0)
    const tally = new Tally()
    for (let n = 0; n < 4; n++) tally.find(1_000_000)
    tally.isFolderCounted = true
    tally.compress(2_000_000, 1)
    tally.finish("digest")
    const rate = pace.measure(2000, tally)
    assert.deepStrictEqual(statusOf(state, tally, rate), [
      "████████░░░░░░░░ 50 %  1 of 4 files  1 files/s  1.0 MB/s  2 s left",
      "3 in flight / 4 desired  Overloaded (cpu)",
      "cpu 97 %"
    ])
    assert.deepStrictEqual(pace.measure(5001, tally), { files: 0, bytes: 0 })
  })

  it("tells why the concurrency is what it is while that is the limit", () => {
    const [, limit] = statusOf({ ...state, blocker: { _tag: "AtDesired" } }, new Tally(), { files: 0, bytes: 0 })
    assert.strictEqual(limit, "3 in flight / 4 desired  AtDesired (all is in use)")
  })
})
