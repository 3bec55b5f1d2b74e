import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stdio, Terminal } from "effect"
import { makeScreen } from "../../examples/distributed/screen.ts"

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

describe("the screen of the distributed demo", () => {
  it.effect("draws over itself in a terminal, no line longer than it is wide", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* output(true), "123456789\nb\n\x1b[2F\x1b[Jc\nd\n\x1b[2F\x1b[J")
    }))

  it.effect("writes plain lines elsewhere", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* output(false), "12345678901  b\nc  d\n")
    }))
})
