import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { runExample } from "./process.ts"

let temporary: string
const folder = (name: string): string => {
  const created = path.join(temporary, name)
  fs.mkdirSync(created)
  return created
}

beforeAll(() => {
  temporary = fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-demo-"))
})
afterAll(() => fs.rmSync(temporary, { recursive: true }))

const run = (...args: ReadonlyArray<string>) => runExample("demo.ts", args)

describe.concurrent("real process: the demo", () => {
  it("gzips and hashes every file once, links left out, and reports what it did", async () => {
    const files = folder("files")
    for (let n = 0; n < 30; n++) fs.writeFileSync(path.join(files, `${n}.txt`), `${n % 10}`.repeat(100_000))
    fs.mkdirSync(path.join(files, "below"))
    fs.writeFileSync(path.join(files, "below", "empty.txt"), "")
    fs.writeFileSync(path.join(files, "below", "of-three-pieces.bin"), Buffer.alloc(2_500_000, "ab"))
    fs.symlinkSync(files, path.join(files, "loop"))
    fs.symlinkSync(path.join(files, "1.txt"), path.join(files, "link.txt"))

    const { code, stdout } = await run("--dir", files)
    assert.strictEqual(code, 0)
    assert.match(stdout, /^Finished: 32 files in \d+\.\d s$/m)
    assert.match(stdout, /^ {2}bytes in +5\.5 MB, /m)
    assert.match(stdout, /^ {2}bytes out +0\.0 MB gzipped \(0 %\)$/m)
    assert.match(stdout, /^ {2}contents +12 distinct/m)
    assert.match(stdout, /^ {2}concurrency +mean \d+\.\d, peak \d+$/m)
    assert.match(stdout, /^ {2}interrupted +0 tasks; files left open: 0$/m)
    assert.match(stdout, /^Nothing started, as a share of the time:$/m)
  })

  it("--policy chooses another law", async () => {
    const files = folder("policy")
    for (let n = 0; n < 20; n++) fs.writeFileSync(path.join(files, `${n}.txt`), "a".repeat(100_000))
    const { code, stdout } = await run("--dir", files, "--policy", "vegas")
    assert.strictEqual(code, 0)
    assert.match(stdout, /^Finished: 20 files in /)
  })

  it("--dashboard prints a link to a page, which stays after the run until Ctrl-C", async () => {
    const files = folder("dashboard")
    fs.writeFileSync(path.join(files, "1.txt"), "a".repeat(100_000))
    let page: Promise<string> | undefined
    const { code } = await runExample("demo.ts", ["--dir", files, "--dashboard"], (output, child) => {
      const link = /Dashboard: (http:\S+)/.exec(output)
      if (page !== undefined || link === null || !output.includes("stays until Ctrl-C")) return
      page = fetch(link[1]).then((answer) => answer.text()).finally(() => child.kill("SIGINT"))
    })
    assert.strictEqual(code, 130)
    assert.include(await page, "<html")
  })

  it("has something to say of an empty folder", async () => {
    const { code, stdout } = await run("--dir", folder("empty"))
    assert.strictEqual(code, 0)
    assert.match(stdout, /^Finished: 0 files in /)
  })

  it("keeps within the bounds it is given", async () => {
    const bounded = folder("bounded")
    for (let n = 0; n < 40; n++) fs.writeFileSync(path.join(bounded, `${n}.txt`), "a".repeat(200_000))
    const { stdout } = await run("--dir", bounded, "--min", "2", "--desired", "3", "--max", "3")
    const peak = Number(/peak (\d+)/.exec(stdout)?.[1])
    assert.isAtLeast(peak, 2)
    assert.isAtMost(peak, 3)
  })

  it("--fail-at: the typed error is printed, what was open is closed, exit code 1", async () => {
    const failing = folder("failing")
    for (let n = 0; n < 10; n++) fs.writeFileSync(path.join(failing, `${n}.txt`), "a".repeat(100_000))
    const { code, stderr, stdout } = await run("--dir", failing, "--fail-at", "5")
    assert.strictEqual(code, 1)
    assert.match(stderr, /^DeliberateFailure: task 5 \(.+\.txt\) failed on purpose\n$/)
    assert.match(stdout, /^Failed: \d files were done; files left open: 0$/m)
    assert.notInclude(stdout, "Finished")
  })

  for (
    const [what, args, line] of [
      ["an unknown flag", ["--wrong"], /^Unrecognized flag: --wrong .*\n$/],
      ["a folder that is not there", ["--dir", "/not/there"], /^.*--dir.*Path does not exist: \/not\/there.*\n$/],
      ["a policy that there is not", ["--policy", "magic"], /^.*--policy.*"adaptive".*\n$/],
      ["an invalid task to fail at", ["--fail-at", "0"], /^.*--fail-at.*at least 1.*\n$/],
      ["bounds that contradict each other", ["--min", "9", "--max", "3"], /^InvalidOptionsError: .*maxConcurrency.*\n$/]
    ] as const
  ) {
    it(`${what} gets one clear line and exit code 1`, async () => {
      const { code, stderr, stdout } = await run(...args)
      assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: "" })
      assert.match(stderr, line)
    })
  }

  it("Ctrl-C: tasks are interrupted, their files closed, the report says Aborted, exit code 130", async () => {
    const slow = folder("slow")
    // Takes no space, and much longer to compress than the signal takes to come.
    for (const name of ["a", "b", "c"]) {
      fs.writeFileSync(path.join(slow, name), "")
      fs.truncateSync(path.join(slow, name), 2 ** 36)
    }
    let isSent = false
    const { code, stderr, stdout } = await runExample("demo.ts", ["--dir", slow], (output, child) => {
      if (isSent || !output.includes("in flight")) return
      isSent = true
      child.kill("SIGINT")
    })
    assert.strictEqual(code, 130)
    // Elsewhere than in a terminal the view is plain lines on standard error.
    assert.match(stderr, /^gzip: 0 of 3 done, 0\.0\/s, \d of \d+ in flight\. .*\n$/)
    assert.match(stdout, /^Aborted: 0 of 3 files in /m)
    assert.match(stdout, /^ {2}interrupted +[1-9]\d* tasks; files left open: 0$/m)
  })
})
