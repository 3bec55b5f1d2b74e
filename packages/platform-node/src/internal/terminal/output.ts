/**
 * Where the view goes: drawn in a terminal, or written as a plain line now and then.
 */
import * as Duration from "effect/Duration"
import { performance } from "node:perf_hooks"
import type { WriteStream } from "node:tty"
import type { History } from "./history.ts"
import * as region from "./region.ts"
import { lineWidth, paint } from "./text.ts"
import { render, summary } from "./view.ts"

export interface Output {
  readonly every: Duration.Duration
  readonly show: () => void
  /** Shows the end once more and leaves it where it is. */
  readonly close: () => void
}

export const open = (look: () => ReadonlyArray<History>): Output => {
  const screens = isPlain() ? [] : [process.stdout, process.stderr].filter((stream) => stream.isTTY)
  const [screen, ...others] = screens
  return screen === undefined ? plain(look) : drawn(look, screen, others)
}

const isPlain = (): boolean => process.env["TERM"] === "dumb" || (process.env["CI"] ?? "") !== ""

const drawn = (
  look: () => ReadonlyArray<History>,
  screen: WriteStream,
  others: ReadonlyArray<WriteStream>
): Output => {
  let isGone = false
  let last = ""
  const draw = (): void => {
    if (isGone) return
    const pools = look()
    if (pools.length === 0) return
    const lines = render(pools, Math.max(1, screen.columns - 1), Math.max(1, screen.rows - 1))
    const painted = lines.map((line) => paint(line, screen))
    const frame = painted.join("\n")
    if (frame === last) return
    last = frame
    onScreen.draw({ painted, widths: lines.map(lineWidth) })
  }
  const redraw = (): void => {
    last = ""
    draw()
  }
  const onScreen = region.open(screen, others, redraw, () => isGone = true)
  return {
    every: Duration.millis(200),
    show: draw,
    close: () => {
      draw()
      onScreen.close()
    }
  }
}

const millisBetweenLines = 10_000

const plain = (look: () => ReadonlyArray<History>): Output => {
  let nextLine = -Infinity
  let last = ""
  const show = (): void => {
    const now = performance.now()
    if (now < nextLine) return
    const pools = look()
    const state = pools.map(({ latest }) => `${latest.name} ${latest.holding?.blocker._tag}`).join()
    if (state === last || pools.length === 0) return
    last = state
    nextLine = now + millisBetweenLines
    for (const pool of pools) process.stderr.write(`${summary(pool)}\n`)
  }
  return { every: Duration.seconds(1), show, close: () => {} }
}
