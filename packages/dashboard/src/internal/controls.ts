/**
 * What the page may do to a pool: read from a request's body and done.
 */
import type { PoolControls, PoolRegistry } from "@autoscaled-pool/core/PoolRegistry"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const Change = Schema.Struct({
  minConcurrency: Schema.optionalKey(Schema.Number),
  maxConcurrency: Schema.optionalKey(Schema.Number),
  desiredConcurrency: Schema.optionalKey(Schema.Number),
  /** JSON has no infinity: `null` is no cap. */
  maxTasksPerMinute: Schema.optionalKey(Schema.NullOr(Schema.Number))
})

const Order = Schema.Union([
  Schema.Struct({ action: Schema.Literals(["pause", "resume", "drain"]), pool: Schema.String }),
  // Whoever aborts says the pool's name once more.
  Schema.Struct({ action: Schema.Literal("abort"), pool: Schema.String, confirm: Schema.String }),
  Schema.Struct({ action: Schema.Literal("configure"), pool: Schema.String, change: Change })
])

type Order = typeof Order.Type

/** Why an order was not carried out, as its answer says it. */
export class Refused extends Data.TaggedError("Refused")<{ readonly status: number; readonly sentence: string }> {}

const refuse = (status: number, sentence: string) => Effect.fail(new Refused({ status, sentence }))

const decode = Schema.decodeUnknownResult(Order, { onExcessProperty: "error" })

/** Carries out the order in the body of a request. */
export const carryOut = Effect.fnUntraced(function*(registry: PoolRegistry, body: unknown) {
  const decoded = decode(body)
  if (Result.isFailure(decoded)) {
    return yield* refuse(
      400,
      "The request is no order that this dashboard knows: pause, resume, drain, abort or configure."
    )
  }
  const order = decoded.success
  const controls = registry.find(order.pool)?.controls
  if (controls === undefined) return yield* refuse(409, `No pool named "${order.pool}" is running.`)
  if (order.action === "abort" && order.confirm !== order.pool) {
    return yield* refuse(400, `To abort, type the name of the pool: "${order.pool}".`)
  }
  return yield* perform(controls, order)
})

const changeOf = ({ maxTasksPerMinute, ...change }: typeof Change.Type) =>
  maxTasksPerMinute === undefined ? change : { ...change, maxTasksPerMinute: maxTasksPerMinute ?? Infinity }

const perform = (controls: PoolControls, order: Order): Effect.Effect<void, Refused> => {
  switch (order.action) {
    case "configure":
      return Effect.mapError(
        controls.configure(changeOf(order.change)),
        (error) => new Refused({ status: 422, sentence: error.message })
      )
    case "pause":
      return controls.pause
    case "resume":
      return controls.resume
    // The page sees the end of a run by itself: the answer does not wait for it.
    case "drain":
      return Effect.asVoid(Effect.forkDetach(controls.drain))
    case "abort":
      return Effect.asVoid(Effect.forkDetach(controls.abort))
  }
}
