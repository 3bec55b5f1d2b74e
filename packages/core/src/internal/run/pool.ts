/**
 * The pool behind the interface: owns the governor, and at most one run at a time.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as PubSub from "effect/PubSub"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { AutoscaledPool } from "../../AutoscaledPool.ts"
import type { ConcurrencySettings } from "../../ConcurrencySettings.ts"
import type { InvalidOptionsError } from "../../InvalidOptionsError.ts"
import { AlreadyRunningError } from "../../PoolError.ts"
import type { PoolEvent } from "../../PoolEvent.ts"
import { PoolRegistry } from "../../PoolRegistry.ts"
import type { PoolSnapshot } from "../../PoolSnapshot.ts"
import type { Blocker, PoolState, RunReport } from "../../PoolState.ts"
import type { BudgetConsumer } from "../budget/consumer.ts"
import type { Feed, FeedHost } from "../feeds/feed.ts"
import * as monotonic from "../time/monotonic.ts"
import * as poolLog from "../views/poolLog.ts"
import * as snapshots from "../views/snapshots.ts"
import { CurrentTask } from "./currentTask.ts"
import { Dispatcher, type Idle } from "./dispatcher.ts"
import type { PoolPlan } from "./poolOptions.ts"
import { RunViews } from "./runViews.ts"

/** What a kind of pool adds to the plan: its feed, and what the run must let go of at its end. */
export interface PoolWork<A> {
  readonly makeFeed: (host: FeedHost) => Feed<A>
  readonly onTimeLimit: (item: A) => Effect.Effect<unknown, unknown>
  readonly close: Effect.Effect<void>
  /** How many items there are, where that is known. */
  readonly total: () => number | undefined
}

interface ActiveRun<A> {
  readonly ended: Deferred.Deferred<void>
  isAborted: boolean
  dispatcher: Dispatcher<A> | undefined
  views: RunViews | undefined
}

export class Pool<A, E> implements AutoscaledPool<E> {
  private readonly plan: PoolPlan
  private readonly work: PoolWork<A>
  private readonly governor: BudgetConsumer
  private readonly context: Context.Context<never>
  private readonly published: PubSub.PubSub<PoolEvent>
  private isPaused = false
  private active: ActiveRun<A> | undefined

  constructor(
    plan: PoolPlan,
    work: PoolWork<A>,
    governor: BudgetConsumer,
    context: Context.Context<never>,
    published: PubSub.PubSub<PoolEvent>
  ) {
    this.plan = plan
    this.work = work
    this.governor = governor
    this.context = context
    this.published = published
    this.events = Stream.fromPubSub(published)
    governor.attachUnsafe({
      wake: () => this.active?.dispatcher?.wakeLater(),
      report: (event) => this.publish(event),
      ages: (now) => this.active?.dispatcher?.ages(now) ?? []
    })
  }

  readonly events: Stream.Stream<PoolEvent>

  readonly run: Effect.Effect<RunReport, E | AlreadyRunningError> = Effect.acquireUseRelease(
    Effect.suspend(() => {
      if (this.active !== undefined) return Effect.fail(new AlreadyRunningError())
      this.active = { ended: Deferred.makeUnsafe(), isAborted: false, dispatcher: undefined, views: undefined }
      return Effect.succeed(this.active)
    }),
    (run) =>
      Effect.flatMap(Effect.context<never>(), (context) => Effect.scoped(this.runOnce(run, context))).pipe(
        Effect.withSpan("autoscaled_pool.run", { attributes: { "autoscaled_pool.name": this.plan.name } })
      ),
    (run, exit) =>
      Effect.sync(() => {
        this.publish(
          Exit.isSuccess(exit) ? { _tag: "RunEnded", report: exit.value } : { _tag: "RunFailed", cause: exit.cause }
        )
        this.active = undefined
        Deferred.doneUnsafe(run.ended, Effect.void)
      })
  )

  readonly pause: Effect.Effect<void> = Effect.sync(() => {
    if (this.isPaused) return
    this.isPaused = true
    this.active?.dispatcher?.pause()
    this.publish({ _tag: "Paused" })
  })

  readonly resume: Effect.Effect<void> = Effect.sync(() => {
    if (!this.isPaused) return
    this.isPaused = false
    this.active?.dispatcher?.resume()
    this.publish({ _tag: "Resumed" })
  })

  readonly abort: Effect.Effect<void> = Effect.withFiber((fiber) => {
    const run = this.active
    if (run === undefined) return Effect.void
    run.isAborted = true
    run.dispatcher?.end("Aborted")
    // Whoever is a part of the run is interrupted with it, and cannot wait for its own end.
    const isInside = run.dispatcher !== undefined && fiber.getRef(CurrentTask)?.runs.includes(run.dispatcher) === true
    return isInside ? Effect.void : Deferred.await(run.ended)
  })

  readonly notify: Effect.Effect<void> = Effect.sync(() => this.active?.dispatcher?.poke("Notified"))

  readonly currentConcurrency: Effect.Effect<number> = Effect.sync(() => this.governor.current)

  readonly desiredConcurrency: Effect.Effect<number> = Effect.sync(() => this.governor.desired)

  readonly settings: Effect.Effect<ConcurrencySettings> = Effect.sync(() => this.governor.settings)

  readonly configure = (change: Partial<ConcurrencySettings>): Effect.Effect<void, InvalidOptionsError> =>
    this.governor.configure(change)

  readonly state: Effect.Effect<PoolState> = Effect.sync(() => {
    const dispatcher = this.active?.dispatcher
    const ledger = dispatcher?.ledger
    return {
      phase: this.active === undefined ? "Idle" : dispatcher?.course.ending === undefined ? "Running" : "Ending",
      isPaused: this.isPaused,
      currentConcurrency: this.governor.current,
      desiredConcurrency: this.governor.desired,
      blocker: this.blockerOf(ledger?.idle),
      started: dispatcher?.started ?? 0,
      succeeded: ledger?.succeeded ?? 0,
      failed: ledger?.failed ?? 0,
      timedOut: ledger?.timedOut ?? 0,
      rejected: ledger?.rejected ?? 0,
      retried: ledger?.retried ?? 0,
      system: this.governor.verdictUnsafe(),
      lastDecision: this.governor.lastDecision
    }
  })

  readonly snapshot: Effect.Effect<PoolSnapshot> = Effect.suspend(() => {
    const { views } = this.active ?? {}
    return views === undefined ? this.snapshotBetweenRuns : Effect.sync(() => views.snapshot())
  })

  private readonly snapshotBetweenRuns = Effect.zipWith(
    PoolRegistry,
    monotonic.monotonicMillis,
    (registry, at) =>
      snapshots.take({
        name: this.plan.name,
        at,
        phase: this.active === undefined ? "Idle" : "Running",
        isPaused: this.isPaused,
        budget: this.governor,
        blocker: undefined,
        run: undefined,
        total: undefined,
        decisions: snapshots.noDecisions,
        outcome: undefined,
        before: registry.find(this.plan.name)?.snapshot()
      })
  )

  private readonly runOnce = Effect.fnUntraced({ self: this }, function*(
    this: Pool<A, E>,
    run: ActiveRun<A>,
    context: Context.Context<never>
  ) {
    const now = yield* monotonic.reader
    const dispatcher = new Dispatcher({
      ...this.work,
      governor: this.governor,
      fibers: yield* FiberSet.make(),
      context: this.taskContext(context),
      now,
      later: yield* laterTurns,
      taskTimeout: this.plan.taskTimeout,
      isPaused: this.isPaused
    })
    run.dispatcher = dispatcher
    if (run.isAborted) dispatcher.end("Aborted")
    yield* Effect.addFinalizer(() => this.work.close)
    yield* this.show(run, dispatcher, now)
    this.publish({ _tag: "RunStarted" })

    yield* this.governor.prepare
    yield* supervise(dispatcher, this.governor.regulate)
    if (dispatcher.isOpaque) yield* supervise(dispatcher, this.keepAsking(dispatcher))
    yield* drained(dispatcher)

    if (dispatcher.course.suppressed !== undefined) {
      yield* Effect.logWarning(
        "Failures of tasks that were interrupted because their run ended",
        dispatcher.course.suppressed
      )
    }
    // Whatever can fail a run fails with E: the constructors of AutoscaledPool see to that.
    if (dispatcher.course.failure !== undefined) {
      return yield* Effect.failCause(dispatcher.course.failure as Cause.Cause<E>)
    }
    return reportOf(dispatcher, now())
  })

  private readonly keepAsking = (dispatcher: Dispatcher<A>) =>
    Effect.schedule(Effect.sync(() => dispatcher.poke("Interval")), Schedule.spaced(this.plan.maybeRunInterval))

  /** Shows the run to whoever looks, until it has ended. */
  private readonly show = Effect.fnUntraced({ self: this }, function*(
    this: Pool<A, E>,
    run: ActiveRun<A>,
    dispatcher: Dispatcher<A>,
    now: () => number
  ) {
    const views = new RunViews(
      {
        run: dispatcher,
        budget: this.governor,
        isPaused: () => this.isPaused,
        blocker: () => this.blockerOf(dispatcher.ledger.idle),
        total: this.work.total,
        now
      },
      yield* PoolRegistry,
      { name: this.plan.name, controls: this },
      yield* Effect.orDie(Effect.currentSpan), // `run` has opened one
      yield* Clock.Clock
    )
    run.views = views
    yield* Effect.addFinalizer(() => Effect.ensuring(this.logEnd(views, dispatcher), views.leave))
    const { loggingInterval } = this.plan
    if (loggingInterval === null) return
    yield* this.logLines(views, [views.log.began(views.snapshot())])
    const look = Effect.suspend(() =>
      this.logLines(views, views.log.look(views.snapshot(), Duration.toMillis(loggingInterval)))
    )
    yield* supervise(dispatcher, Effect.schedule(look, Schedule.spaced(poolLog.every)))
  })

  private logEnd(views: RunViews, { course }: Dispatcher<A>): Effect.Effect<void> {
    if (this.plan.loggingInterval === null) return Effect.void
    return Effect.suspend(() =>
      this.logLines(views, [views.log.ended(course.ending ?? "Interrupted", views.snapshot())])
    )
  }

  private logLines({ name }: RunViews, lines: ReadonlyArray<poolLog.LogLine>): Effect.Effect<void> {
    return Effect.forEach(
      lines,
      ({ level, text }) => level === "Info" ? Effect.logInfo(text) : Effect.logDebug(text),
      { discard: true }
    ).pipe(Effect.annotateLogs("pool", name))
  }

  private publish(event: PoolEvent): void {
    // Not `publishUnsafe`: where a reader has fallen behind, it refuses the newest event, and to every reader.
    Effect.runSync(PubSub.publish(this.published, event))
    this.active?.views?.tell(event)
  }

  private blockerOf(idle: Idle): Blocker | undefined {
    if (idle === undefined) return undefined
    return idle === "Overloaded" ? { _tag: idle, signals: this.governor.overloadedUnsafe() } : { _tag: idle }
  }

  /** Services are those of where the pool was built; the span and the task that its tasks are in, of where it runs. */
  private taskContext(ofRun: Context.Context<never>): Context.Context<never> {
    const context = Context.merge(ofRun, Context.omit(CurrentTask)(this.context))
    const span = Context.getOption(ofRun, Tracer.ParentSpan)
    return span._tag === "Some" ? Context.add(context, Tracer.ParentSpan, span.value) : context
  }
}

const laterTurns = Effect.withFiber((fiber) => {
  const turns = fiber.currentDispatcher
  return Effect.succeed((turn: () => void) => turns.scheduleTask(turn, 0))
})

/** Runs beside the tasks for as long as the run does; a failure of it ends the run. */
const supervise = <A>(
  dispatcher: Dispatcher<A>,
  effect: Effect.Effect<unknown, unknown>
): Effect.Effect<unknown, never, Scope.Scope> =>
  Effect.forkScoped(Effect.catchCause(effect, (cause) => Effect.sync(() => dispatcher.fail(cause))))

/** Begins the run and waits until nothing is left of it; interrupting the wait interrupts the run. */
const drained = <A>(dispatcher: Dispatcher<A>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    dispatcher.begin(() => resume(Effect.void))
    return Effect.callback((resume) => dispatcher.interrupt(() => resume(Effect.void)))
  })

const reportOf = <A>(dispatcher: Dispatcher<A>, now: number): RunReport => {
  const { course, ledger } = dispatcher
  const millis = now - ledger.startedAt
  const share = (idle: number) => millis > 0 ? idle / millis : 0
  return {
    outcome: course.ending === "Aborted" ? "Aborted" : "Finished",
    started: dispatcher.started,
    succeeded: ledger.succeeded,
    failed: ledger.failed,
    timedOut: ledger.timedOut,
    interrupted: ledger.interrupted,
    rejected: ledger.rejected,
    retried: ledger.retried,
    duration: Duration.millis(millis),
    meanConcurrency: dispatcher.meanConcurrency(now),
    peakConcurrency: dispatcher.peakConcurrency,
    blockedShare: Object.fromEntries([...ledger.idleTimes(now)].map(([idle, time]) => [idle, share(time)]))
  }
}
