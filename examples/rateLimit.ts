/**
 * Tasks that call a service with a rate limit: each refusal is reported, so that the pool holds back while the service
 * does, and a refused task is tried again later. Until then it holds no slot.
 */
import { AutoscaledPool, ClientErrors } from "@autoscaled-pool/core"
import { NodeSystemStatus } from "@autoscaled-pool/platform-node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Data, Effect, Schedule } from "effect"

class TooManyRequests extends Data.TaggedError("TooManyRequests") {}

/** Stands in for an API that serves three callers at once and refuses the rest. */
const makeApi = () => {
  let callers = 0
  return (page: number) =>
    Effect.acquireUseRelease(
      Effect.sync(() => ++callers),
      (callers) => callers > 3 ? new TooManyRequests() : Effect.as(Effect.sleep("20 millis"), `page ${page}`),
      () => Effect.sync(() => callers--)
    )
}

const program = Effect.gen(function*() {
  const fetchPage = makeApi()
  let refusals = 0
  const refused = Effect.andThen(Effect.sync(() => refusals++), ClientErrors.report)

  const pages = yield* AutoscaledPool.forEach(
    Array.from({ length: 60 }, (_, page) => page),
    (page) => Effect.tapErrorTag(fetchPage(page), "TooManyRequests", () => refused),
    { retry: { schedule: Schedule.jittered(Schedule.exponential("10 millis")) }, taskTimeout: "30 seconds" }
  )
  yield* Console.log(`${pages.length} pages, the last is ${pages.at(-1)}; refusals met: ${refusals > 0}`)
})

// More than 5 refusals a second are an overload, for as long as they last 10 % of the time.
const system = NodeSystemStatus.layer({ client: { allowed: 5, overloadedRatio: 0.1 } })

program.pipe(Effect.provide(system), NodeRuntime.runMain)
