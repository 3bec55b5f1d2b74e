/**
 * The elements of a stream, pulled a chunk at a time when there is nothing left of the last one.
 *
 * The stream is opened when it is first needed and closed when it ends or when the last run that takes from it ends; after
 * that it begins anew. A pull is one at a time, whoever waits for it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ReturningSource } from "./directSource.ts"

interface Open<A, E, R> {
  readonly scope: Scope.Closeable
  readonly pull: Pull.Pull<ReadonlyArray<A>, E, void, R>
}

/** Who has no further run needs no word of what that one will not get. */
type StreamLog = "Warnings" | "None"

export class StreamSource<A, E, R> extends ReturningSource<A, E, R> {
  private readonly stream: Stream.Stream<A, E, R>
  private open: Open<A, E, R> | undefined
  private pulling: Fiber.Fiber<void, E> | undefined
  private chunk: ReadonlyArray<A> = []
  private position = 0
  private isDone = false
  /** Whether it has given anything since it began, and whether it was left before its end the time before. */
  private hasGiven = false
  private wasLeft = false
  private readonly log: StreamLog

  constructor(stream: Stream.Stream<A, E, R>, log: StreamLog) {
    super()
    this.stream = stream
    this.log = log
  }

  protected pollNext(): "Item" | "Empty" | "Done" {
    if (this.position >= this.chunk.length) return this.isDone ? "Done" : "Empty"
    this.item = this.chunk[this.position++]
    return "Item"
  }

  readonly arrival: Effect.Effect<void, E, R> = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      this.pulling === undefined ? this.beginPull : Effect.succeed(this.pulling),
      (pulling) => Effect.onInterrupt(restore(Fiber.join(pulling)), () => this.withdraw(pulling))
    )
  )

  override readonly close: Effect.Effect<void> = Effect.suspend(() => {
    if (this.returned.takerCount > 0) return Effect.void
    const inHand = this.chunk.length - this.position + this.returned.count
    const left = this.beginAnew()
    return inHand > 0 ? Effect.andThen(left, this.warn(inHandAtEnd(inHand))) : left
  })

  /** The next run begins anew at once, however long the end of the stream takes. */
  private beginAnew(): Effect.Effect<void> {
    const { open, pulling } = this
    this.wasLeft = (this.hasGiven || open !== undefined) && !this.isDone
    this.returned.clear()
    this.chunk = []
    this.position = 0
    this.isDone = false
    this.hasGiven = false
    this.pulling = undefined
    this.open = undefined
    return Effect.andThen(pulling === undefined ? Effect.void : Fiber.interrupt(pulling), closed(open))
  }

  private warn(text: string): Effect.Effect<void> {
    return this.log === "None" ? Effect.void : Effect.logWarning(text)
  }

  /** Detached, because another run may go on to wait for it when the one that began it has ended. */
  private readonly beginPull: Effect.Effect<Fiber.Fiber<void, E>, never, R> = Effect.map(
    Effect.forkDetach(Effect.suspend(() => this.pullNext), { startImmediately: true }),
    (pulling) => {
      if (pulling.pollUnsafe() !== undefined) return pulling
      this.pulling = pulling
      pulling.addObserver((exit) => {
        // Where several runs take, each is to learn of a failure.
        if (this.returned.takerCount > 1 && Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) return
        if (this.pulling === pulling) this.pulling = undefined
      })
      return pulling
    }
  )

  /** Whoever waits for a pull leaves. */
  private withdraw(pulling: Fiber.Fiber<void, E>): Effect.Effect<void> {
    return this.returned.takerCount > 1 ? Effect.void : Fiber.interrupt(pulling)
  }

  private readonly pullNext: Effect.Effect<void, E, R> = Effect.suspend(() =>
    Effect.flatMap(this.opened, (open) =>
      open.pull.pipe(
        Effect.map((chunk) => {
          if (this.open !== open) return // it was left meanwhile, and not waited for
          this.chunk = chunk
          this.position = 0
          this.hasGiven = true
        }),
        Pull.catchDone(() => this.open === open ? this.finish : Effect.void)
      ))
  ) as Effect.Effect<void, E, R> // `catchDone` cannot see that an error of type E is no `Done`

  private readonly finish: Effect.Effect<void> = Effect.suspend(() => {
    const { open } = this
    this.isDone = true
    this.open = undefined
    return Effect.andThen(closed(open), this.wasLeft && !this.hasGiven ? this.warn(nothingLeft) : Effect.void)
  })

  private readonly opened: Effect.Effect<Open<A, E, R>, never, R> = Effect.suspend(() => {
    if (this.open !== undefined) return Effect.succeed(this.open)
    const scope = Scope.makeUnsafe()
    return Effect.map(Scope.provide(Stream.toPull(this.stream), scope), (pull) => (this.open = { scope, pull }))
  })
}

const closed = (open: { readonly scope: Scope.Closeable } | undefined): Effect.Effect<void> =>
  open === undefined ? Effect.void : Scope.close(open.scope, Exit.void)

const inHandAtEnd = (elements: number): string =>
  `The run has ended with ${elements} ${elements === 1 ? "element" : "elements"} of its stream in hand that ` +
  `${
    elements === 1 ? "was" : "were"
  } not worked on to the end. A stream takes nothing back: where it does not give them ` +
  "again when another run begins it anew, they are lost. A queue takes its items back: use TaskSource.fromQueue for one."

const nothingLeft =
  "The stream was left before its end when a run ended, and gives nothing now that another run has begun it anew. If it can " +
  "be gone through only once, as one that is made of an async generator or a ReadableStream, what was left of it is lost: " +
  "make a source and a pool for each run, or give a stream that begins anew."
