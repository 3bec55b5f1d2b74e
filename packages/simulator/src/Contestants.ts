/**
 * Policies to compare, by name: those of the library, and controls that have to lose.
 *
 * @since 0.1.0
 */
import type { ConcurrencySettings } from "@autoscaled-pool/core/ConcurrencySettings"
import * as ScalingPolicy from "@autoscaled-pool/core/ScalingPolicy"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { SeededRandom, seedOf } from "./internal/random.ts"

/**
 * A policy with the settings it runs under, as `Simulation.run` takes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Contestant {
  readonly policy: ScalingPolicy.ScalingPolicy
  readonly settings?: Partial<ConcurrencySettings> | undefined
}

/**
 * One concurrency for ever: bounds that leave no choice, and that no overload may go below.
 *
 * **Example** (Freezing a concurrency)
 *
 * ```ts import.meta.vitest
 * import { Contestants } from "@autoscaled-pool/simulator"
 *
 * Contestants.fixed(20).settings // => { minConcurrency: 20, maxConcurrency: 20, desiredConcurrency: 20 }
 * ```
 *
 * @category controls
 * @since 0.1.0
 */
export const fixed = (concurrency: number, name = `fixed${concurrency}`): Contestant => ({
  policy: {
    name,
    every: Duration.minutes(1),
    initial: () => undefined,
    decide: (state) => [{ desired: concurrency, reason: { summary: "always the same" } }, state]
  },
  settings: { minConcurrency: concurrency, maxConcurrency: concurrency, desiredConcurrency: concurrency }
})

/**
 * Once a second, up or down by up to a quarter, whatever happens.
 *
 * @category controls
 * @since 0.1.0
 */
export const randomWalk: Contestant = {
  policy: {
    name: "randomWalk",
    every: Duration.seconds(1),
    initial: () => 0,
    decide: (steps: number, { settings, desired }) => {
      const factor = new SeededRandom(seedOf(steps)).logBetween(0.8, 1.25)
      const next = factor > 1 ? Math.ceil(desired * factor) : Math.floor(desired * factor)
      const bounded = Math.min(settings.maxConcurrency, Math.max(settings.minConcurrency, next))
      return [{ desired: bounded, reason: { summary: "by chance" } }, steps + 1]
    }
  }
}

/**
 * The controls: a comparison that one of them does well in measures nothing.
 *
 * @category controls
 * @since 0.1.0
 */
export const controls: ReadonlyArray<Contestant> = [
  fixed(1),
  fixed(20),
  fixed(200, "fixedMax"),
  randomWalk,
  { policy: { ...ScalingPolicy.stepRatio({ every: "1 second" }), name: "stepRatio1s" } }
]

/**
 * The policies of the library, each with its defaults.
 *
 * @category contestants
 * @since 0.1.0
 */
export const policies: ReadonlyArray<Contestant> = [
  ScalingPolicy.stepRatio(),
  ScalingPolicy.adaptive(),
  ScalingPolicy.aimd(),
  ScalingPolicy.vegas(),
  ScalingPolicy.gradient()
].map((policy) => ({ policy }))

/**
 * All policies and controls.
 *
 * @category contestants
 * @since 0.1.0
 */
export const all: ReadonlyArray<Contestant> = [...policies, ...controls]

/**
 * Finds a contestant by the name of its policy; `fixed` and a number is that concurrency for ever.
 *
 * **Example** (Finding a contestant)
 *
 * ```ts import.meta.vitest
 * import { Contestants } from "@autoscaled-pool/simulator"
 * import { Option } from "effect"
 *
 * Option.isSome(Contestants.byName("fixed35")) // => true
 * Option.isSome(Contestants.byName("perfect")) // => false
 * ```
 *
 * @category contestants
 * @since 0.1.0
 */
export const byName = (name: string): Option.Option<Contestant> => {
  const known = all.find(({ policy }) => policy.name === name)
  if (known !== undefined) return Option.some(known)
  const concurrency = Number(/^fixed(\d+)$/.exec(name)?.[1])
  return concurrency >= 1 ? Option.some(fixed(concurrency)) : Option.none()
}
