/**
 * Whether hosts that find their limits by themselves, under a budget that finds itself too, are served as they would be with
 * the best limits that are set by hand.
 */
import {
  AutoscaledPool,
  ClientErrors,
  ConcurrencyGovernor,
  KeyedLimits,
  ScalingPolicy,
  TaskSource
} from "@autoscaled-pool/core"
import { assert, describe } from "@effect/vitest"
import { Effect, Semaphore } from "effect"
import { after, begin, test } from "../stage.ts"

type Name = "fast" | "with a knee" | "refusing"

const best: Readonly<Record<Name, number>> = { fast: 32, "with a knee": 8, refusing: 6 }
const names: ReadonlyArray<Name> = ["fast", "with a knee", "refusing"]

/** So many pages of each host in a row, as a crawler finds them. */
const inBlocksOf = function*(pages: number) {
  for (let n = 0; n < 20_000; n++) yield names[Math.floor(n / pages) % names.length]
}

const hosts = Effect.gen(function*() {
  const workers = yield* Semaphore.make(8)
  const served: Record<Name, number> = { fast: 0, "with a knee": 0, refusing: 0 }
  let refused = 0
  let running = 0
  const refuse = Effect.suspend(() => {
    refused++
    return Effect.andThen(ClientErrors.reportWith({ retryAfter: "1 second" }), Effect.fail("refused"))
  })
  const pages: Readonly<Record<Name, Effect.Effect<void, string>>> = {
    fast: Effect.sleep("100 millis"),
    "with a knee": workers.withPermits(1)(Effect.sleep("120 millis")),
    refusing: Effect.suspend(() => {
      if (running >= 6) return refuse
      running++
      return Effect.ensuring(Effect.sleep("90 millis"), Effect.sync(() => running--))
    })
  }
  const page = (name: Name) => Effect.tap(pages[name], () => Effect.sync(() => served[name]++))
  return { page, served, refused: () => refused }
})

/** What was served of each host in twenty seconds. */
const crawl = Effect.fnUntraced(function*(block: number, limits: KeyedLimits.KeyOptions<Name>) {
  const { page, refused, served } = yield* hosts
  const governor = yield* ConcurrencyGovernor.make({ maxConcurrency: 64 }, { policy: ScalingPolicy.adaptive() })
  const keys = yield* KeyedLimits.make({ key: (name: Name) => name, lookAhead: 100_000, ...limits })
  const pool = yield* AutoscaledPool.fromSource(TaskSource.fromIterable(inBlocksOf(block)), page, {
    governor,
    keys,
    retry: { times: 20 }
  })
  yield* begin(pool.run)
  yield* after("20 seconds")
  yield* pool.abort
  return { served, refused: refused() }
})

describe("KeyedLimits: own limits", () => {
  for (const block of [20, 300]) {
    test(`serve each host nearly as well as the best set by hand, where ${block} pages of one are in a row`, function*() {
      const own = yield* crawl(block, { adapt: { max: 32 } })
      const byHand = yield* crawl(block, { concurrency: (name) => best[name] })
      for (const name of names) assert.isAbove(own.served[name] / byHand.served[name], 0.9, name)
      assert.isBelow(own.refused / own.served.refusing, 0.03)
    })
  }
})
