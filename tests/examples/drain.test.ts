import { assert, describe, it } from "@effect/vitest"
import { runExample } from "./process.ts"

/** Runs the example and sends it signals, the first when it works and the second a little later. */
const sent = (millis: number, ...signals: ReadonlyArray<NodeJS.Signals>) => {
  let isSent = false
  return runExample("drain.ts", [`${millis}`], (stdout, child) => {
    if (isSent || !stdout.includes("working")) return
    isSent = true
    signals.forEach((signal, index) => setTimeout(() => child.kill(signal), 500 * index))
  })
}

describe.concurrent("real process: a worker that is told to end", () => {
  it("lets its jobs end at SIGTERM, says so, and succeeds", async () => {
    const { code, stderr, stdout } = await sent(1_000, "SIGTERM")
    assert.strictEqual(stdout, "working\nDrained, 0 jobs cut short\n")
    assert.include(stderr, "SIGTERM: nothing more starts")
    assert.strictEqual(code, 0)
  })

  it("interrupts them at a second signal", async () => {
    const { code, stderr, stdout } = await sent(3_600_000, "SIGINT", "SIGTERM")
    assert.match(stdout, /^working\nAborted, [1-4] jobs cut short\n$/)
    assert.include(stderr, "A second signal, SIGTERM")
    assert.strictEqual(code, 0)
  })
})
