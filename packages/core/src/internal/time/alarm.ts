/**
 * One moment to be woken at. Setting it again replaces it; a moment that is not earlier than the one set costs nothing.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

export class Alarm {
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly ring: () => void
  private fiber: Fiber.Fiber<void> | undefined
  private at = Infinity

  constructor(fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>, ring: () => void) {
    this.fork = fork
    this.ring = ring
  }

  /** Rings at `at`, or at the earlier moment it is set to already. */
  setAt(at: number, now: number): void {
    if (at >= this.at) return
    this.clear()
    this.at = at
    this.fiber = this.fork(Effect.andThen(
      Effect.sleep(wholeNanos(at - now)),
      Effect.sync(() => {
        this.at = Infinity
        this.fiber = undefined
        this.ring()
      })
    ))
  }

  clear(): void {
    const fiber = this.fiber
    this.at = Infinity
    this.fiber = undefined
    fiber?.interruptUnsafe()
  }
}

/** Milliseconds, rounded up to what a clock can tell apart: to wait for less is not to wait at all. */
const wholeNanos = (millis: number): number => Math.ceil(millis * 1e6) / 1e6
