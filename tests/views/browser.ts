/**
 * A real browser, and a real program with a dashboard for it to look at.
 */
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import * as path from "node:path"
import { type Browser, chromium } from "playwright-core"
import { find, inPath } from "../../scripts/debian.ts"

const found = find(() => inPath("chromium"), "chromium")

/** Why there is no browser to be had here, if there is none. */
export const whyNone: string | undefined = "missing" in found ? found.missing : undefined

const flags = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]

export const browser = Effect.acquireRelease(
  Effect.promise(() =>
    chromium.launch({
      ..."directory" in found ? { executablePath: path.join(found.directory, "chromium") } : {},
      args: [...flags, "disable-component-update", "disable-sync"].map((flag) => `--${flag}`)
    })
  ),
  (browser: Browser) => Effect.promise(() => browser.close())
)

export interface Program {
  readonly url: string
  readonly end: Effect.Effect<void>
}

/** Runs the program with a dashboard, until the scope closes. */
export const program = (...args: ReadonlyArray<string>): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Program & { readonly kill: () => void }>((resume) => {
      const child = spawn(path.resolve("node_modules/.bin/node"), ["tests/views/programs/dashboard.ts", ...args], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      const kill = () => child.kill("SIGTERM")
      let text = ""
      child.stdout.on("data", (part: Buffer) => {
        text += part.toString()
        const url = /http:\S+/.exec(text)?.[0]
        if (url !== undefined && text.includes("\n")) resume(Effect.succeed({ url, end: Effect.sync(kill), kill }))
      })
    }),
    ({ kill }) => Effect.sync(kill)
  )
