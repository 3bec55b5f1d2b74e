import { assert, describe, it } from "@effect/vitest"
import { filesBelow } from "../../scripts/workspace.ts"
import { runExample } from "./process.ts"

const outputs: Readonly<Record<string, string>> = {
  "abort.ts": [
    "interrupted: true, 0 tasks left open",
    "from outside: Aborted, 0 tasks left open",
    "from inside: Aborted, 0 tasks left open"
  ].join("\n"),
  "customSignal.ts": [
    "30 rows; signals: cpu, memory, eventLoop, client, database",
    "held back by an overload: true"
  ].join("\n"),
  "queue.ts": "50 orders, 1275 in total",
  "rateLimit.ts": "60 pages, the last is page 59; refusals met: true",
  "service.ts": "Finished: 20 letters delivered"
}

/** What a program prints besides the log of its pools. */
const withoutLog = (text: string): string => text.replaceAll(/^\[[\d:.]+\] INFO .* \{ pool: '\w+' \}\n/gm, "")

describe.concurrent("real process: an example says what it should and ends by itself", () => {
  for (const [file, output] of Object.entries(outputs)) {
    it(file, async ({ expect }) => {
      const { code, stderr, stdout } = await runExample(file)
      expect({ code, stdout: withoutLog(stdout), stderr }).toEqual({ code: 0, stdout: `${output}\n`, stderr: "" })
    })
  }
})

it("every example is run", () => {
  const files = filesBelow("examples").filter((file) => /^examples\/[^/]+\.ts$/.test(file))
  assert.sameMembers(
    files,
    [...Object.keys(outputs), "crawl.ts", "demo.ts", "drain.ts"].map((file) => `examples/${file}`)
  )
})
