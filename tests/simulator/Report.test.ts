import { Comparison, Contestants, ReferenceWorkloads, Report, Workload } from "@autoscaled-pool/simulator"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"

const hostile = Workload.make({
  name: `<script>alert("x")</script> & co`,
  summary: "a </script> in a summary",
  arrivals: [{ perSecond: 5, lasting: "1 minute" }],
  task: () => ({ stages: [Workload.wait(100)] })
})

const runs = Effect.runSync(Effect.cached(
  Stream.runCollect(Comparison.run({
    contestants: [Option.getOrThrow(Contestants.byName("stepRatio")), Contestants.fixed(200)],
    workloads: [ReferenceWorkloads.memory, ReferenceWorkloads.step, hostile],
    seeds: [1, 2],
    duration: "6 minutes"
  }))
))

describe("Report", () => {
  it.effect("table: a row for each policy on each workload, and one for each policy over all", () =>
    Effect.gen(function*() {
      const [first, second] = Report.table(yield* runs).split("\n\n")
      const rows = first.split("\n").slice(1).map((row) => row.trim().split(/\s{2,}/))
      assert.deepStrictEqual(rows.map(([workload, policy]) => [workload, policy]), [
        ["mem", "stepRatio"],
        ["mem", "fixed200"],
        ["step", "stepRatio"],
        ["step", "fixed200"],
        [hostile.name, "stepRatio"],
        [hostile.name, "fixed200"]
      ])
      const [, fixedOnMemory] = rows
      assert.strictEqual(fixedOnMemory[2], "0.00")
      assert.isAbove(Number(fixedOnMemory[6]), 10)
      assert.match(second, /^all workloads .*\nstepRatio .*\nfixed200 /)
    }))

  it.effect("html: a page that needs nothing but itself", () =>
    Effect.gen(function*() {
      const page = Report.html(yield* runs, { title: "A <title>", chosen: "fixed200" })
      assert.include(page, "<title>A &lt;title&gt;</title>")
      assert.notMatch(page, /(src|href)="(?!#)|@import|url\((?!#)/)
      assert.strictEqual(page.match(/<section id=/g)?.length, 3)
      assert.strictEqual(page.match(/<svg /g)?.length, 3)
      for (const [picture] of page.matchAll(/<svg .*?<\/svg>/gs)) assert.notMatch(picture, /NaN|undefined|Infinity/)
      const data = JSON.parse(/id="data">(.*?)<\/script>/.exec(page)?.[1] ?? "")
      assert.strictEqual(data.chosen, 1)
      const run = data.pictures.w0.runs[0]
      assert.strictEqual(run.policy, "stepRatio")
      assert.isAtLeast(run.inFlight.length, 400)
      assert.sameMembers(Object.keys(run.lanes), ["cpu", "memory", "eventLoop", "client", "waiting"])
      assert.match(run.reasons[0][1], /^10 → 11: no signal was overloaded and 10 of 10 were in flight/)
    }))

  it.effect("html: names are text, whatever they hold", () =>
    Effect.gen(function*() {
      const page = Report.html(yield* runs)
      assert.strictEqual(page.match(/<script/g)?.length, 2)
      assert.strictEqual(page.match(/<\/script/g)?.length, 2)
      assert.include(page, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co")
    }))
})
