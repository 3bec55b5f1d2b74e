/**
 * What somebody might write who has installed the packages; `npm run check` type-checks and runs it in a project of its
 * own.
 */
import { LoadSignal, ScalingPolicy, SystemStatus } from "@autoscaled-pool/core"
import { Effect } from "effect"
import { strictEqual } from "node:assert"

const disk = LoadSignal.make({
  name: "disk",
  overloadedRatio: 0.3,
  target: 0.9,
  every: "1 second",
  sample: Effect.succeed({ load: 0.4 })
})

const program = Effect.gen(function*() {
  const status = yield* SystemStatus.SystemStatus
  return (yield* status.current).isSystemIdle
})

strictEqual(await Effect.runPromise(Effect.provide(program, SystemStatus.layer({ signals: [disk] }))), true)
strictEqual(ScalingPolicy.stepRatio({ every: "1 second" }).name, "stepRatio")
