/**
 * The limit of one key, found from what its service says: additive increase, multiplicative decrease, as TCP has it
 * (Chiu and Jain, 1989), with the last refusal remembered, as CUBIC does (RFC 9438).
 *
 * Until the first refusal each success raises the limit by one, and beyond eight as far as the service does more the more it
 * is asked at once. A refusal halves the limit; within a few task times it is back just below where it was refused, faster
 * the farther it is from there. More is tried when thirty times as long has passed as the refusal closed the key, so that
 * tries cost a thirtieth of the time at most; where a try is borne, the next one follows after half as long. Refusals of
 * tasks that ran at the same time are one event: those of tasks which started before the last cut say nothing new. Where
 * the limit is at its least and refused all the same, starts are paced.
 *
 * A service that says how long to wait closes the key for that time; else, or where it says 0, the key is closed for a
 * second, and for twice as long with each further event, up to a minute, until a task is served. A part of that is drawn at
 * random, so that many clients do not come back at once.
 */
import { KeyPace } from "./keyPace.ts"
import type { Adapting } from "./keyPlan.ts"
import { KeyRise, type Served } from "./keyRise.ts"

const firstPause = 1_000
const longestPause = 60_000
/** What a key begins with. */
const initial = 2
/** What it rises to without looking whether that helps. */
const smallest = 7
/** How many times as long as the refusal closed the key its limit stays below where it was refused. */
const patience = 30

/** What refusals have taught. */
interface Lesson {
  /** Refusals that were events of their own. */
  events: number
  closedUntil: number
  cutAt: number
  /** How long the key is closed where the service does not say. */
  pause: number
  /** As how many-th a task started that the service refused, the last time. */
  ceiling: number
  /** For how long the last event closed the key. */
  closedFor: number
  patience: number
  /** When more may be tried. */
  triesAt: number
  readonly pace: KeyPace
}

export class KeyLimit {
  private limit = initial
  /** When a task could have started but for this limit, the last time. */
  private heldBackAt = -Infinity
  /** Most keys are never refused, and have none; most keys are small, and rise no further. */
  private lesson: Lesson | undefined
  private rising: KeyRise | undefined

  get refusals(): number {
    return this.lesson?.events ?? 0
  }

  /** Until when nothing starts, in monotonic milliseconds. */
  get closedUntil(): number {
    return this.lesson?.closedUntil ?? 0
  }

  /** Milliseconds between two starts, by what the service has said. */
  get interval(): number {
    return this.lesson?.pace.interval ?? 0
  }

  /** How many tasks may run at once by what the service has said. */
  value(adapt: Adapting | undefined): number {
    return adapt === undefined ? Infinity : Math.floor(within(adapt, this.limit))
  }

  /** Whether anything has been learned that would be lost with it. */
  get hasMemory(): boolean {
    return this.lesson !== undefined || this.limit !== initial
  }

  /** A task could start, and does not, as so many run as may. */
  holdBack(now: number): void {
    this.heldBackAt = now
  }

  /** A task starts beside so many others. */
  start(now: number, inUse: number): void {
    if (this.lesson !== undefined && inUse === 0) this.lesson.pace.start(now, this.lesson.closedUntil)
  }

  /** A task has been served; `inUse` is how many ran when it ended. */
  succeed(now: number, startedAt: number, inUse: number, adapt: Adapting | undefined): void {
    const { lesson } = this
    if (lesson !== undefined) {
      lesson.pace.succeed(now)
      if (startedAt >= lesson.cutAt) lesson.pause = 0
    }
    if (adapt === undefined) return
    const limit = within(adapt, this.limit)
    const isHeldBack = this.heldBackAt >= startedAt
    if (lesson === undefined) this.limit = within(adapt, this.rise(limit, adapt, { now, startedAt, inUse, isHeldBack }))
    else if (isHeldBack) this.limit = Math.min(adapt.max, limit + this.step(lesson, now))
  }

  /** A limit that holds nothing back does not rise. */
  private rise(limit: number, adapt: Adapting, served: Served): number {
    if (this.rising === undefined && limit < smallest) return served.isHeldBack ? limit + 1 : limit
    const rising = this.rising ??= new KeyRise()
    return rising.next(limit, adapt, served)
  }

  /**
   * The service has refused a task, and said after how many milliseconds to come back; 0 where it did not. `startedAs` is
   * how many ran when that task started, itself among them: as many are too many.
   */
  refuse(
    now: number,
    startedAt: number,
    startedAs: number,
    retryAfter: number,
    adapt: Adapting | undefined,
    random: () => number
  ): void {
    const lesson = this.lesson ??= firstLesson(now)
    this.rising = undefined
    if (retryAfter > 0) lesson.closedUntil = Math.max(lesson.closedUntil, now + retryAfter)
    if (startedAt < lesson.cutAt) return
    lesson.events++
    lesson.cutAt = now
    if (retryAfter === 0) {
      lesson.pause = Math.min(longestPause, Math.max(firstPause, 2 * lesson.pause))
      lesson.closedUntil = Math.max(lesson.closedUntil, now + lesson.pause * (0.5 + random() / 2))
    }
    if (adapt !== undefined) this.cut(lesson, now, startedAs, adapt)
  }

  private cut(lesson: Lesson, now: number, startedAs: number, adapt: Adapting): void {
    const limit = Math.floor(within(adapt, this.limit))
    lesson.ceiling = Math.max(adapt.min + 1, Math.min(limit, startedAs))
    lesson.closedFor = lesson.closedUntil - now
    lesson.patience = patience
    lesson.triesAt = lesson.closedUntil + patience * lesson.closedFor
    lesson.pace.refuse(now, lesson.closedFor, limit === adapt.min && lesson.events > 1)
    this.limit = Math.max(adapt.min, limit / 2)
  }

  /** By how much a success raises the limit. */
  private step(lesson: Lesson, now: number): number {
    const missing = lesson.ceiling - 1 - this.limit
    if (missing > 0) return Math.min(missing, Math.max(1, missing / 2) / this.limit)
    if (now < lesson.triesAt) return 0
    return lesson.pace.interval > 0 ? this.tryPace(lesson, now) : this.tryMore(lesson, now)
  }

  private tryMore(lesson: Lesson, now: number): number {
    if (lesson.patience < 1) {
      lesson.pace.end(now)
      return 1 / this.limit
    }
    this.wait(lesson, now)
    return 1
  }

  private tryPace(lesson: Lesson, now: number): number {
    if (lesson.patience < 1) lesson.pace.end(now) // so much more is borne than was refused that the pace is no reason
    else if (lesson.pace.try(now)) this.wait(lesson, now)
    return 0
  }

  private wait(lesson: Lesson, now: number): void {
    lesson.patience /= 2
    lesson.triesAt = now + lesson.patience * lesson.closedFor
  }
}

const firstLesson = (now: number): Lesson => ({
  events: 0,
  closedUntil: now,
  cutAt: -Infinity,
  pause: 0,
  ceiling: Infinity,
  closedFor: 0,
  patience,
  triesAt: 0,
  pace: new KeyPace(now)
})

const within = ({ max, min }: Adapting, limit: number): number => Math.min(max, Math.max(min, limit))
