/**
 * Takes the samples of several signals: those that are due at one beat are taken in one round, woken by one timer.
 *
 * While somebody attends, each signal is sampled at its own pace. While nobody does, the signals rest: all are sampled on
 * the beats of one slow pace, just often enough that no window runs empty. Attention that comes back takes at once the
 * samples that the signals' own paces would have taken by then.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { Alarm } from "../time/alarm.ts"
import { reader as monotonicReader } from "../time/monotonic.ts"
import { beatAfter, isOnBeat } from "../time/steadyPace.ts"
import type { Report } from "./report.ts"
import type { Sampler } from "./sampler.ts"

export interface RoundsOptions {
  readonly samples: ReadonlyArray<{ readonly sampler: Sampler; readonly hear: (report: Report) => void }>
  /** The pace of signals that rest, in milliseconds; what is slower by itself keeps its own. */
  readonly restEvery: number
  /** Called after each round; with it a round comes once a second at least, or at the slow pace while the signals rest. */
  readonly onRound?: () => void
}

type Fork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

/** One signal and when it is sampled: `dueAt` is Infinity while a sample is being taken. */
interface Turn {
  readonly every: number
  readonly take: (due: number) => Effect.Effect<void>
  dueAt: number
  takenAt: number
}

/** Whether all is sampled at its own pace, or at the slow one. */
type Pace = "Own" | "Rest"

/** How often a round comes at least, in milliseconds, though no sample is due: time alone can change a verdict. */
const lookEvery = 1000

/** By how many milliseconds a timer may wake too early. */
const timerError = 1

export class SampleRounds {
  private readonly turns: ReadonlyArray<Turn>
  private readonly restEvery: number
  private readonly onRound: (() => void) | undefined
  private readonly fork: Fork
  private readonly now: () => number
  private readonly alarm: Alarm
  private pace: Pace = "Rest"
  private attending = 0
  private wasAttended = false
  private lookAt = Infinity

  constructor(options: RoundsOptions, fork: Fork, now: () => number) {
    const time = now()
    this.turns = options.samples.map(({ hear, sampler }) => ({
      every: sampler.every,
      take: (due) => Effect.map(sampler.report(due), hear),
      dueAt: time,
      takenAt: time
    }))
    this.restEvery = options.restEvery
    this.onRound = options.onRound
    this.fork = fork
    this.now = now
    this.alarm = new Alarm(fork, () => this.round())
  }

  /** Takes the first samples. */
  begin(): void {
    this.round()
  }

  /** Somebody depends on the samples from now on. Who comes and goes between two rounds costs a round no timer. */
  attend(): void {
    this.attending++
    this.wasAttended = true
    if (this.pace === "Own") return
    this.pace = "Own"
    const now = this.now()
    for (const turn of this.turns) {
      if (turn.dueAt !== Infinity) turn.dueAt = Math.max(now, beatAfter(turn.takenAt, turn.every))
    }
    this.planLook(now)
    this.setAlarm(now)
  }

  /** Takes what is overdue: after a blocked event loop, who reads may be woken before the timer of the samples. */
  catchUp(): void {
    const now = this.now()
    if (this.turns.some(({ dueAt }) => dueAt <= now)) this.round()
  }

  /** Ends what `attend` began. */
  leave(): void {
    this.attending--
  }

  private round(): void {
    const now = this.now()
    this.pace = this.attending > 0 || this.wasAttended ? "Own" : "Rest"
    this.wasAttended = false
    for (const turn of this.turns) if (turn.dueAt <= now + Math.min(timerError, turn.every / 2)) this.take(turn, now)
    this.planLook(now)
    this.onRound?.()
    this.setAlarm(now)
  }

  private take(turn: Turn, now: number): void {
    const due = turn.dueAt
    turn.takenAt = now
    turn.dueAt = Infinity
    const fiber = this.fork(turn.take(due))
    if (fiber.pollUnsafe() !== undefined) return this.plan(turn, due)
    fiber.addObserver((exit) => {
      if (Exit.isFailure(exit)) return // interrupted: the rounds have ended
      this.plan(turn, due)
      this.onRound?.()
      this.setAlarm(this.now())
    })
  }

  /** The next beat; after a sample off the beat, one that leaves something to measure in between. */
  private plan(turn: Turn, due: number): void {
    const pace = this.paceOf(turn.every)
    turn.dueAt = beatAfter(this.now(), pace, isOnBeat(due, turn.every) ? undefined : turn.every / 2)
  }

  private planLook(now: number): void {
    if (this.onRound === undefined) return
    // A slow pace that is quicker than a look is not woken beside its beats.
    const atRest = this.restEvery * Math.ceil(lookEvery / this.restEvery)
    this.lookAt = beatAfter(now, this.pace === "Own" ? lookEvery : atRest)
  }

  private paceOf(every: number): number {
    return this.pace === "Own" ? every : Math.max(every, this.restEvery)
  }

  private setAlarm(now: number): void {
    this.alarm.setAt(this.turns.reduce((at, { dueAt }) => Math.min(at, dueAt), this.lookAt), now)
  }
}

/** Rounds that end with the scope, and whatever sample is being taken with them. */
export const make = (options: RoundsOptions): Effect.Effect<SampleRounds, never, Scope.Scope> =>
  Effect.gen(function*() {
    const now = yield* monotonicReader
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    return new SampleRounds(options, fork, now)
  })
