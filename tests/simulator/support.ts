import { Workload } from "@autoscaled-pool/simulator"
import { FixedConcurrency } from "../../packages/simulator/src/internal/fixedConcurrency.ts"
import { Plant } from "../../packages/simulator/src/internal/plant.ts"
import { VirtualTime } from "../../packages/simulator/src/internal/virtualTime.ts"

/** A workload of tasks that are all alike. */
export const uniform = (
  task: Workload.Task,
  phase: Workload.PhaseOptions = {},
  options: { readonly baseMemory?: number; readonly duration?: number } = {}
): Workload.Workload =>
  Workload.make({
    name: "uniform",
    duration: options.duration ?? 60_000,
    phases: [phase],
    task: () => task,
    ...options
  })

/** A plant that runs this many tasks, all begun at once. */
export const begin = (workload: Workload.Workload, tasks: number) => {
  const time = new VirtualTime()
  const plant = new Plant(time, workload, 1)
  const ends: Array<readonly [outcome: string, at: number]> = []
  const running = Array.from({ length: tasks }, () => plant.start((outcome) => ends.push([outcome, time.now])))
  return { ends, plant, running, time }
}

/** A plant kept at one concurrency for a time. */
export const hold = (workload: Workload.Workload, concurrency: number, millis = workload.duration, seed = 1): Plant => {
  const run = new FixedConcurrency(workload, seed, concurrency)
  run.advanceTo(millis)
  return run.plant
}
