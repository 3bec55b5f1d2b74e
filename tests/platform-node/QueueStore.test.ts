import { QueueStore } from "@autoscaled-pool/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Layer, Logger, Redacted, Schema, Scope } from "effect"
import { PersistedQueue } from "effect/persistence"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { promisify } from "node:util"
import { read as readLease } from "../../packages/platform-node/src/internal/queueStore/lease.ts"

const lease = { pollInterval: 20, lockRefreshInterval: 1000, lockExpiration: 3000, settleTimeout: 300 } as const

const Number_ = Schema.Number

const open = Effect.fnUntraced(function*(
  filename: string,
  options: Partial<QueueStore.SqliteOptions> = {}
) {
  const warnings: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    if (logLevel === "Warn") warnings.push(String(message))
  })
  const store = QueueStore.layerSqlite({ filename, ...lease, ...options })
  const context = yield* Layer.build(Layer.fresh(Layer.provide(PersistedQueue.layer, store))).pipe(
    Effect.provide(Logger.layer([logger]))
  )
  const make = PersistedQueue.make({ name: "jobs", schema: Number_, maxAttempts: 3 })
  return { queue: yield* Effect.provide(make, context), warnings }
})

const file = Effect.acquireRelease(
  Effect.sync(() => path.join(fs.mkdtempSync(path.join(os.tmpdir(), "autoscaled-pool-store-")), "queue.db")),
  (filename) => Effect.sync(() => fs.rmSync(path.dirname(filename), { recursive: true }))
)

const nothing = Effect.fnUntraced(function*<A, E>(take: Effect.Effect<A, E>) {
  const fiber = yield* Effect.forkChild(take)
  yield* Effect.sleep("200 millis")
  assert.isUndefined(fiber.pollUnsafe())
  yield* Fiber.interrupt(fiber)
})

const refused = (layer: ReturnType<typeof QueueStore.layerSqlite>) => Effect.flip(Effect.scoped(Layer.build(layer)))

describe("the options of a store", () => {
  for (
    const [what, options, field] of [
      ["a lease that could run out before it is refreshed", { lockRefreshInterval: "30 seconds" }, "lockExpiration"],
      ["a lease of less than three refreshes", { lockExpiration: 5000, lockRefreshInterval: 2000 }, "lockExpiration"],
      ["a command that may take longer than a refresh waits", { commandTimeout: "11 seconds" }, "commandTimeout"],
      ["no time between two polls", { pollInterval: 0 }, "pollInterval"],
      ["a lease without end", { lockExpiration: Infinity }, "lockExpiration"],
      ["a wait that is no duration", { settleTimeout: "soon" as never }, "settleTimeout"],
      ["an unknown way to start", { onUnavailable: "retry" as never }, "onUnavailable"],
      ["no file", { filename: "" }, "filename"]
    ] as const
  ) {
    it.live(`${what} is refused`, () =>
      Effect.gen(function*() {
        const error = yield* refused(QueueStore.layerSqlite({ filename: ":memory:", ...options }))
        if (error._tag !== "InvalidOptionsError") return assert.fail(error.message)
        assert.strictEqual(error.field, field)
      }))
  }

  it.live("a URL of another kind is refused, and its password is not shown", () =>
    Effect.gen(function*() {
      const url = "http://user:secret@host"
      for (
        const layer of [
          QueueStore.layerRedis({ url }),
          QueueStore.layerRedis({ url: Redacted.make(url) }),
          QueueStore.layerRedis({ url: "secret" }),
          QueueStore.layerPostgres({ url }),
          QueueStore.layerPostgres({ url: undefined as never })
        ]
      ) {
        const error = yield* refused(layer)
        assert.strictEqual(error._tag, "InvalidOptionsError")
        assert.notInclude(error.message, "secret")
      }
    }))

  it.effect("a short lease shortens the time that a command may take", () =>
    Effect.gen(function*() {
      const short = yield* readLease({ lockRefreshInterval: "1 second", lockExpiration: "3 seconds" })
      assert.strictEqual(short.commandTimeout, 1000)
      assert.strictEqual((yield* readLease({})).commandTimeout, 5000)
    }))
})

describe("the store in a file", () => {
  it.live("two workers share it: what one offers the other takes, once", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const producer = yield* open(filename)
      const workers = yield* Effect.all([open(filename), open(filename)], { concurrency: 2 })
      const done: Array<number> = []
      yield* Effect.forEach(Array.from({ length: 40 }, (_, n) => n), (n) => producer.queue.offer(n, { id: `${n}` }), {
        concurrency: 8
      })
      yield* producer.queue.offer(7, { id: "7" })
      yield* Effect.forEach(
        [...workers, ...workers],
        ({ queue }) =>
          Effect.forEach(Array.from({ length: 10 }), () => queue.take((n) => Effect.sync(() => done.push(n)))),
        { concurrency: 4 }
      )
      assert.deepStrictEqual(done.toSorted((a, b) => a - b), Array.from({ length: 40 }, (_, n) => n))
      yield* nothing(workers[0].queue.take(Effect.succeed))
      assert.deepStrictEqual(workers.flatMap(({ warnings }) => warnings), [])
    }))

  it.live("an interruption costs no attempt, a failure does, and at the end is a dead letter to read", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const { queue } = yield* open(filename)
      const other = yield* open(filename)
      yield* queue.offer(1)
      const attempts: Array<number> = []
      const note = (result: Effect.Effect<void, string>) =>
        queue.take((_, meta) => Effect.andThen(Effect.sync(() => attempts.push(meta.attempts)), result))
      const held = yield* Effect.forkChild(note(Effect.never))
      yield* Effect.sleep("100 millis")
      yield* Fiber.interrupt(held)
      yield* other.queue.take((_, meta) => Effect.sync(() => attempts.push(meta.attempts))).pipe(
        Effect.andThen(other.queue.offer(2))
      )
      assert.deepStrictEqual(attempts, [1, 1])
      const database = new DatabaseSync(filename)
      for (let attempt = 1; attempt <= 3; attempt++) {
        yield* Effect.exit(note(Effect.fail("no")))
        database.exec("UPDATE effect_queue SET visible_at = datetime('now', '-1 second')")
      }
      assert.deepStrictEqual(attempts, [1, 1, 1, 2, 3])
      const [row] = database.prepare("SELECT * FROM effect_queue WHERE state = 'failed'").all()
      database.close()
      assert.strictEqual(row.element, "2")
      assert.include(String(row.last_failure), "no")
    }))

  it.live("a row that cannot be read becomes a dead letter, and those behind it are taken", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const { queue } = yield* open(filename)
      for (const n of [1, 2, 3]) yield* queue.offer(n)
      const database = new DatabaseSync(filename)
      database.exec("UPDATE effect_queue SET element = '{' WHERE element = '1'")
      database.exec(`UPDATE effect_queue SET element = '"text"' WHERE element = '2'`)
      assert.strictEqual(yield* queue.take(Effect.succeed), 3)
      assert.strictEqual(database.prepare("SELECT * FROM effect_queue WHERE state = 'failed'").all().length, 2)
      database.close()
    }))

  it.live("while another process writes, the event loop goes on; when it takes long, one warning is given", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const { queue: patient, warnings: none } = yield* open(filename, {
        lockRefreshInterval: 5000,
        lockExpiration: 20_000
      })
      const { queue, warnings } = yield* open(filename)
      const other = new DatabaseSync(filename)
      const hold = (millis: number) =>
        Effect.acquireUseRelease(
          Effect.sync(() => other.exec("BEGIN IMMEDIATE")),
          () => Effect.sleep(millis),
          () => Effect.sync(() => other.exec("COMMIT"))
        )
      let turns = 0
      const ticking = setInterval(() => turns++, 10)
      const [, id] = yield* Effect.all([hold(150), patient.offer(1)], { concurrency: 2 })
      assert.isAtLeast(turns, 3)
      assert.isString(id)
      assert.deepStrictEqual(none, [])

      const taken = yield* Effect.forkChild(Effect.forEach([1, 2], () => queue.take(Effect.succeed)))
      const [, refusal] = yield* Effect.all([hold(2500), Effect.flip(queue.offer(2))], { concurrency: 2 })
      clearInterval(ticking)
      assert.strictEqual(refusal._tag, "PersistedQueueError")
      yield* Effect.retry(queue.offer(3, { id: "3" }), { times: 20 })
      assert.strictEqual((yield* Fiber.join(taken)).at(-1), 3)
      assert.isAtLeast(warnings.length, 1)
      assert.match(warnings[0], /does not answer \(database is locked\)/)
      other.close()
    }))

  it.live("a wall clock that jumps takes no lease away", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const clock = yield* Clock.Clock
      let offset = 0
      const jumping: Clock.Clock = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + offset,
        currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() + offset)
      })
      const { queue } = yield* Effect.provideService(open(filename), Clock.Clock, jumping)
      const other = yield* open(filename)
      yield* queue.offer(1)
      const started: Array<number> = []
      const held = yield* Effect.forkChild(
        queue.take((_, { attempts }) =>
          Effect.andThen(Effect.sync(() => started.push(attempts)), Effect.sleep("1500 millis"))
        )
      )
      yield* Effect.sleep("100 millis")
      offset = 3_600_000
      yield* nothing(other.queue.take(Effect.succeed))
      offset = -3_600_000
      yield* nothing(other.queue.take(Effect.succeed))
      yield* Fiber.join(held)
      assert.deepStrictEqual(started, [1])
    }))

  it.live("what cannot be opened is a typed error, or is waited for", () =>
    Effect.gen(function*() {
      const directory = path.join(path.dirname(yield* file), "later")
      const filename = path.join(directory, "queue.db")
      const error = yield* Effect.flip(open(filename))
      assert.strictEqual(error._tag, "PersistedQueueError")
      assert.match(error.message, /cannot be reached: unable to open database file/)

      fs.mkdirSync(directory)
      fs.writeFileSync(filename, "this is no database, and long enough to be seen as such".repeat(20))
      assert.match((yield* Effect.flip(open(filename))).message, /file is not a database/)
      fs.rmSync(directory, { recursive: true })

      const opening = yield* Effect.forkChild(open(filename, { onUnavailable: "wait" }))
      yield* Effect.sleep("100 millis")
      assert.isUndefined(opening.pollUnsafe())
      fs.mkdirSync(directory)
      const { queue, warnings } = yield* Fiber.join(opening)
      yield* queue.offer(1)
      assert.strictEqual(warnings.length, 1)
      assert.match(warnings[0], /Waiting for it/)
    }))

  it.live("gives back what it holds when it closes", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const scope = yield* Scope.make()
      const { queue } = yield* Scope.provide(open(filename), scope)
      const other = yield* open(filename)
      yield* queue.offer(1)
      const held = yield* Effect.forkChild(queue.take(() => Effect.never))
      yield* Effect.sleep("100 millis")
      yield* Fiber.interrupt(held)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* other.queue.take((_, { attempts }) => Effect.succeed(attempts)), 1)
    }))
})

it("real process: without their drivers the stores say what to install, and nothing of them is loaded unused", async () => {
  const program = path.join(import.meta.dirname, "programs/withoutDrivers.ts")
  const { stdout } = await promisify(execFile)(process.execPath, [program])
  assert.deepStrictEqual(JSON.parse(stdout), {
    heavy: [],
    redis:
      "PersistedQueueError: The store needs packages that cannot be loaded; install them: npm install redis @effect/platform-node",
    postgres:
      "PersistedQueueError: The store needs packages that cannot be loaded; install them: npm install @effect/sql-pg"
  })
})
