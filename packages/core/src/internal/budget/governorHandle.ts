/**
 * The governor that a program holds: what it may read and do, over a budget that nobody outside can write to.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type {
  ConcurrencyGovernor,
  Consumer,
  ConsumerOptions,
  ConsumerState,
  GovernorState
} from "../../ConcurrencyGovernor.ts"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import * as rules from "../options/rules.ts"
import { BudgetConsumer } from "./consumer.ts"
import { readOwn } from "./ownBounds.ts"
import type { PermitQueue } from "./permitQueue.ts"
import type { ConsumerPlan, SharedBudget } from "./sharedBudget.ts"

export class GovernorHandle implements ConcurrencyGovernor {
  readonly #shared: SharedBudget
  readonly #effects: EffectConsumer
  readonly withPermit: Consumer["withPermit"]
  readonly withPermits: Consumer["withPermits"]

  constructor(shared: SharedBudget) {
    this.#shared = shared
    this.#effects = new EffectConsumer(shared.effectConsumer(planOfEffects))
    this.withPermit = this.#effects.withPermit
    this.withPermits = this.#effects.withPermits
  }

  /** The budget behind a governor; `undefined` where somebody else made it. */
  static sharedOf(governor: ConcurrencyGovernor): SharedBudget | undefined {
    return #shared in governor ? governor.#shared : undefined
  }

  readonly consumer = (options: ConsumerOptions = {}): Effect.Effect<Consumer, InvalidOptionsError, Scope.Scope> =>
    Effect.flatMap(readConsumer(options), (plan) =>
      Effect.acquireRelease(
        Effect.sync(() => new EffectConsumer(this.#shared.effectConsumer(plan))),
        (consumer) => Effect.sync(() => consumer.close())
      ))

  readonly configure = (change: Partial<ConcurrencySettings>): Effect.Effect<void, InvalidOptionsError> =>
    this.#shared.budget.regulator.configure(change)

  readonly state: Effect.Effect<GovernorState> = Effect.sync(() => {
    const { gate, members, regulator } = this.#shared.budget
    return {
      desired: gate.desired,
      inUse: gate.current,
      settings: gate.settings,
      system: regulator.verdict,
      lastDecision: regulator.lastDecision,
      consumers: [...members].filter((member) => member instanceof BudgetConsumer).map(stateOf)
    }
  })
}

class EffectConsumer implements Consumer {
  readonly #consumer: BudgetConsumer
  readonly #queue: PermitQueue

  constructor({ consumer, queue }: { readonly consumer: BudgetConsumer; readonly queue: PermitQueue }) {
    this.#consumer = consumer
    this.#queue = queue
  }

  readonly withPermit = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    this.#queue.withPermits(self, 1)

  readonly withPermits = (permits: number) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(
      Effect.orDie(Effect.fromResult(rules.read(rules.positiveInteger, "permits", permits))),
      (permits) => this.#queue.withPermits(self, permits)
    )

  readonly state: Effect.Effect<ConsumerState> = Effect.sync(() => stateOf(this.#consumer))

  close(): void {
    this.#queue.close(closed)
  }
}

const closed = Cause.die(
  new Error("the scope of this consumer has closed: keep it open for as long as effects run under it")
)

export const stateOf = (consumer: BudgetConsumer): ConsumerState => ({
  name: consumer.name,
  share: consumer.budget.owed(consumer),
  inFlight: consumer.current,
  permits: consumer.booked,
  waiting: consumer.waits
})

const planOfEffects: ConsumerPlan = {
  name: "effects",
  weight: 1,
  own: { minConcurrency: 0, maxConcurrency: Infinity, maxTasksPerMinute: Infinity }
}

const readConsumer = (options: ConsumerOptions): Effect.Effect<ConsumerPlan, InvalidOptionsError> =>
  Effect.gen(function*() {
    const name = yield* Effect.fromResult(rules.read(rules.name, "name", options.name ?? "effects"))
    const weight = yield* readShare(options.share)
    return { name, weight, own: yield* readOwn(options) }
  })

/** Reads the weight of a consumer among the others. */
export const readShare = (share: number = 1): Effect.Effect<number, InvalidOptionsError> =>
  Effect.fromResult(rules.read(rules.positiveFinite, "share", share))

/** The budget of a governor that this library made. */
export const sharedOf = (governor: ConcurrencyGovernor): Effect.Effect<SharedBudget, InvalidOptionsError> => {
  const shared = GovernorHandle.sharedOf(governor)
  if (shared !== undefined) return Effect.succeed(shared)
  return Effect.fail(
    new InvalidOptionsError({
      field: "governor",
      value: governor,
      remedy: "Use what ConcurrencyGovernor.make or its layer gives."
    })
  )
}
