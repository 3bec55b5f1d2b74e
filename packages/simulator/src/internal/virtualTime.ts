/**
 * Time that moves only when nothing is left to do at the present instant. Whatever runs under its `Clock` and its
 * `Scheduler` runs on the caller's stack, in an order that depends on nothing but the program.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { Heap } from "./heap.ts"

export interface Timer {
  cancel(): void
}

class Event implements Timer {
  private run: (() => void) | undefined

  constructor(run: () => void) {
    this.run = run
  }

  fire(): void {
    const run = this.run
    this.run = undefined
    run?.()
  }

  cancel(): void {
    this.run = undefined
  }
}

export class VirtualTime {
  private readonly events = new Heap<Event>()
  private readonly ready = new ReadyQueue()
  private instant = 0

  readonly scheduler: Scheduler.Scheduler = new VirtualScheduler(this.ready)
  readonly clock: Clock.Clock = new VirtualClock(this)

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.instant
  }

  /** Runs `run` at `time`, or as soon as possible where that is past. */
  at(time: number, run: () => void): Timer {
    const event = new Event(run)
    this.events.push(Math.max(time, this.instant), event)
    return event
  }

  after(millis: number, run: () => void): Timer {
    return this.at(this.instant + millis, run)
  }

  /** Runs `run` at this instant, once what is running now has returned. */
  defer(run: () => void): void {
    this.ready.push(run, 0)
  }

  /** Runs all that happens up to and including `time`. */
  advanceTo(time: number): void {
    this.ready.drain()
    while (this.events.leastKey <= time) {
      this.instant = this.events.leastKey
      this.events.pop()?.fire()
      this.ready.drain()
    }
    this.instant = Math.max(this.instant, time)
  }
}

/** What is ready to run at this instant: higher priority first, then first come first served. */
class ReadyQueue {
  private usual: Array<() => void> = []
  private readonly others = new Heap<() => void>()

  push(run: () => void, priority: number): void {
    if (priority === 0) this.usual.push(run)
    else this.others.push(-priority, run)
  }

  drain(): void {
    let runs = 0
    while (this.usual.length > 0 || this.others.size > 0) {
      const batch = this.usual
      this.usual = []
      while (this.others.leastKey < 0) this.others.pop()?.()
      for (const run of batch) run()
      if (this.usual.length === 0) this.others.pop()?.()
      runs += batch.length + 1
      if (runs > mostRunsPerInstant) {
        throw new Error("The simulated program never comes to rest, so time cannot move: something in it polls.")
      }
    }
  }
}

const mostRunsPerInstant = 5_000_000

class VirtualScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  private readonly dispatcher: Scheduler.SchedulerDispatcher

  constructor(ready: ReadyQueue) {
    this.dispatcher = {
      scheduleTask: (task, priority) => ready.push(task, priority),
      flush: () => ready.drain()
    }
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this.dispatcher
  }
}

class VirtualClock implements Clock.Clock {
  private readonly time: VirtualTime
  private nanosAt = 0
  private nanos = 0n

  constructor(time: VirtualTime) {
    this.time = time
  }

  currentTimeMillisUnsafe(): number {
    return this.time.now
  }

  monotonicTimeNanosUnsafe(): bigint {
    if (this.nanosAt !== this.time.now) {
      this.nanosAt = this.time.now
      this.nanos = BigInt(Math.round(this.time.now * 1e6))
    }
    return this.nanos
  }

  currentTimeNanosUnsafe(): bigint {
    return this.monotonicTimeNanosUnsafe()
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (!Number.isFinite(millis)) return Effect.never
    return Effect.callback<void>((resume) => {
      const timer = this.time.after(millis, () => resume(Effect.void))
      return Effect.sync(() => timer.cancel())
    })
  }
}
