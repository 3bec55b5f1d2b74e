/**
 * Figures of contenders that do not do the work are worth nothing: counts what each runs, and how many at a time.
 */
import { close, contenders } from "./contenders.ts"
import { immediate, observed } from "./tasks.ts"

const tasks = 1000
const concurrency = 7

/** Fails where a contender does not run each task once, or not as many at a time as it was asked for. */
export const verify = async (): Promise<void> => {
  for (const { name, run } of contenders) {
    let ended = 0
    let inFlight = 0
    let peak = 0
    const onStart = () => {
      peak = Math.max(peak, ++inFlight)
    }
    const onEnd = () => {
      inFlight--
      ended++
    }
    await run(observed(immediate, onStart, onEnd), tasks, concurrency)
    if (ended === tasks && peak === concurrency) continue
    await close()
    throw new Error(
      `${name} ran ${ended} of ${tasks} tasks, at most ${peak} at a time where ${concurrency} were asked for`
    )
  }
}
