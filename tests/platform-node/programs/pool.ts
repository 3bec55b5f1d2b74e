/**
 * Runs 300 tasks that hold 40 MB each for 300 milliseconds: with `stepRatio` or `adaptive` in a pool of that policy that
 * sees the memory limit, with `fixed` 50 at once whatever happens.
 */
import { AutoscaledPool, ScalingPolicy } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { Effect } from "effect"
import { hold, letGo, MB, tell } from "./group.ts"

let finished = 0
let inFlight = 0
let peak = 0

const task = Effect.acquireUseRelease(
  Effect.sync(() => {
    peak = Math.max(peak, ++inFlight)
    return hold(40 * MB)
  }),
  () => Effect.sleep("300 millis"),
  (held) =>
    Effect.sync(() => {
      letGo(held)
      inFlight--
      finished++
    })
)

// Whatever else runs on the machine must not slow this program down.
const memoryAlone = NodeSystemStatus.layer({ cpu: false, eventLoop: false, client: false })

const tasks = Array.from({ length: 300 }, (_, index) => index)

const pooled = (policy: ScalingPolicy.ScalingPolicy) =>
  AutoscaledPool.forEach(tasks, () => task, {
    concurrencySettings: { desiredConcurrency: 4, maxConcurrency: 50 },
    loggingInterval: null,
    policy,
    discard: true
  }).pipe(Effect.provide(memoryAlone))

const fixed = Effect.forEach(tasks, () => task, { concurrency: 50, discard: true })

const ways = {
  stepRatio: pooled(ScalingPolicy.stepRatio()),
  adaptive: pooled(ScalingPolicy.adaptive()),
  fixed
}

const begin = performance.now()
await Effect.runPromise(ways[process.argv[3] as keyof typeof ways]) // the test names one of them
tell({ finished, peak, seconds: (performance.now() - begin) / 1000 })
