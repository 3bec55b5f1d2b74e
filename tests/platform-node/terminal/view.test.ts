import { assert, describe, it } from "@effect/vitest"
import { History } from "../../../packages/platform-node/src/internal/terminal/history.ts"
import { clip, lineWidth, pad, width, wrap } from "../../../packages/platform-node/src/internal/terminal/text.ts"
import { render, summary } from "../../../packages/platform-node/src/internal/terminal/view.ts"
import { snapshot } from "./pool.ts"

const shown = (history: History, columns = 100, rows = 40): ReadonlyArray<string> =>
  render([history], columns, rows).map((line) => line.map(({ text }) => text).join("").trimEnd())

const busy = () => {
  const history = new History(snapshot())
  for (let second = 1; second <= 20; second++) {
    history.record(snapshot({
      at: second * 1000,
      current: Math.min(16, second),
      durations: {
        bounds: [100, 200, 500, 1000],
        counts: [0, 9 * second, second, 0, 0],
        count: 10 * second,
        sum: 0,
        max: 480
      },
      run: { startedAt: 0, started: 10 * second + 12, ended: 10 * second, total: 400 },
      holding: {
        blocker: { _tag: "Overloaded", signals: ["memory"] },
        since: 12_000,
        isAtMaximum: false,
        words:
          "Nothing has started for 8 s because memory is overloaded: memory 20.3 of 22.4 GiB (cgroup /x), 91 % where " +
          "90 % is the target. 16 tasks go on; more start when the load has fallen."
      }
    }))
  }
  return history
}

describe("the terminal view", () => {
  it("shows progress and time left, concurrency over the last minute, loads in their units, durations and the reason", () => {
    assert.deepStrictEqual(shown(busy()), [
      "crawl      ███████████████░░░░░░░░░░░░░░░ 50 %  200 of 400  10/s  20 s left",
      "in flight  16 of 16 desired, 64 at most, by adaptive                     ▆▂▃▄▅▅▆▇███",
      "memory     ██████████████▌░ 91 %  of 90 %  overloaded  20.3 of 22.4 GiB (cgroup /x)",
      "tasks      p50 156 ms  p95 340 ms  oldest 12 s",
      "now        Nothing has started for 8 s because memory is overloaded: memory 20.3 of 22.4 GiB (cgroup",
      "           /x), 91 % where 90 % is the target. 16 tasks go on; more start when the load has fallen."
    ])
  })

  it("is never wider nor higher than it may be, whatever the terminal", () => {
    for (const columns of [1, 2, 10, 20, 40, 79, 200]) {
      for (const rows of [1, 2, 3, 5, 12]) {
        for (const pools of [1, 2, 7]) {
          const lines = render(Array.from({ length: pools }, busy), columns, rows)
          assert.isAtMost(lines.length, rows, `${pools} pools in ${rows} rows`)
          for (const line of lines) assert.isAtMost(lineWidth(line), columns)
        }
      }
    }
  })

  it("shows the share of a budget, and the keys that items wait for, where there are some", () => {
    const lines = shown(
      new History(snapshot({
        share: 4,
        heldBackKeys: [{ key: "a.example", parked: 12, inFlight: 2, limit: 2 }, {
          key: "b",
          parked: 1,
          inFlight: 0,
          limit: 5
        }]
      }))
    )
    assert.include(lines[1], "by adaptive, share 4")
    assert.include(lines, "held back  a.example 12 (2 of 2)  b 1 (0 of 5)")
  })

  it("has no bar where the total is not known", () => {
    const history = new History(snapshot({ run: { startedAt: 0, started: 5, ended: 3, total: undefined } }))
    assert.strictEqual(shown(history)[0], "crawl      3 done  0.0/s")
  })

  it("shows a run of nothing as done", () => {
    const history = new History(snapshot({ run: { startedAt: 0, started: 0, ended: 0, total: 0 } }))
    assert.match(shown(history)[0], /^crawl {6}█+ 100 % {2}0 of 0 /)
  })

  it("gives the reason three lines at most", () => {
    const lines = shown(busy(), 40)
    const from = lines.findIndex((line) => line.startsWith("now"))
    assert.strictEqual(lines.length - from, 3)
  })

  it("says where a signal does not report", () => {
    const [memory] = snapshot().signals
    const stale = { ...memory, isStale: true, isOverloaded: false, measure: undefined }
    assert.include(shown(new History(snapshot({ signals: [stale] })))[2], "does not report")
  })

  it("has a line for where nothing can be drawn over", () => {
    assert.strictEqual(
      summary(busy()).slice(0, 88),
      "crawl: 200 of 400 done, 10.0/s, 16 of 16 in flight. Nothing has started for 8 s because "
    )
  })
})

describe("text", () => {
  it("is clipped by the columns that it takes, wide characters and all", () => {
    const clipped = (text: string, columns: number) => clip([{ text }], columns).map(({ text }) => text).join("")
    assert.strictEqual(clipped("abcdef", 6), "abcdef")
    assert.strictEqual(clipped("abcdef", 5), "abcd…")
    assert.strictEqual(clipped("宽字符", 6), "宽字符")
    assert.strictEqual(clipped("宽字符", 5), "宽字…")
    assert.strictEqual(clipped("宽字符", 4), "宽…")
    assert.strictEqual(clipped("👨‍👩‍👧x", 2), "…")
    assert.strictEqual(clipped("e\u0301e\u0301", 2), "e\u0301e\u0301")
    assert.strictEqual(clipped("abc", 0), "")
  })

  it("keeps control characters out, which would move the cursor", () => {
    assert.strictEqual(clip([{ text: "a\nb\x1b[2Jc\t" }], 20).map(({ text }) => text).join(""), "a b [2Jc ")
  })

  it("is wrapped at spaces and padded by columns", () => {
    assert.deepStrictEqual(wrap("one two three", 7), ["one two", "three"])
    assert.deepStrictEqual(wrap("unbreakable", 4), ["unbreakable"])
    assert.strictEqual(width(pad("宽", 4)), 4)
  })
})
