/**
 * What must hold on every runtime: a pool runs its tasks within its bounds, a failure ends a run with its own error, and
 * the event loop's load shows that the loop is blocked. Ends with 1 and says why if it does not hold.
 */
import { AutoscaledPool, ScalingPolicy, SystemStatus } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect, Logger } from "effect"

const problems: Array<string> = []
const expect = (holds: boolean, problem: string): void => {
  if (!holds) problems.push(problem)
}

const options = { concurrencySettings: { maxConcurrency: 8 }, policy: ScalingPolicy.adaptive() }

const ordered = Effect.gen(function*() {
  let inFlight = 0
  let peak = 0
  const results = yield* AutoscaledPool.forEach(
    Array.from({ length: 200 }, (_, n) => n),
    (n) =>
      Effect.gen(function*() {
        peak = Math.max(peak, ++inFlight)
        yield* Effect.sleep("5 millis")
        inFlight--
        return n * 2
      }),
    options
  )
  expect(results.length === 200 && results.every((result, n) => result === n * 2), "results are not in order")
  expect(peak >= 1 && peak <= 8, `${peak} tasks at once, of 8 at most`)
})

const failing = Effect.gen(function*() {
  const error = yield* Effect.flip(
    AutoscaledPool.forEach([1, 2, 3], (n) => n === 2 ? Effect.fail("two" as const) : Effect.never, options)
  )
  expect(error === "two", `the run failed with ${String(error)}`)
})

const block = Effect.gen(function*() {
  const end = performance.now() + 150
  while (performance.now() < end);
  yield* Effect.sleep("8 millis")
})

const signals = Effect.gen(function*() {
  const current = SystemStatus.SystemStatus.use((status) => status.current)
  // Signals rest while no pool runs: tasks read them.
  const during = (tasks: Effect.Effect<unknown>) =>
    Effect.map(
      AutoscaledPool.forEach([0], () => Effect.andThen(tasks, current), options),
      ([{ signals }]) => signals
    )
  const calm = yield* during(Effect.sleep("1500 millis"))
  for (const [name, { isStale, load }] of Object.entries(calm)) {
    expect(!isStale && load >= 0 && load <= 1, `${name} reports ${load}${isStale ? ", stale" : ""}`)
  }
  const blocked = yield* during(Effect.replicateEffect(block, 15, { discard: true }))
  expect(blocked.eventLoop.load > 0.4, `eventLoop reports ${blocked.eventLoop.load} while the loop is blocked`)
  console.log(
    `  eventLoop: ${calm.eventLoop.load.toFixed(2)} calm, ${blocked.eventLoop.load.toFixed(2)} blocked; ` +
      Object.entries(calm).map(([name, { load }]) => `${name} ${load.toFixed(2)}`).join(", ")
  )
})

await Effect.runPromise(
  Effect.all([ordered, failing, signals], { discard: true }).pipe(Effect.provide(NodeSystemStatus.layer())).pipe(
    Effect.provide(Logger.layer([]))
  )
)
for (const problem of problems) console.error(`  ${problem}`)
process.exit(problems.length > 0 ? 1 : 0)
