/**
 * What the parts that a program may add to a pool cost, in nanoseconds per task.
 */
import { AutoscaledPool, ScalingPolicy, SystemStatus, TaskSource } from "@autoscaled-pool/core"
import { Duration, Effect, ManagedRuntime } from "effect"
import { upTo } from "./contenders.ts"
import { interleave } from "./measure.ts"
import type { Question } from "./question.ts"
import { immediate } from "./tasks.ts"

const concurrency = 100

interface Variant {
  readonly name: string
  readonly options?: Extract<AutoscaledPool.PoolOptions<number>, { readonly governor?: undefined }>
  readonly task?: Effect.Effect<unknown, unknown>
}

/** Looks at everything it is shown, and leaves the concurrency alone. */
const observant: ScalingPolicy.ScalingPolicy<number> = {
  name: "observant",
  every: Duration.millis(500),
  initial: () => 0,
  decide: (seen, { completions, desired, fresh, inFlightAges }) => {
    const oldest = inFlightAges.reduce((oldest, age) => Math.max(oldest, age), 0)
    const summary = `${seen} tasks, ${fresh.meanDuration} ms, at most ${oldest} ms`
    return [{ desired, reason: { summary } }, seen + completions.count]
  }
}

/** What a policy may choose from where it is to decide and to change nothing. */
const fixed = { minConcurrency: concurrency }

const plain: Variant = { name: "fromSource alone" }
const taskTimeout: Variant = { name: "taskTimeout", options: { taskTimeout: "1 minute" } }
const variants: ReadonlyArray<Variant> = [
  plain,
  taskTimeout,
  { name: "Effect.timeout instead", task: Effect.timeout(immediate.effect, "1 minute") },
  { name: "taskSpan", options: { taskSpan: "task" } },
  { name: "Effect.withSpan instead", task: Effect.withSpan(immediate.effect, "task") },
  { name: "a policy that observes every 500 ms", options: { policy: observant } },
  { name: "ScalingPolicy.adaptive", options: { policy: ScalingPolicy.adaptive(), concurrencySettings: fixed } },
  { name: "maxTasksPerMinute", options: { concurrencySettings: { maxTasksPerMinute: 1e12 } } }
]

export const extras: Question = {
  key: "extras",
  title: "What does that which is optional cost?",
  ask: async (effort) => {
    const rounds = effort === "Quick" ? { tasks: 2000, rounds: 1 } : { tasks: 100_000, rounds: 11 }
    const system = ManagedRuntime.make(SystemStatus.layer({ signals: [] }))
    const laps = await interleave(
      variants.map((variant) => ({ name: variant.name, run: (tasks) => system.runPromise(run(variant, tasks)) })),
      rounds
    )
    await system.dispose()
    const nanos = ({ name }: Variant) => (laps.get(name)?.wall ?? NaN) * 1e6 / rounds.tasks
    return {
      notes: [`Nanoseconds per task, fromSource, setImmediate tasks at ${concurrency}; medians.`],
      tables: [{
        title: `${rounds.tasks.toLocaleString("en")} tasks`,
        columns: ["", "ns per task", "added"],
        rows: variants.map((variant) => [
          variant.name,
          nanos(variant).toFixed(0),
          variant === plain ? "" : (nanos(variant) - nanos(plain)).toFixed(0)
        ])
      }],
      goals: [{
        what: "a time limit on every task adds",
        bound: "<=",
        limit: 300,
        unit: "ns",
        value: nanos(taskTimeout) - nanos(plain)
      }]
    }
  }
}

const run = ({ options, task = immediate.effect }: Variant, tasks: number) =>
  Effect.flatMap(
    AutoscaledPool.fromSource(TaskSource.fromIterable(upTo(tasks)), () => task, {
      ...options,
      concurrencySettings: {
        maxConcurrency: concurrency,
        desiredConcurrency: concurrency,
        ...options?.concurrencySettings
      }
    }),
    (pool) => pool.run
  )
