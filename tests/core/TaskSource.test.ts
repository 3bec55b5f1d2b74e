/**
 * The sources by themselves: what `take` answers, in what order, and what becomes of an item whose handler is interrupted.
 */
import { TaskSource } from "@autoscaled-pool/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Option, Queue, Stream } from "effect"
import { after, begin, causeOf, exitOf, failureOf, hasEnded, resultOf, settled } from "./stage.ts"

/** Takes until the source is done, and says what it took. */
const drain = <A, E, R>(source: TaskSource.TaskSource<A, E, R>) =>
  Effect.gen(function*() {
    const taken: Array<A> = []
    const take = source.take((item) => Effect.sync(() => taken.push(item)))
    while ((yield* take) === "Taken") assert.isBelow(taken.length, 1000)
    return taken
  })

const never = Effect.never

describe("TaskSource.take", () => {
  it.effect("answers Taken when the handler has ended", () =>
    Effect.gen(function*() {
      const source = TaskSource.fromIterable([1])
      const take = yield* begin(source.take(() => Effect.sleep("1 second")))
      assert.isFalse(hasEnded(take))
      yield* after("1 second")
      assert.strictEqual(yield* resultOf(take), "Taken")
    }))

  const sources: Record<string, () => Effect.Effect<TaskSource.TaskSource<number>>> = {
    fromIterable: () => Effect.succeed(TaskSource.fromIterable([1, 2, 3])),
    fromQueue: () =>
      Effect.gen(function*() {
        const queue = yield* Queue.make<number, Cause.Done>()
        yield* Queue.offerAll(queue, [1, 2, 3])
        yield* Queue.end(queue)
        return TaskSource.fromQueue(queue)
      }),
    fromStream: () => Effect.succeed(TaskSource.fromStream(Stream.make(1, 2, 3))),
    fromPull: () => {
      const items = [1, 2, 3]
      return Effect.succeed(TaskSource.fromPull(Effect.suspend(() => {
        const item = items.shift()
        return item === undefined ? Cause.done() : Effect.succeed(Option.some(item))
      })))
    }
  }
  for (const [name, make] of Object.entries(sources)) {
    it.effect(`${name}: hands out each item once, in order, and is done for good after the last`, () =>
      Effect.gen(function*() {
        const source = yield* make()
        assert.deepStrictEqual(yield* drain(source), [1, 2, 3])
        assert.strictEqual(yield* source.take(() => never), "Done")
      }))

    it.effect(`${name}: a handler that fails fails the take, typed, and its item is not handed out again`, () =>
      Effect.gen(function*() {
        const source = yield* make()
        assert.strictEqual(yield* Effect.flip(source.take((item) => Effect.fail(`torn ${item}`))), "torn 1")
        assert.deepStrictEqual(yield* drain(source), [2, 3])
      }))

    it.effect(`${name}: several takes at a time get an item each`, () =>
      Effect.gen(function*() {
        const source = yield* make()
        const taken: Array<number> = []
        const takes = yield* begin(Effect.all(
          Array.from({ length: 3 }, () =>
            source.take((item) => Effect.andThen(Effect.sync(() => taken.push(item)), Effect.sleep("1 second")))),
          { concurrency: "unbounded" }
        ))
        yield* after("1 second")
        assert.deepStrictEqual(yield* resultOf(takes), ["Taken", "Taken", "Taken"])
        assert.sameMembers(taken, [1, 2, 3])
      }))

    if (name === "fromPull") continue
    it.effect(`${name}: an item whose handler is interrupted is handed out again, before any other`, () =>
      Effect.gen(function*() {
        const source = yield* make()
        const first = yield* begin(source.take(() => never))
        const second = yield* begin(source.take(() => never))
        yield* Fiber.interrupt(first)
        yield* Fiber.interrupt(second)
        assert.deepStrictEqual(yield* drain(source), [1, 2, 3])
      }))
  }
})

describe("TaskSource.fromIterable", () => {
  it.effect("takes arrays, sets, maps, strings and generators, empty ones too", () =>
    Effect.gen(function*() {
      const numbers = function*() {
        yield 1
        yield 2
      }
      assert.deepStrictEqual(yield* drain(TaskSource.fromIterable(new Set(["a", "b"]))), ["a", "b"])
      assert.deepStrictEqual(yield* drain(TaskSource.fromIterable(new Map([["a", 1]]))), [["a", 1]])
      assert.deepStrictEqual(yield* drain(TaskSource.fromIterable("ab")), ["a", "b"])
      assert.deepStrictEqual(yield* drain(TaskSource.fromIterable(numbers())), [1, 2])
      assert.deepStrictEqual(yield* drain(TaskSource.fromIterable([])), [])
    }))

  it.effect("goes through an async iterable as well", () =>
    Effect.gen(function*() {
      const numbers = async function*() {
        yield 1
        yield 2
      }
      assert.deepStrictEqual(yield* drain(TaskSource.fromIterable(numbers())), [1, 2])
    }))

  it.effect("asks the iterator for nothing before it is taken from, and for one item at a time", () =>
    Effect.gen(function*() {
      let asked = 0
      const source = TaskSource.fromIterable({
        [Symbol.iterator]: () => ({ next: () => ({ done: false as const, value: asked++ }) })
      })
      assert.strictEqual(asked, 0)
      yield* source.take(() => Effect.void)
      assert.strictEqual(asked, 1)
      yield* source.take(() => Effect.void)
      assert.strictEqual(asked, 2)
    }))

  it.effect("what an iterator throws is a defect", () =>
    Effect.gen(function*() {
      const sync = TaskSource.fromIterable({
        [Symbol.iterator]: () => ({
          next: (): IteratorResult<number> => {
            throw new Error("no more paper")
          }
        })
      })
      const async = TaskSource.fromIterable({
        [Symbol.asyncIterator]: () => ({
          next: (): Promise<IteratorResult<number>> => Promise.reject(new Error("no more paper"))
        })
      })
      for (const source of [sync, async]) {
        const exit = yield* Effect.exit(source.take(() => Effect.void))
        assert.isTrue(Exit.hasDies(exit))
      }
    }))
})

describe("TaskSource.fromQueue", () => {
  it.effect("waits for an item, and an interrupted wait loses none", () =>
    Effect.gen(function*() {
      for (const capacity of [0, 1, Infinity]) {
        const queue = yield* (capacity === Infinity ? Queue.unbounded<string>() : Queue.bounded<string>(capacity))
        const source = TaskSource.fromQueue(queue)
        const given = yield* begin(source.take(() => never))
        assert.isFalse(hasEnded(given))
        yield* Fiber.interrupt(given)
        const take = yield* begin(source.take(Effect.succeed))
        yield* begin(Queue.offer(queue, "page"))
        assert.strictEqual(yield* resultOf(take), "Taken")
      }
    }))

  it.effect("an item that is offered while several wait goes to one of them; the others go on waiting", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<number>()
      const source = TaskSource.fromQueue(queue)
      const taken: Array<number> = []
      const take = source.take((item) => Effect.sync(() => taken.push(item)))
      const takes = [yield* begin(take), yield* begin(take), yield* begin(take)]
      yield* Queue.offer(queue, 1)
      yield* settled
      assert.strictEqual(takes.filter(hasEnded).length, 1)
      yield* Queue.offerAll(queue, [2, 3])
      yield* settled
      assert.strictEqual(takes.filter(hasEnded).length, 3)
      assert.sameMembers(taken, [1, 2, 3])
    }))

  it.effect("a queue that ends while a take waits is done; one that fails, fails the take", () =>
    Effect.gen(function*() {
      const ending = yield* Queue.make<number, Cause.Done>()
      const first = yield* begin(TaskSource.fromQueue(ending).take(() => Effect.void))
      yield* Queue.end(ending)
      yield* settled
      assert.strictEqual(yield* resultOf(first), "Done")
      const failing = yield* Queue.make<number, string>()
      const second = yield* begin(TaskSource.fromQueue(failing).take(() => Effect.void))
      yield* Queue.fail(failing, "no connection")
      yield* settled
      assert.strictEqual(yield* failureOf(second), "no connection")
    }))

  it.effect("what is in a queue that has ended is handed out first", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.make<number, Cause.Done>()
      yield* Queue.offerAll(queue, [1, 2])
      yield* Queue.end(queue)
      assert.deepStrictEqual(yield* drain(TaskSource.fromQueue(queue)), [1, 2])
    }))

  it.effect("makes room for who offers to a full queue", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.bounded<number, Cause.Done>(1)
      const offers = yield* begin(Effect.andThen(Queue.offerAll(queue, [1, 2, 3]), Queue.end(queue)))
      assert.deepStrictEqual(yield* drain(TaskSource.fromQueue(queue)), [1, 2, 3])
      yield* settled
      assert.isTrue(hasEnded(offers))
    }))
})

describe("TaskSource.fromStream", () => {
  it.effect("fails where the stream does, typed; a defect is a defect", () =>
    Effect.gen(function*() {
      const failing = TaskSource.fromStream(Stream.concat(Stream.make(1), Stream.fail("no connection" as const)))
      assert.strictEqual(yield* failing.take(Effect.succeed), "Taken")
      assert.strictEqual(yield* Effect.flip(failing.take(Effect.succeed)), "no connection")
      const dying = yield* begin(TaskSource.fromStream(Stream.die(new Error("a bug"))).take(Effect.succeed))
      assert.include(Cause.pretty(yield* causeOf(dying)), "a bug")
    }))

  it.effect("needs what the stream needs", () =>
    Effect.gen(function*() {
      class Site extends Context.Service<Site, ReadonlyArray<string>>()("test/Site") {}
      const source = TaskSource.fromStream(Stream.unwrap(Effect.map(Site, (pages) => Stream.fromIterable(pages))))
      assert.deepStrictEqual(yield* Effect.provideService(drain(source), Site, ["a", "b"]), ["a", "b"])
    }))

  it.effect("a chunk that is empty is passed over", () =>
    Effect.gen(function*() {
      const stream = Stream.filter(Stream.rechunk(Stream.fromIterable([1, 2, 3, 4, 5, 6]), 2), (n) => n > 4)
      assert.deepStrictEqual(yield* drain(TaskSource.fromStream(stream)), [5, 6])
    }))
})

describe("TaskSource.fromPull", () => {
  it.effect("Some is an item, None is nothing now, Done is nothing ever again, any other failure is its own", () =>
    Effect.gen(function*() {
      const answers: Array<Effect.Effect<Option.Option<string>, "no connection" | Cause.Done>> = [
        Effect.succeed(Option.none()),
        Effect.succeed(Option.some("page")),
        Effect.fail("no connection"),
        Cause.done()
      ]
      const source = TaskSource.fromPull(Effect.suspend(() => answers.shift() ?? Effect.die("asked too often")))
      const seen: Array<string> = []
      const take = source.take((page) => Effect.sync(() => seen.push(page)))
      assert.strictEqual(yield* take, "Empty")
      assert.strictEqual(yield* take, "Taken")
      assert.deepStrictEqual(seen, ["page"])
      assert.strictEqual(yield* Effect.flip(take), "no connection")
      assert.strictEqual(yield* take, "Done")
    }))

  it.effect("a handler that fails with Done of its own is not the end of the source", () =>
    Effect.gen(function*() {
      const source = TaskSource.fromPull(Effect.succeed(Option.some("page")))
      const exit = yield* exitOf(yield* begin(source.take(() => Cause.done())))
      assert.isTrue(Exit.isFailure(exit))
    }))
})
