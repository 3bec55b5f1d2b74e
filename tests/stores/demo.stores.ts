/**
 * `npm run demo:distributed` over servers: it proves from its ledger that no job was lost.
 */
import { assert, describe, it } from "@effect/vitest"
import { runExample } from "../examples/process.ts"
import { servers, titleOf } from "./servers.ts"

for (const kind of servers()) {
  describe.skipIf(kind.missing !== undefined)(titleOf(kind), () => {
    it("of the jobs of three workers, one killed and one told to end, none is lost", async () => {
      const { url } = await kind.start()
      const flag = `--${kind.name.toLowerCase()}`
      const { code, stderr, stdout } = await runExample("distributed/main.ts", ["--jobs", "150", flag, url])
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      assert.match(stdout, /^150 jobs in 127\.0\.0\.1:\d+, three workers$/m)
      assert.match(stdout, /^150 jobs, each of them done: \d+ once, \d+ more than once$/m)
      assert.match(stdout, /^ {2}worker b got SIGKILL with \d+ jobs? in hand/m)
      assert.match(stdout, /^ {2}worker c got SIGTERM with \d+ jobs? in hand/m)
    })
  })
}
