import { assert, describe, it } from "@effect/vitest"
import { EventEmitter } from "node:events"
import type { WriteStream } from "node:tty"
import * as region from "../../../packages/platform-node/src/internal/terminal/region.ts"

/** A stream as the region uses it. */
const makeScreen = () => {
  const written: Array<string> = []
  const emitter = new EventEmitter()
  const screen = Object.assign(emitter, {
    columns: 80,
    rows: 24,
    write: (text: string) => {
      written.push(text)
      return true
    }
  })
  return { screen: screen as unknown as WriteStream, written, emitter } // the region uses nothing else of it
}

const open = (screen: WriteStream, onRedraw = () => {}, onGone = () => {}) => region.open(screen, [], onRedraw, onGone)

const frame = (...lines: ReadonlyArray<string>) => ({ painted: lines, widths: lines.map((line) => line.length) })

describe("a region of the terminal", () => {
  it("is drawn over itself, and clears only what is below it", () => {
    const { screen, written } = makeScreen()
    const view = open(screen)
    view.draw(frame("a", "b"))
    view.draw(frame("c"))
    view.close()
    assert.deepStrictEqual(written, [
      "\x1b[?2026h\ra\x1b[K\nb\x1b[K\n\x1b[J\x1b[?2026l",
      "\x1b[?2026h\x1b[2A\rc\x1b[K\n\x1b[J\x1b[?2026l"
    ])
  })

  it("lets finished lines scroll above it, and holds back the beginning of a line", () => {
    const { screen, written } = makeScreen()
    const view = open(screen)
    view.draw(frame("view"))
    screen.write("one\ntw")
    screen.write("o\n")
    screen.write("rest")
    const above = written.slice(1).map((text) => text.split("\x1b[1A\r").at(-1)?.split("view\n")[0])
    assert.deepStrictEqual(above, ["one\n", "two\n"])
    view.close()
    assert.strictEqual(written.at(-1), "rest")
  })

  it("puts characters together that were written in pieces", () => {
    const { screen, written } = makeScreen()
    const view = open(screen)
    const bytes = Buffer.from("宽\n")
    screen.write(bytes.subarray(0, 2))
    screen.write(bytes.subarray(2))
    view.close()
    assert.include(written.join(""), "宽\n")
  })

  it("calls back whoever waits for a write", async () => {
    const { screen } = makeScreen()
    const view = open(screen)
    await new Promise<void>((resolve) => screen.write("text", () => resolve()))
    await new Promise<void>((resolve) => screen.write("text", "utf8", () => resolve()))
    view.close()
  })

  it("goes up over the rows that lines take since the terminal became narrower", () => {
    const { screen, written } = makeScreen()
    const view = open(screen)
    view.draw(frame("x".repeat(60), "y"))
    screen.columns = 25
    view.draw(frame("z"))
    view.close()
    assert.include(written[1], "\x1b[4A\r") // three rows for the first line, one for the second
  })

  it("ends when there is no terminal any more, and not the program", () => {
    const { emitter, screen } = makeScreen()
    let isGone = false
    const view = open(screen, () => {}, () => isGone = true)
    assert.throws(() => emitter.emit("error", new Error("something else")), "something else")
    assert.isFalse(isGone)
    emitter.emit("error", Object.assign(new Error("broken pipe"), { code: "EPIPE" }))
    assert.isTrue(isGone)
    view.close()
  })

  it("gives the stream back, and leaves no listener", () => {
    const before = process.listenerCount("SIGCONT") + process.listenerCount("exit")
    const { emitter, screen } = makeScreen()
    const original = screen.write
    const view = open(screen)
    assert.notStrictEqual(screen.write, original)
    view.close()
    view.close()
    assert.strictEqual(screen.write, original)
    assert.deepStrictEqual(emitter.eventNames(), [])
    assert.strictEqual(process.listenerCount("SIGCONT") + process.listenerCount("exit"), before)
  })
})
