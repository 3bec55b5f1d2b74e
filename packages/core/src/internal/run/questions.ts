/**
 * The questions of a feed that are out: checks, takes and arrivals, each in a supervised fiber outside of every task.
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { isEnded } from "../task/ended.ts"
import type { Supervision } from "./supervision.ts"

export class Questions {
  private readonly out = new Set<Fiber.Fiber<unknown, unknown>>()
  private readonly supervision: Supervision
  /** Questions that are being asked and may be answered at once. */
  private starting = 0
  private readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  private readonly onAnswer: () => void

  constructor(
    supervision: Supervision,
    fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>,
    onAnswer: () => void
  ) {
    this.supervision = supervision
    this.fork = fork
    this.onAnswer = onAnswer
  }

  /** How many are out. */
  get count(): number {
    return this.out.size + this.starting
  }

  /** Asks; `undefined` where the answer came at once. */
  ask<A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void): Fiber.Fiber<A, E> | undefined {
    if (isEnded(effect)) {
      onExit(effect)
      return undefined
    }
    this.starting++
    const fiber = this.fork(effect)
    this.starting--
    const answer = fiber.pollUnsafe()
    if (answer !== undefined) {
      onExit(answer)
      return undefined
    }
    this.out.add(fiber)
    this.supervision.add(fiber)
    fiber.addObserver((exit) => {
      this.supervision.remove(fiber)
      if (!this.out.delete(fiber)) return // nobody waits for the answer any more
      onExit(exit)
      this.onAnswer()
    })
    return fiber
  }

  interruptAll(): void {
    for (const fiber of [...this.out]) fiber.interruptUnsafe()
  }

  /** Waits for no answer any more. The fibers that are out are no longer the run's. */
  abandon(): void {
    for (const fiber of this.out) this.supervision.remove(fiber)
    this.out.clear()
  }
}
