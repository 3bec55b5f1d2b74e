/**
 * The elements of a stream, pulled a chunk at a time when there is nothing left of the last one.
 *
 * The stream is opened when it is first needed and closed when it ends or when the run ends; after that it begins anew.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ReturningSource } from "./directSource.ts"

interface Open<A, E, R> {
  readonly scope: Scope.Closeable
  readonly pull: Pull.Pull<ReadonlyArray<A>, E, void, R>
}

export class StreamSource<A, E, R> extends ReturningSource<A, E, R> {
  private readonly stream: Stream.Stream<A, E, R>
  private open: Open<A, E, R> | undefined
  private chunk: ReadonlyArray<A> = []
  private position = 0
  private isDone = false

  constructor(stream: Stream.Stream<A, E, R>) {
    super()
    this.stream = stream
  }

  protected pollNext(): "Item" | "Empty" | "Done" {
    if (this.position >= this.chunk.length) return this.isDone ? "Done" : "Empty"
    this.item = this.chunk[this.position++]
    return "Item"
  }

  readonly arrival: Effect.Effect<void, E, R> = Effect.suspend(() =>
    this.opened.pipe(
      Effect.flatMap(({ pull }) => pull),
      Effect.map((chunk) => {
        this.chunk = chunk
        this.position = 0
      }),
      Pull.catchDone(() => {
        this.isDone = true
        return this.release
      })
    )
  ) as Effect.Effect<void, E, R> // `catchDone` cannot see that an error of type E is no `Done`

  override readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.forgetReturned()
    this.chunk = []
    this.position = 0
    this.isDone = false
    return this.release
  })

  private readonly opened: Effect.Effect<Open<A, E, R>, never, R> = Effect.suspend(() => {
    if (this.open !== undefined) return Effect.succeed(this.open)
    const scope = Scope.makeUnsafe()
    return Effect.map(Scope.provide(Stream.toPull(this.stream), scope), (pull) => (this.open = { scope, pull }))
  })

  private readonly release: Effect.Effect<void> = Effect.suspend(() => {
    const open = this.open
    this.open = undefined
    return open === undefined ? Effect.void : Scope.close(open.scope, Exit.void)
  })
}
