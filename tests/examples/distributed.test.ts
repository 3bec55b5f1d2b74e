import { assert, describe, it } from "@effect/vitest"
import type { Entry } from "../../examples/distributed/ledger.ts"
import { linesOf, verdictOf } from "../../examples/distributed/verdict.ts"
import { runExample } from "./process.ts"

const entry = (at: number, worker: string, job: number, attempt: number, event: Entry["event"]): Entry => ({
  at,
  worker,
  job,
  attempt,
  event
})

const kill = { worker: "b", signal: "SIGKILL", at: 100 } as const

describe("the verdict on a ledger", () => {
  it("finds jobs that were lost, and jobs that were done twice for no reason", () => {
    const entries = [
      entry(10, "a", 0, 1, "started"),
      entry(20, "a", 0, 1, "done"),
      entry(30, "c", 0, 1, "started"),
      entry(40, "c", 0, 1, "done"),
      entry(50, "b", 1, 1, "started")
    ]
    const verdict = verdictOf(entries, 3, [kill])
    assert.deepStrictEqual(verdict.missing, [1, 2])
    assert.deepStrictEqual([verdict.doubled, verdict.unexplained], [[0], [0]])
    assert.deepStrictEqual(linesOf(verdict), [
      "3 jobs, of which 2 were LOST: 1, 2",
      "  1 of those for no reason that the ledger tells",
      "  worker a did 1 job, up to 1 at once",
      "  worker b did 0 jobs, up to 1 at once",
      "  worker c did 1 job, up to 1 at once",
      "  worker b got SIGKILL with 1 job in hand"
    ])
  })

  it("tells why jobs were done twice", () => {
    const stop = { worker: "a", signal: "SIGSTOP", at: 100, until: 4600 } as const
    const entries = [
      // In hand of a worker that was stopped.
      entry(90, "a", 0, 1, "started"),
      entry(3200, "c", 0, 2, "done"),
      entry(4600, "a", 0, 1, "done"),
      // Leased to it, and begun when it went on.
      entry(3100, "c", 1, 2, "done"),
      entry(4600, "a", 1, 1, "started"),
      entry(4700, "a", 1, 1, "done"),
      // Done, and its worker killed before the queue knew.
      entry(80, "b", 2, 1, "started"),
      entry(99, "b", 2, 1, "done"),
      entry(3200, "c", 2, 2, "done"),
      // Done and acknowledged before its worker was killed, which is no reason.
      entry(80, "b", 3, 1, "started"),
      entry(90, "b", 3, 1, "done"),
      entry(95, "b", 3, 1, "acknowledged"),
      entry(3200, "c", 3, 2, "done"),
      // In hand of a worker that was stopped and did not do it, and done by two others.
      entry(90, "a", 4, 1, "started"),
      entry(3100, "c", 4, 2, "started"),
      entry(3200, "c", 4, 2, "done"),
      entry(3300, "d", 4, 3, "done"),
      // In hand twice of a worker that was stopped twice, whose acknowledgements came too late to count.
      entry(90, "a", 5, 1, "started"),
      entry(4600, "a", 5, 1, "done"),
      entry(4610, "a", 5, 1, "acknowledged"),
      entry(5000, "a", 5, 2, "started"),
      entry(8500, "c", 5, 3, "started"),
      entry(8600, "c", 5, 3, "done"),
      entry(9600, "a", 5, 2, "done")
    ].toSorted((a, b) => a.at - b.at)
    const verdict = verdictOf(entries, 6, [kill, stop, { ...stop, at: 5100, until: 9600 }])
    assert.deepStrictEqual([verdict.doubled, verdict.unexplained], [[0, 1, 2, 3, 4, 5], [3, 4]])
    assert.deepStrictEqual([...verdict.causes], [["in hand", 2], ["claimed", 1], ["unacknowledged", 1]])
    assert.deepStrictEqual(linesOf(verdict).slice(0, 5), [
      "6 jobs, each of them done: 0 once, 6 more than once",
      "  2 of those were in hand of a worker that ended or was stopped",
      "  1 of those was leased to a worker that was stopped, and not begun",
      "  1 of those was done by a worker that ended before it could say so",
      "  2 of those for no reason that the ledger tells"
    ])
  })

  it("tells how long what a worker had in hand waited, and whether it cost an attempt", () => {
    const entries = [
      entry(10, "b", 0, 1, "started"),
      entry(90, "b", 0, 1, "done"),
      entry(95, "b", 1, 1, "started"),
      entry(96, "b", 2, 1, "started"),
      entry(3100, "a", 1, 2, "started"),
      entry(3200, "a", 2, 2, "started"),
      entry(3300, "a", 1, 2, "done"),
      entry(3300, "a", 2, 2, "done")
    ]
    const verdict = verdictOf(entries, 3, [kill])
    assert.deepStrictEqual([verdict.missing, verdict.doubled], [[], []])
    assert.deepStrictEqual(verdict.handedOver, [{ ...kill, jobs: 2, waits: [3000, 3100], attemptsCounted: 2 }])
    assert.deepStrictEqual([...verdict.peaks], [["b", 2], ["a", 2]])
  })
})

it("real process: of the jobs of three workers, one killed and one told to end, none is lost", async () => {
  const { code, stderr, stdout } = await runExample("distributed/main.ts", ["--jobs", "300"])
  assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  assert.match(stdout, /^300 jobs, each of them done: \d+ once, \d+ more than once$/m)
  assert.match(stdout, /^ {2}worker b got SIGKILL with \d+ jobs? in hand(: others took them after \d\.\d\d s.*)?$/m)
  assert.match(
    stdout,
    /^ {2}worker c got SIGTERM with \d+ jobs? in hand(: others took them after .*, no attempt counted)?$/m
  )
})
