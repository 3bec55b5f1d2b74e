/**
 * Runs 200 tasks that each start a process for 300 milliseconds: with `stepRatio` or `adaptive` in a pool of that policy,
 * with `fixed` 100 at once whatever happens. Tells how many could not start their process.
 */
import { AutoscaledPool, ScalingPolicy } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { tell } from "./group.ts"

let finished = 0
let refused = 0
let inFlight = 0
let peak = 0

const task = Effect.callback<void>((resume) => {
  peak = Math.max(peak, ++inFlight)
  const child = spawn("sleep", ["0.3"], { stdio: "ignore" })
  child.once("error", () => {
    refused++
    inFlight--
    resume(Effect.void)
  })
  child.once("exit", () => {
    finished++
    inFlight--
    resume(Effect.void)
  })
})

// Whatever else runs on the machine must not slow this program down.
const processesAlone = NodeSystemStatus.layer({ cpu: false, memory: false, eventLoop: false, client: false })

const tasks = Array.from({ length: 200 }, (_, index) => index)

const pooled = (policy: ScalingPolicy.ScalingPolicy) =>
  AutoscaledPool.forEach(tasks, () => task, {
    concurrencySettings: { desiredConcurrency: 10, maxConcurrency: 100 },
    loggingInterval: null,
    policy,
    discard: true
  }).pipe(Effect.provide(processesAlone))

const fixed = Effect.forEach(tasks, () => task, { concurrency: 100, discard: true })

const ways = {
  stepRatio: pooled(ScalingPolicy.stepRatio()),
  adaptive: pooled(ScalingPolicy.adaptive()),
  fixed
}

const begin = performance.now()
await Effect.runPromise(ways[process.argv[3] as keyof typeof ways]) // the test names one of them
tell({ finished, refused, peak, seconds: (performance.now() - begin) / 1000 })
