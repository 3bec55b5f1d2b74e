import type { PoolSnapshot, PoolState } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { none } from "../../../packages/core/src/internal/views/durations.ts"
import * as format from "../../../packages/core/src/internal/views/format.ts"
import { blockers, type Facts, isAtMaximum, words } from "../../../packages/core/src/internal/views/reason.ts"
import { noTotals } from "../../../packages/core/src/internal/views/snapshots.ts"

const GiB = 2 ** 30

const memory: PoolSnapshot.SignalReading = {
  name: "memory",
  limitRatio: 0.2,
  actualRatio: 0.5,
  isOverloaded: true,
  isStale: false,
  load: 0.906,
  own: 0.8,
  target: 0.9,
  measure: { used: 20.3 * GiB, limit: 22.4 * GiB, unit: "By", of: "cgroup /x" }
}

const facts: Facts = {
  name: "pool",
  policy: "adaptive",
  at: 100_000,
  phase: "Running",
  isPaused: false,
  settings: { minConcurrency: 1, maxConcurrency: 20, desiredConcurrency: 10, maxTasksPerMinute: 120 },
  current: 12,
  desired: 12,
  totals: noTotals,
  durations: none,
  oldestAges: [],
  signals: [memory],
  lastDecision: {
    at: 99_000,
    policy: "adaptive",
    from: 14,
    to: 12,
    desired: 12,
    reason: { summary: "memory would exceed its target with more" },
    loads: {}
  },
  run: undefined,
  share: undefined,
  heldBackKeys: []
}

const since = 88_000

/** Every blocker, with the facts that it is told with. */
const cases: { readonly [Tag in PoolState.Blocker["_tag"]]: readonly [PoolState.Blocker, Facts] } = {
  AtDesired: [{ _tag: "AtDesired" }, facts],
  AtOwnMaximum: [{ _tag: "AtOwnMaximum" }, facts],
  KeysFull: [{ _tag: "KeysFull", key: "a.example", tasks: 9 }, facts],
  HeldForHeavier: [{ _tag: "HeldForHeavier" }, facts],
  Overloaded: [{ _tag: "Overloaded", signals: ["memory"] }, facts],
  StartAllowanceSpent: [{ _tag: "StartAllowanceSpent" }, facts],
  RateLimited: [{ _tag: "RateLimited" }, facts],
  SharedRateLimited: [{ _tag: "SharedRateLimited" }, facts],
  Paused: [{ _tag: "Paused" }, facts],
  NoTaskReady: [{ _tag: "NoTaskReady" }, { ...facts, current: 3 }],
  Delayed: [{ _tag: "Delayed", tasks: 3, next: Date.UTC(2026, 10, 28, 6, 40) }, facts],
  Draining: [{ _tag: "Draining" }, facts],
  Finalizing: [{ _tag: "Finalizing", tasks: 2, oldest: Duration.seconds(31) }, facts]
}

describe("reasons", () => {
  it("of an overload that has outlasted the load say for how much of the time it lasted", () => {
    const calm = { ...memory, load: 0.62, actualRatio: 0.45, limitRatio: 0.2 }
    assert.strictEqual(
      words({ ...facts, signals: [calm] }, { _tag: "Overloaded", signals: ["memory"] }, since),
      "Nothing has started for 12 s because memory is overloaded: memory 20.3 of 22.4 GiB (cgroup /x), 62 % where 90 % " +
        "is the target, overloaded for 45 % of the last seconds where 20 % is allowed. 12 tasks go on; more start when " +
        "the load has fallen."
    )
  })

  it("are one plain sentence each, for every blocker there is", () => {
    assert.sameMembers([...blockers], Object.keys(cases))
    const sentences = Object.fromEntries(
      Object.entries(cases).map(([tag, [blocker, facts]]) => [tag, words(facts, blocker, since)])
    )
    assert.deepStrictEqual(sentences, {
      AtDesired:
        "12 tasks are in flight, as many as the policy \"adaptive\" has wanted for 12 s: memory would exceed its " +
        "target with more. It decides again by itself.",
      AtOwnMaximum: "12 tasks are in flight, for 12 s as many as maxConcurrency (20) allows; raise it to run more.",
      HeldForHeavier:
        "Nothing has started for 12 s because the next task takes more permits than are free; it starts when enough " +
        "of the 12 tasks in flight have ended.",
      KeysFull:
        "Nothing has started for 12 s because every item at hand waits for its key: 9 items for \"a.example\", " +
        "more than for any other. One starts when its key opens.",
      Overloaded:
        "Nothing has started for 12 s because memory is overloaded: memory 20.3 of 22.4 GiB (cgroup /x), 91 % " +
        "where 90 % is the target. 12 tasks go on; more start when the load has fallen.",
      StartAllowanceSpent:
        "Nothing has started for 12 s because the policy \"adaptive\" waits to see what the 12 tasks in " +
        "flight use; it lets more start at its next decision.",
      RateLimited:
        "Tasks start at an even pace, 120 in a minute, because maxTasksPerMinute says so; raise it to start more.",
      SharedRateLimited:
        "Nothing has started for 12 s because the rate that is shared with other pools (rateLimit) has no token; the " +
        "next task starts when it has one.",
      Paused: "The pool has been paused for 12 s; call resume to go on.",
      NoTaskReady: "There has been nothing to start for 12 s; 3 tasks are in flight where 12 are desired, and more " +
        "start as soon as the source has an item.",
      Delayed: "Nothing has started for 12 s: 3 tasks that failed wait for another try, the first until " +
        "2026-11-28T06:40:00.000Z.",
      Draining: "Nothing has started for 12 s because drain was called; the run ends with the 12 tasks in flight.",
      Finalizing:
        "The pool waits for the finalizers of 2 interrupted tasks, the first for 31 s; the option finalizerTimeout " +
        "limits that."
    })
  })

  it("tell until when a pool is held", () => {
    assert.strictEqual(
      words(facts, { _tag: "Paused", until: Date.UTC(2026, 10, 28, 6, 40) }, since),
      "Nothing has started for 12 s, and nothing starts before 2026-11-28T06:40:00.000Z, because pauseFor was called."
    )
    assert.include(words(facts, { _tag: "Paused", until: Infinity }, since), "the end of time")
  })

  it("tell what a run waits for that ends and has no task left", () => {
    const sentence = "The run has been ending for 12 s and waits for its source, or a check, which was asked, and " +
      "interrupted, and has not answered; the option finalizerTimeout limits that."
    const none = { ...facts, current: 0 }
    assert.strictEqual(words(none, { _tag: "Draining" }, since), sentence)
    assert.strictEqual(words(none, { _tag: "Finalizing", tasks: 0, oldest: Duration.zero }, since), sentence)
  })

  it("tell the caller's own maximum from the policy's wish", () => {
    const atMaximum = { ...facts, current: 20, desired: 20 }
    assert.include(words(atMaximum, { _tag: "AtDesired" }, since), "maxConcurrency (20)")
    assert.notInclude(words(facts, { _tag: "AtDesired" }, since), "maxConcurrency")
    assert.strictEqual(
      words({ ...facts, current: 9, share: 9 }, { _tag: "AtDesired" }, since),
      "9 tasks are in flight; all other permits of the shared governor have been in use by other consumers, or owed to " +
        "them, for 12 s. More start when it is this pool's turn."
    )
  })

  it("tell of tasks that take several permits", () => {
    const heavy = { ...facts, current: 4 }
    assert.match(
      words(heavy, { _tag: "AtDesired" }, since),
      /^4 tasks are in flight with all 12 permits, as many as the/
    )
    assert.isFalse(isAtMaximum(heavy))
    const most = { ...heavy, desired: 20 }
    assert.isTrue(isAtMaximum(most))
    assert.match(
      words(most, { _tag: "AtDesired" }, since),
      /^4 tasks are in flight with all 20 permits, for 12 s as many as max/
    )
    assert.isFalse(isAtMaximum({ ...most, share: 5 }))
  })

  it("tell of a shared governor that others hold what a heavy task waits for", () => {
    assert.include(
      words({ ...facts, current: 0, share: 2 }, { _tag: "HeldForHeavier" }, since),
      "it starts when enough of the tasks in flight under the shared governor have ended."
    )
  })

  it("tell why a key is closed", () => {
    const toldOf = (inFlight: number, limit: number) =>
      words(
        { ...facts, heldBackKeys: [{ key: "a.example", parked: 9, inFlight, limit }] },
        { _tag: "KeysFull", key: "a.example", tasks: 9 },
        since
      )
    assert.include(toldOf(2, 2), "which has 2 tasks in flight, as many as it may. One starts")
    assert.include(toldOf(0, 2), "which its rate, or what its service has said, keeps closed. One starts")
    assert.include(toldOf(0, Infinity), "keeps closed")
    const until = Date.UTC(2026, 10, 28, 6, 40)
    assert.include(
      words(facts, { _tag: "KeysFull", key: "a.example", tasks: 9, until }, since),
      "9 items for \"a.example\", more than for any other, which is closed until 2026-11-28T06:40:00.000Z. One starts when"
    )
  })
})

describe("formats", () => {
  it("spans of time", () => {
    const shown = [
      0,
      0.4,
      61,
      999.6,
      1000,
      2449,
      9_949,
      12_300,
      59_499,
      72_000,
      3_599_000,
      3_600_000,
      11_100_000,
      11_140_000
    ]
    assert.deepStrictEqual(shown.map(format.millis), [
      "0 ms",
      "0 ms",
      "61 ms",
      "1 s",
      "1 s",
      "2.4 s",
      "9.9 s",
      "12 s",
      "59 s",
      "1m 12s",
      "59m 59s",
      "1h",
      "3h 5m",
      "3h 6m"
    ])
  })

  it("amounts against their limits", () => {
    const shown = [
      { used: 20.3 * GiB, limit: 22.4 * GiB, unit: "By", of: "cgroup /x" },
      { used: 900 * 2 ** 20, limit: 2 * GiB, unit: "By", of: "V8 heap" },
      { used: 0, limit: 512 * 2 ** 20, unit: "By", of: "machine" },
      { used: 1.42, limit: 2, unit: "{cpu}", of: "quota of /x" },
      { used: 61.3, limit: 50, unit: "ms", of: "event loop" },
      { used: 55, limit: 60, unit: "{process}", of: "pids.max of /x" },
      { used: NaN, limit: 2 * GiB, unit: "By", of: "my signal" },
      { used: -1, limit: Infinity, unit: "By", of: "my signal" },
      { used: Infinity, limit: Infinity, unit: "By", of: "my signal" },
      { used: NaN, limit: Infinity, unit: "ms", of: "my signal" }
    ]
    assert.deepStrictEqual(shown.map(format.measure), [
      "20.3 of 22.4 GiB (cgroup /x)",
      "900 MiB of 2 GiB (V8 heap)",
      "0 B of 512 MiB (machine)",
      "1.4 of 2 CPUs (quota of /x)",
      "61.3 of 50 ms (event loop)",
      "55 of 60 process (pids.max of /x)",
      "unknown of 2 GiB (my signal)",
      "0 B of unlimited (my signal)",
      "unlimited of unlimited (my signal)",
      "unknown of unlimited ms (my signal)"
    ])
  })
})
