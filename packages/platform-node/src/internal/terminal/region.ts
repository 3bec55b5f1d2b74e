/**
 * The last lines of a terminal, drawn over themselves, while everything else that the program writes scrolls above them.
 *
 * The cursor rests below the region, no mode of the terminal is changed and nothing is hidden: whatever kills the process
 * leaves the terminal whole.
 */
import { StringDecoder } from "node:string_decoder"
import type { WriteStream } from "node:tty"

export interface Region {
  /** Draws these lines in place of the last ones; `painted` has their colours, `widths` the columns that they take. */
  readonly draw: (frame: Frame) => void
  /** Leaves what is drawn where it is, and gives the streams back. */
  readonly close: () => void
}

export interface Frame {
  readonly painted: ReadonlyArray<string>
  readonly widths: ReadonlyArray<number>
}

/** Synchronized output (DEC private mode 2026): terminals that do not know it ignore it. */
const begin = "\x1b[?2026h"
const end = "\x1b[?2026l"
const clearLine = "\x1b[2K"
const clearBelow = "\x1b[J"
const up = (rows: number): string => rows > 0 ? `\x1b[${rows}A\r` : "\r"

type Write = WriteStream["write"]

/**
 * Opens the region at the bottom of `screen`. `others` are the streams whose text lands on the same screen.
 *
 * `onRedraw` is called when the last frame does not fit any more: after a resize, or when the process comes back to the
 * foreground. `onGone` is called when there is no terminal any more.
 */
export const open = (
  screen: WriteStream,
  others: ReadonlyArray<WriteStream>,
  onRedraw: () => void,
  onGone: () => void
): Region => {
  const streams = [screen, ...others]
  const own: Write = screen.write.bind(screen)
  let frame: Frame = { painted: [], widths: [] }
  let isOpen = true

  // The rows of what is drawn, as they are now: a terminal that became narrower has broken the lines.
  const drawnRows = (): number =>
    frame.widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / Math.max(1, screen.columns))), 0)

  const erase = (): string => {
    const rows = drawnRows()
    return `${up(rows)}${`${clearLine}\n`.repeat(rows)}${up(rows)}`
  }

  const lines = (): string => frame.painted.map((line) => `${line}\n`).join("")

  const draw = (next: Frame): void => {
    const rows = drawnRows()
    frame = next
    own(`${begin}${up(rows)}${next.painted.map((line) => `${line}\x1b[K\n`).join("")}${clearBelow}${end}`)
  }

  const scroll = (text: string): void => {
    own(`${begin}${erase()}${text}${lines()}${clearBelow}${end}`)
  }

  /** Takes what is written to a stream; a line that is not finished waits, as the region is drawn below it. */
  const intercept = (stream: WriteStream): () => void => {
    const original = stream.write
    const decoder = new StringDecoder()
    let unfinished = ""
    const write = (chunk: string | Uint8Array, ...rest: ReadonlyArray<unknown>): boolean => {
      const text = unfinished + (typeof chunk === "string" ? chunk : decoder.write(Buffer.from(chunk)))
      const complete = text.lastIndexOf("\n") + 1
      unfinished = text.slice(complete)
      if (complete > 0) scroll(text.slice(0, complete))
      const done = rest.find((argument) => typeof argument === "function")
      if (done !== undefined) queueMicrotask(() => done())
      return true
    }
    stream.write = write as Write // a stream's write takes its arguments in several orders
    return () => {
      if (stream.write === (write as Write)) stream.write = original
      if (unfinished !== "") own(unfinished)
    }
  }

  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error
    close()
    onGone()
  }
  const onResume = (): void => {
    frame = { painted: [], widths: [] }
    onRedraw()
  }
  const restore = streams.map(intercept)
  screen.on("resize", onRedraw)
  screen.on("error", onError)
  process.on("SIGCONT", onResume)

  const close = (): void => {
    if (!isOpen) return
    isOpen = false
    for (const each of restore) each()
    screen.off("resize", onRedraw)
    screen.off("error", onError)
    process.off("SIGCONT", onResume)
    process.off("exit", close)
  }
  process.on("exit", close)

  return { draw: (next) => isOpen ? draw(next) : undefined, close }
}
