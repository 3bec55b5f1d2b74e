/**
 * Makes the pictures of the terminal view and the page in docs/ from a run of the demo: `node scripts/pictures.ts`. Needs
 * tmux and Chromium.
 */
import { Effect } from "effect"
import { statSync } from "node:fs"
import * as path from "node:path"
import type { Browser, Page } from "playwright-core"
import { browser } from "../tests/views/browser.ts"
import { open } from "../tests/views/tmux.ts"
import { htmlOf } from "./terminalHtml.ts"
import { root } from "./workspace.ts"

const columns = 112
const rows = 24

/** So long the demo runs before the pictures are taken. */
const running = "11 seconds"

const largest = 120_000

const pageOf = (browser: Browser, colorScheme: "light" | "dark", height: number): Effect.Effect<Page> =>
  Effect.promise(() => browser.newPage({ viewport: { width: 1100, height }, colorScheme }))

const save = (name: string, take: (file: string) => Promise<unknown>): Effect.Effect<void> =>
  Effect.promise(async () => {
    const file = path.join(root, "docs", name)
    await take(file)
    const { size } = statSync(file)
    console.log(`docs/${name}: ${(size / 1000).toFixed(0)} kB`)
    if (size > largest) throw new Error(`docs/${name} is larger than ${largest / 1000} kB`)
  })

const pictures = Effect.gen(function*() {
  const chromium = yield* browser
  const terminal = yield* open(columns, rows)
  yield* terminal.type("node_modules/.bin/node examples/demo.ts --dashboard", "Enter")
  yield* terminal.until("in flight")
  const written = (yield* terminal.everything).join("")
  const link = /http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{43}/.exec(written)
  if (link === null) return yield* Effect.die(new Error(`no link in: ${written}`))
  const page = yield* pageOf(chromium, "light", 900)
  yield* Effect.promise(() => page.goto(link[0]))
  yield* Effect.sleep(running)

  const painted = yield* terminal.painted
  const first = painted.findIndex((line) => line.includes("gzip"))
  const shown = yield* pageOf(chromium, "dark", 600)
  yield* Effect.promise(() => shown.setContent(htmlOf(painted.slice(first))))
  yield* save("terminal.png", (file) => shown.locator("pre").screenshot({ path: file }))
  yield* save("page.png", (file) => page.screenshot({ path: file }))
  yield* terminal.type("C-c")
})

await Effect.runPromise(Effect.scoped(pictures))
