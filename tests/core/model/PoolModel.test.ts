/**
 * The pool against its reference model, under random programs.
 *
 * A failure prints the smallest program that fails, as a literal for `PoolRegressions.ts`. To look further than a run of
 * the tests does: `PROGRAMS=50000 SEED=7 vitest run tests/core/model`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mutants } from "./PoolMutants.ts"
import { print } from "./PoolProgram.ts"
import { check, replay } from "./PoolProperty.ts"
import { regressions } from "./PoolRegressions.ts"

const programs = Number(process.env["PROGRAMS"] ?? 2_000)
const seed = Number(process.env["SEED"] ?? 1)

/** Enough time for as many programs as were asked for. */
const timeout = 30_000 + 20 * programs

/** What a good set of random programs has examples of. */
const wanted = [
  ["from checks", "from iterable", "from queue", "from pull", "from lease"],
  ["law stepRatio", "law script", "decision seen", "desired changed", "overloaded", "stale", "idle"],
  [
    "configure",
    "refused change",
    "pause",
    "resume",
    "notify",
    "abort",
    "drain",
    "pauseFor",
    "interrupt",
    "add",
    "close",
    "break"
  ],
  ["AtDesired", "Overloaded", "StartAllowanceSpent", "RateLimited", "Paused", "NoTaskReady"],
  [
    "tasks side by side",
    "Ending",
    "Draining",
    "Finalizing",
    "second run",
    "third run",
    "already running",
    "given back and started again"
  ],
  [
    "finished",
    "aborted",
    "aborted with tasks in flight",
    "drained",
    "interrupted",
    "abandoned",
    "task failed the run",
    "task died"
  ],
  ["timeout failed the run", "timeout absorbed", "onTaskTimeout failed the run"],
  ["question failed the run", "isFinished failed the run", "source failed the run"]
].flat()

// Every program brings a test clock of its own: `it.live` adds none around it.
describe("PoolModel", () => {
  it.live(`the pool does what the model permits, in ${programs} random programs`, () =>
    Effect.gen(function*() {
      const { message, result, tally } = yield* check({ programs, seed })
      assert.strictEqual(result, "Passed", message)
      const rare = wanted.filter((label) => (tally.get(label) ?? 0) < programs / 200)
      assert.deepStrictEqual(rare, [], "the programs show too little of what they are for")
      assert.isBelow(tally.get("unknown") ?? 0, programs / 100, "the programs leave too much open")
    }), timeout)

  for (const budget of ["Governor", "GovernorOfTwo", "GovernorBesideBusy"] as const) {
    const fewer = Math.ceil(programs / 4)
    it.live(`so does one under a governor (${budget}), in ${fewer} random programs`, () =>
      Effect.gen(function*() {
        const { message, result } = yield* check({ programs: fewer, seed, budget })
        assert.strictEqual(result, "Passed", message)
      }), timeout)
  }

  for (const [name, wrap] of Object.entries(mutants)) {
    it.live(`a pool that ${name} is found out by a small program`, () =>
      Effect.gen(function*() {
        const { message, smallest } = yield* check({ programs: 2_000, seed: 1, wrap })
        assert.isDefined(smallest, "no program found it out")
        assert.isAtMost(smallest.steps.length, 4, message)
        assert.isAtMost(smallest.tasks.length, 2, message)
        assert.isTrue(message.startsWith(print(smallest)))
        // The literal alone is enough to see it again, and it is the pool that is wrong and not the program.
        assert.strictEqual(yield* replay(smallest), "right")
        assert.notStrictEqual(yield* replay(smallest, wrap), "right")
      }))
  }

  for (const [name, program] of Object.entries(regressions)) {
    it.live(`no longer ${name}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* replay(program), "right")
      }))
  }
})
