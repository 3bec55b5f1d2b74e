/**
 * The view in a real terminal, compared by what is on the screen and in the scrollback.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as path from "node:path"
import { open, type Terminal, whyNone } from "./tmux.ts"

const node = path.resolve("node_modules/.bin/node")
const program = path.resolve("tests/views/programs/progress.ts")

const test = whyNone === undefined ? it.live : it.live.skip
const named = (name: string) => whyNone === undefined ? name : `${name} (skipped: ${whyNone})`

const inTerminal = (name: string, body: (terminal: Terminal) => Generator<Effect.Effect<unknown>, void, never>) =>
  test(named(name), () =>
    Effect.scoped(Effect.gen(function*() {
      const terminal = yield* open(100, 24)
      yield* Effect.gen(() => body(terminal))
    })))

const type = ({ type }: Terminal, command: string) => type(command, "Enter")
const start = (terminal: Terminal, ...args: ReadonlyArray<string>) =>
  type(terminal, `${node} ${program} ${args.join(" ")}; echo "ended $?"`)

/** Lines of the view's frames, wherever they are: one in the scrollback is residue. */
const framesIn = (lines: ReadonlyArray<string>) => lines.filter((line) => line.startsWith("in flight")).length
const logsIn = (lines: ReadonlyArray<string>) => lines.filter((line) => line.startsWith("log line"))

describe("the view in a terminal", () => {
  inTerminal("loses no log line, and leaves none of its own, through changes of the width", function*(terminal) {
    yield* start(terminal, "logs")
    yield* terminal.until("log line 10 ")
    yield* terminal.resize(50, 24)
    yield* terminal.until("log line 30 ")
    yield* terminal.resize(110, 18)
    yield* terminal.until("ended 0")
    const lines = yield* terminal.everything
    assert.deepStrictEqual(
      logsIn(lines),
      Array.from({ length: 20 }, (_, n) => `log line ${n * 5} 宽`)
    )
    assert.strictEqual(framesIn(lines), 1, lines.join("\n"))
    assert.isTrue(lines.some((line) => line.includes("100 %  100 of 100")), lines.join("\n"))
  })

  inTerminal("shows the pools of three processes under each other, and which of them have ended", function*(terminal) {
    yield* type(terminal, `${node} ${path.resolve("examples/distributed/main.ts")} --jobs 400; echo "ended $?"`)
    yield* terminal.until("worker c")
    yield* terminal.until("It has ended by SIGKILL.")
    for (const name of ["worker a", "worker b", "worker c"]) yield* terminal.until(name)
    yield* terminal.until("It has ended by SIGTERM.")
    yield* terminal.until("ended 0")
    const lines = yield* terminal.everything
    assert.isTrue(lines.some((line) => line.includes("jobs done, worker b gets SIGKILL")), lines.join("\n"))
    assert.isTrue(lines.some((line) => line.startsWith("400 jobs, each of them done")), lines.join("\n"))
    assert.strictEqual(framesIn(lines), 3, lines.join("\n"))
  })

  inTerminal("repaints below the prompt after Ctrl-Z and fg", function*(terminal) {
    yield* start(terminal, "quiet", "200")
    yield* terminal.until("in flight")
    yield* terminal.type("C-z")
    yield* terminal.until("topped")
    yield* type(terminal, "fg")
    yield* terminal.until("100 %  200 of 200")
    assert.strictEqual(framesIn(yield* terminal.everything), 2) // the one that stopped, and the last one
  })

  inTerminal("leaves the stack of an uncaught exception legible, and the cursor visible", function*(terminal) {
    yield* start(terminal, "throws", "1000")
    yield* terminal.until("ended 1")
    const lines = yield* terminal.everything
    assert.isTrue(lines.some((line) => line.includes("Error: nobody catches this")), lines.join("\n"))
    assert.strictEqual(framesIn(lines), 1, lines.join("\n"))
  })

  inTerminal("leaves the terminal whole when the process is killed", function*(terminal) {
    yield* start(terminal, "quiet", "1000")
    yield* terminal.until("in flight")
    yield* type(terminal, "")
    yield* Effect.promise(() =>
      import("node:child_process").then(({ execFileSync }) => execFileSync("pkill", ["-9", "-f", program]))
    )
    yield* terminal.until("ended 137")
    yield* type(terminal, "echo still $((40 + 2))")
    yield* terminal.until("still 42")
  })

  inTerminal("is drawn on standard error where standard output is a file, which stays clean", function*(terminal) {
    yield* type(
      terminal,
      `F=$(mktemp); ${node} ${program} data 40 > $F; echo $(wc -l < $F) lines, $(grep -c result $F) results`
    )
    yield* terminal.until("in flight")
    yield* terminal.until("40 lines, 40 results")
  })

  inTerminal("writes plain lines where CI is set", function*(terminal) {
    yield* type(terminal, `CI=true ${node} ${program} quiet 60; echo "ended $?"`)
    yield* terminal.until("ended 0")
    const lines = yield* terminal.everything
    assert.strictEqual(framesIn(lines), 0)
    assert.isTrue(lines.some((line) => /^crawl: \d+ of 60 done/.test(line)), lines.join("\n"))
  })

  inTerminal("has no colours where NO_COLOR is set, and is there all the same", function*(terminal) {
    yield* type(terminal, `NO_COLOR=1 ${node} ${program} quiet 60; echo "ended $?"`)
    yield* terminal.until("in flight")
    yield* terminal.until("ended 0")
  })
})
