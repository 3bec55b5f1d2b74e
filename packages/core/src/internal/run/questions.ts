/**
 * The questions of a feed that are out: checks, takes and arrivals, each in a supervised fiber outside of every task.
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import { isEnded } from "./ended.ts"

export class Questions {
  /** How many are out. */
  count = 0
  private readonly fibers: FiberSet.FiberSet
  private readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  private readonly onAnswer: () => void

  constructor(
    fibers: FiberSet.FiberSet,
    fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>,
    onAnswer: () => void
  ) {
    this.fibers = fibers
    this.fork = fork
    this.onAnswer = onAnswer
  }

  /** Asks; `undefined` where the answer came at once. */
  ask<A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void): Fiber.Fiber<A, E> | undefined {
    if (isEnded(effect)) {
      onExit(effect)
      return undefined
    }
    this.count++
    const fiber = this.fork(effect)
    const answer = fiber.pollUnsafe()
    if (answer !== undefined) {
      this.count--
      onExit(answer)
      return undefined
    }
    FiberSet.addUnsafe(this.fibers, fiber)
    fiber.addObserver((exit) => {
      this.count--
      onExit(exit)
      this.onAnswer()
    })
    return fiber
  }
}
