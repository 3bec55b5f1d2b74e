/**
 * Where the status is shown: drawn over itself in a terminal, a line at a time elsewhere.
 */
import { type Duration, Effect, Stdio, Terminal } from "effect"

export interface Screen {
  /** How often it is worth showing something new. */
  readonly every: Duration.Input
  readonly show: (lines: ReadonlyArray<string>) => Effect.Effect<void>
  /** Removes what is shown. */
  readonly clear: Effect.Effect<void>
}

export const makeScreen: Effect.Effect<Screen, never, Terminal.Terminal | Stdio.Stdio> = Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  const stdio = yield* Stdio.Stdio
  const display = (text: string) => Effect.orDie(terminal.display(text))
  if (!(yield* stdio.stdoutIsTerminal)) {
    return { every: "1 second", show: (lines) => display(`${lines.join("  ")}\n`), clear: Effect.void }
  }
  let shown = 0
  const clear = Effect.suspend(() => {
    const up = shown === 0 ? "" : `\x1b[${shown}F\x1b[J`
    shown = 0
    return display(up)
  })
  const draw = Effect.fnUntraced(function*(lines: ReadonlyArray<string>) {
    // A line that wraps would take two lines to remove.
    const width = yield* terminal.columns
    yield* clear
    shown = lines.length
    yield* display(lines.map((line) => `${line.slice(0, width - 1)}\n`).join(""))
  })
  return { every: "100 millis", show: draw, clear }
})
