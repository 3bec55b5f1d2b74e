/**
 * A real terminal: a window of tmux that runs a program, and what is to be read in it.
 */
import { Effect, Schedule } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { find, inPath } from "../../scripts/debian.ts"

const run = promisify(execFile)

/** Why there is no terminal to be had here, if there is none. */
export const whyNone: string | undefined = (() => {
  const found = find(() => inPath("tmux"), "tmux")
  return "missing" in found ? found.missing : undefined
})()

export interface Terminal {
  /** What is on the screen. */
  readonly screen: Effect.Effect<ReadonlyArray<string>>
  /** The same with colours, as escape sequences. */
  readonly painted: Effect.Effect<ReadonlyArray<string>>
  /** What has scrolled out of it, and then what is on it. */
  readonly everything: Effect.Effect<ReadonlyArray<string>>
  readonly resize: (columns: number, rows: number) => Effect.Effect<void>
  readonly type: (...keys: ReadonlyArray<string>) => Effect.Effect<void>
  /** Waits until the screen has a line that includes this. */
  readonly until: (text: string) => Effect.Effect<void>
}

const environment = "env -u CI -u NO_COLOR -u FORCE_COLOR TERM=screen-256color PS1='$ '"

/** A window of its own, of a server of its own, closed with the scope. */
export const open = Effect.fnUntraced(function*(columns: number, rows: number) {
  const server = `views-${process.pid}-${Math.floor(performance.now() * 1000)}`
  const tmux = (...args: ReadonlyArray<string>) =>
    Effect.promise(() => run("tmux", ["-L", server, ...args])).pipe(Effect.map(({ stdout }) => stdout))
  yield* Effect.acquireRelease(
    tmux("-f", "/dev/null", "new-session", "-d", "-x", String(columns), "-y", String(rows), `${environment} sh`),
    () => Effect.ignore(tmux("kill-server"))
  )
  yield* tmux("set-option", "-g", "history-limit", "10000")
  const capture = (...args: ReadonlyArray<string>) =>
    Effect.map(tmux("capture-pane", "-p", ...args), (text) => text.trimEnd().split("\n").map((line) => line.trimEnd()))
  const screen = capture()
  const terminal: Terminal = {
    screen,
    painted: capture("-e"),
    everything: capture("-S", "-"),
    resize: (columns, rows) => Effect.asVoid(tmux("resize-window", "-x", String(columns), "-y", String(rows))),
    type: (...keys) => Effect.asVoid(tmux("send-keys", ...keys)),
    until: (text) =>
      Effect.flatMap(
        screen,
        (lines) => lines.some((line) => line.includes(text)) ? Effect.void : Effect.fail(new Error(lines.join("\n")))
      ).pipe(Effect.retry({ times: 200, schedule: Schedule.spaced("100 millis") }), Effect.orDie)
  }
  yield* terminal.until("$")
  return terminal
})
